function Invoke-DiskMove {
    <#
    .SYNOPSIS disk.move: to another storage class of the same host.
    .DESCRIPTION
        Attached: Move-VMStorage with the same file name at both ends. Detached: a rename on the same volume, else copy, verify, name the copy, trash. Cut off
        before the last, it left two files of one uid: a repeat, in either direction, compares them and puts the one that it is asked to move into the trash.
    #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $world = Get-World -Job $Job
    $folder = Get-ClassPath -World $world -Layout $spec['layout'] -Name $spec['storageClass']
    Add-Touched -Job $Job -Disk @($spec['path'])
    $moved = Find-MovedFile -Job $Job -Folder $folder
    if ($null -ne $moved) {
        Remove-LeftSidecar -Job $Job
        Write-Sidecar -Job $Job -Path $moved.Path -Uid $spec['owner']['uid']
        return Get-Created -Job $Job -Path $moved.Path
    }
    $file = Get-OwnedDisk -Job $Job
    Assert-PathPart -Text @($spec['owner']['namespace'])
    if (Test-SamePath -Path (Get-FolderOf -Path (Get-FolderOf -Path $file.Path)) -Other $folder) { return Get-Created -Job $Job -Path $file.Path }
    $target = Join-HostPath -Folder (Join-HostPath -Folder $folder -Name $spec['owner']['namespace']) -Name (Get-FileNameOf -Path $file.Path)
    # What fails may leave a second file there: the control plane must not believe in one.
    Add-Touched -Job $Job -Disk @($target)
    Assert-Movable -World $world -File $file
    $holder = @(Get-Holder -World $world -Path $file.Path | Where-Object -FilterScript { $_.Direct } | Select-Object -First 1)
    # Demanded again when the original goes. A checkpoint alone may name it.
    if ($holder.Count -eq 0) { Assert-NotAttached -World $world -File $file }
    Write-JobProgress -Job $Job -Percent 1 -Text "moving $(Get-FileNameOf -Path $file.Path)"
    if ($holder.Count -gt 0) { Move-AttachedDisk -Job $Job -Vm $holder[0].Vm -File $file -Target $target }
    else { Move-DetachedDisk -Job $Job -File $file -Target $target }
    Write-Sidecar -Job $Job -Path $target -Uid $spec['owner']['uid']
    foreach ($one in @($holder)) { Add-Touched -Job $Job -Vm $one.Vm.Id -WithDisks }
    return Get-Created -Job $Job -Path $target
}

function Find-MovedFile {
    <# .SYNOPSIS What an earlier, interrupted move finished: the file is at its target, and not at its old place. #>
    param([hashtable]$Job, [string]$Folder)
    $spec = $Job.Spec
    $world = Get-World -Job $Job
    if ($null -ne (Get-FileEntry -World $world -Path $spec['path'])) { return $null }
    $target = Join-HostPath -Folder (Join-HostPath -Folder $Folder -Name $spec['owner']['namespace']) -Name (Get-FileNameOf -Path $spec['path'])
    $file = Find-Disk -World $world -Path $target
    if ($null -eq $file) { return $null }
    if ((Get-NameUid -Path $target) -ceq $spec['owner']['uid'] -or ($null -ne $spec['diskId'] -and $file.DiskId -eq $spec['diskId'])) { return $file }
    return $null
}

function Assert-Movable {
    param([hashtable]$World, [hashtable]$File)
    Assert-NotOpen -World $World -File $File
    Assert-NotShared -File $File
    Assert-NoCheckpoint -World $World -File $File
    Assert-NoChild -World $World -File $File
    foreach ($holder in @(Get-Holder -World $World -Path $File.Path)) { Assert-NotSuspended -Vm $holder.Vm -What 'moving its disk' }
}

function Assert-TargetFree {
    param([hashtable]$World, [hashtable]$File, [string]$Target)
    Assert-NotTaken -Path $Target
    Assert-Space -World $World -Path $Target -Bytes $File.FileSize
}

function Test-CopyOf {
    <# .SYNOPSIS Whether the file at the path holds what the other one holds: nobody has it, and neither was written since the copy was made. #>
    param([hashtable]$World, [string]$Path, [hashtable]$File)
    $copy = Find-Disk -World $World -Path $Path
    if ($null -eq $copy -or @(Get-Holder -World $World -Path $Path).Count -gt 0 -or -not (Test-OpenAlone -Path $Path)) { return $false }
    foreach ($name in 'DiskId', 'Size', 'Format', 'DiskType', 'ParentPath') { if ($copy[$name] -ne $File[$name]) { return $false } }
    $other = Get-FileEntry -World $World -Path $File.Path
    return $null -ne $other -and (Test-SameFile -World $World -Path $Path -Entry $other)
}

function Move-AttachedDisk {
    <# .SYNOPSIS Never -RemoveSourceUnmanagedVhds: it deletes the parent. #>
    param([hashtable]$Job, [hashtable]$Vm, [hashtable]$File, [string]$Target)
    Assert-TargetFree -World (Get-World -Job $Job) -File $File -Target $Target
    Invoke-Effect -Job $Job -Point 'moved' -Action {
        Confirm-Folder -Path $Target
        $pair = @{ SourceFilePath = $File.Path; DestinationFilePath = $Target }
        Hyper-V\Move-VMStorage -VM (Get-VmObject -Id $Vm.Id) -VHDs @($pair) -ErrorAction 'Stop'
    }
    $sidecar = $File.Path + $script:SidecarSuffix
    if (Test-Path -LiteralPath $sidecar) { Invoke-Effect -Job $Job -Point 'sidecarRemoved' -Action { Remove-FileNow -Path $sidecar } }
}

function Move-DetachedDisk {
    param([hashtable]$Job, [hashtable]$File, [string]$Target)
    $world = Get-World -Job $Job
    $copied = Get-FileEntry -World $world -Path $File.Path
    # The original goes last: a partial file is cleared away after a day, and must never be the only one.
    $finish = { Move-ToTrash -Job $Job -File $File -RetentionSeconds $Job.Spec['layout']['trashRetentionSeconds'] -CopyAt $Target }
    # A copy that an earlier move finished is not made again, unless either was written since: then it is somebody's to judge.
    if (Test-CopyOf -World $world -Path $Target -File $File) { & $finish; return }
    if ((Get-VolumeOf -World $world -Path $File.Path).Root -eq (Get-VolumeOf -World $world -Path $Target).Root) {
        Assert-TargetFree -World $world -File $File -Target $Target
        Rename-DetachedDisk -Job $Job -File $File -Target $Target
        return
    }
    Assert-NotTaken -Path $Target
    Remove-Withdrawn -Job $Job -File $File -Target $Target
    Assert-TargetFree -World (Get-World -Job $Job) -File $File -Target $Target
    Copy-DetachedDisk -Job $Job -File $File -Entry $copied -Target $Target
    try { & $finish }
    catch {
        if (-not $Job.DryRun) { Undo-Copy -Job $Job -Copied $copied -Target $Target }
        throw
    }
}

function Undo-Copy {
    <#
    .SYNOPSIS Puts the copy that this job made into the trash when its original has to stay: it was written or is in use by now.
    .DESCRIPTION Two files would wait for a person. Not if somebody has the copy, or wrote into it. What fails here leaves both, and the move's own fault.
    .PARAMETER Copied The original's file as it was copied: the copy has its length and its time.
    #>
    param([hashtable]$Job, [hashtable]$Copied, [string]$Target)
    try {
        $Job.World = $null
        $world = Get-World -Job $Job
        $copy = Find-Disk -World $world -Path $Target
        if ($null -eq (Find-Disk -World $world -Path $Copied.Path) -or $null -eq $copy -or -not (Test-SameFile -World $world -Path $Target -Entry $Copied)) { return }
        Move-ToTrash -Job $Job -File $copy -RetentionSeconds $Job.Spec['layout']['trashRetentionSeconds'] -Withdrawn $Copied
    }
    catch { Write-JobLog -Job $Job -Level 'warn' -Text "the copy $Target is left: $($_.Exception.Message)" }
}

function Get-Withdrawn {
    <#
    .SYNOPSIS Copies of the file in the trash that an earlier job of this move took back (Undo-Copy).
    .DESCRIPTION None while the original is not there, and none that anybody has or wrote into: those wait for their time as all the trash does.
    #>
    param([hashtable]$World, [hashtable]$File, [string]$Uid, [string]$Target)
    $original = Find-Disk -World $World -Path $File.Path
    if ($null -eq $original -or $original.DiskId -ne $File.DiskId) { return }
    foreach ($entry in (Get-FileTable -World $World).Values) {
        if (-not (Test-TrashPath -Path $entry.Path) -or -not (Test-DiskPath -Path $entry.Path)) { continue }
        $manifest = Get-Manifest -World $World -Path $entry.Path
        if ($null -eq $manifest -or $manifest['withdrawn'] -isnot [System.Collections.IDictionary]) { continue }
        $noted = $manifest['withdrawn']
        if ($manifest['owner']['uid'] -cne $Uid -or $manifest['diskId'] -ne $File.DiskId -or -not (Test-SamePath -Path $manifest['originalPath'] -Other $Target)) { continue }
        if (-not (Test-SamePath -Path $noted['path'] -Other $File.Path) -or $entry.Length -ne $noted['length'] -or $entry.Changed -ne $noted['changed']) { continue }
        if (Test-Unused -World $World -Path $entry.Path) { $entry.Path }
    }
}

function Remove-Withdrawn {
    <# .SYNOPSIS What such a copy takes is given back before the next one is made: a move that fails again and again would fill the target's volume. #>
    param([hashtable]$Job, [hashtable]$File, [string]$Target)
    $which = @{ File = $File; Uid = $Job.Spec['owner']['uid']; Target = $Target }
    if (@(Get-Withdrawn -World (Get-World -Job $Job) @which).Count -eq 0) { return }
    Invoke-Effect -Job $Job -Point 'withdrawnRemoved' -Action { foreach ($path in @(Get-Withdrawn -World (Get-World -Job $Job) @which)) { Remove-TrashFolder -Path $path } }
}

function Test-SameFile {
    <# .SYNOPSIS Whether the file was not written since it was like this. #>
    param([hashtable]$World, [string]$Path, [hashtable]$Entry)
    $now = Get-FileEntry -World $World -Path $Path
    return $null -ne $now -and $now.Length -eq $Entry.Length -and $now.Changed -eq $Entry.Changed
}

function Rename-DetachedDisk {
    <# .SYNOPSIS The move within a volume. #>
    param([hashtable]$Job, [hashtable]$File, [string]$Target)
    Invoke-Effect -Job $Job -Point 'moved' -Action {
        Confirm-Folder -Path $Target
        Assert-NotTaken -Path $Target
        Move-Companion -Path $File.Path -Target $Target
        Move-Item -LiteralPath $File.Path -Destination $Target
        Remove-FileNow -Path ($File.Path + $script:SidecarSuffix)
    }
}

function Copy-DetachedDisk {
    <# .SYNOPSIS The file with what belongs to it, under a partial name until it is verified. #>
    param([hashtable]$Job, [hashtable]$File, [hashtable]$Entry, [string]$Target)
    Remove-Partial -Job $Job -Uid $Job.Spec['owner']['uid']
    $partial = Get-PartialPath -Job $Job -Target $Target -Uid $Job.Spec['owner']['uid']
    try {
        $hash = Invoke-Effect -Job $Job -Point 'copying' -Action {
            Assert-TrashWritable -Job $Job -File $File
            Confirm-Folder -Path $partial
            foreach ($suffix in $script:Companions) {
                if (Test-Path -LiteralPath ($File.Path + $suffix)) { $null = Copy-InPiece -Job $Job -From ($File.Path + $suffix) -To ($partial + $suffix) -Begin 1 -End 1 }
            }
            Copy-InPiece -Job $Job -From $File.Path -To $partial -Begin 1 -End 60
        }
        if (-not $Job.DryRun -and (Get-PieceHash -Job $Job -Path $partial -Begin 60 -End 95) -ne $hash) { Stop-Operation -Code 'HyperVError' -Message "the copy $partial differs from $($File.Path)" }
        # Verifying takes as long as copying did, and nobody keeps others from the original meanwhile.
        $Job.World = $null
        if (-not (Test-SameFile -World (Get-World -Job $Job) -Path $File.Path -Entry $Entry)) { Stop-Operation -Code 'Busy' -Message "$($File.Path) was written while it was copied" }
        if ($File.ReadOnly) { Invoke-Effect -Job $Job -Point 'readOnly' -Action { Set-ReadOnly -Path $partial -Value $true } }
    }
    catch {
        Remove-Unfinished -Job $Job -Path $partial
        throw
    }
    Rename-Finished -Job $Job -Partial $partial -Target $Target
}
