function Invoke-DiskCreate {
    <# .SYNOPSIS disk.create: Blank, Differencing or File. A repeat finds the file by its uid. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $path = ''
    if ($spec['type'] -ne 'File') {
        $path = Find-FinishedFile -World (Get-World -Job $Job) -Layout $spec['layout'] -Uid $spec['owner']['uid']
        if ($path -eq '' -and $null -ne $spec['claim'] -and $null -ne $spec['claim']['previousUid']) { $path = Move-Reclaimed -Job $Job -PreviousUid $spec['claim']['previousUid'] }
    }
    if ($path -eq '') {
        switch ($spec['type']) {
            'Blank' { $path = New-BlankDisk -Job $Job }
            'Differencing' { $path = New-ChildDisk -Job $Job }
            'File' { $path = Find-AdoptedFile -Job $Job }
        }
    }
    Write-Sidecar -Job $Job -Path $path -Uid $spec['owner']['uid']
    return Get-Created -Job $Job -Path $path
}

function New-BlankDisk {
    param([hashtable]$Job)
    $spec = $Job.Spec
    $world = Get-World -Job $Job
    if ($null -eq $spec['size']) { Stop-Operation -Code 'InvalidRequest' -Message 'size is required for a blank disk' }
    $format = Get-First -Of @($spec['format'], 'VHDX')
    $type = Get-First -Of @($spec['diskType'], 'Dynamic')
    Assert-DiskSize -Size $spec['size'] -Format $format
    if ($format -eq 'VHD' -and $spec['logicalSectorBytes'] -eq 4096) { Stop-Operation -Code 'InvalidRequest' -Message 'logicalSectorBytes: a VHD has 512' }
    $target = Get-DiskPathFor -Folder (Get-TargetFolder -World $world -Spec $spec) -Owner $spec['owner'] -Format $format
    Assert-NotTaken -Path $target
    $needed = [Math]::Min($spec['size'], $script:EmptyBytes)
    if ($type -eq 'Fixed') { $needed = $spec['size'] }
    Assert-Space -World $world -Path $target -Bytes $needed
    Remove-Partial -Job $Job -Uid $spec['owner']['uid']
    $partial = Get-PartialPath -Job $Job -Target $target -Uid $spec['owner']['uid']
    $options = @{ Path = $partial; SizeBytes = [UInt64]$spec['size'] }
    $options[$type] = $true
    if ($format -eq 'VHDX' -and $null -ne $spec['logicalSectorBytes']) { $options['LogicalSectorSizeBytes'] = [UInt32]$spec['logicalSectorBytes'] }
    if ($null -ne $spec['blockSize'] -and $type -ne 'Fixed') { $options['BlockSizeBytes'] = [UInt32]$spec['blockSize'] }
    Invoke-Effect -Job $Job -Point 'creating' -Action {
        Confirm-Folder -Path $partial
        $null = Hyper-V\New-VHD @options -ErrorAction 'Stop'
    }
    Rename-Finished -Job $Job -Partial $partial -Target $target
    return $target
}

function New-ChildDisk {
    <# .SYNOPSIS A differencing disk; its parent is made read only first. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $world = Get-World -Job $Job
    $parent = Get-NamedFile -World $world -Layout $spec['layout'] -Named $spec['parent'] -Field 'parent'
    Assert-RestingParent -World $world -File $parent
    if ($null -ne $spec['format'] -and $spec['format'] -ne $parent.Format) { Stop-Operation -Code 'InvalidRequest' -Message "format: a child of $($parent.Path) is $($parent.Format) as its parent" }
    if ($null -ne $spec['size']) {
        if ($spec['size'] -lt $parent.Size) { Stop-Operation -Code 'InvalidRequest' -Message "size: $($spec['size']) is below the parent's $($parent.Size)" }
        Assert-DiskSize -Size $spec['size'] -Format $parent.Format
    }
    $target = Get-DiskPathFor -Folder (Get-TargetFolder -World $world -Spec $spec) -Owner $spec['owner'] -Format $parent.Format
    Assert-NotTaken -Path $target
    Assert-Space -World $world -Path $target -Bytes $script:EmptyBytes
    Remove-Partial -Job $Job -Uid $spec['owner']['uid']
    if (-not $parent.ReadOnly) { Invoke-Effect -Job $Job -Point 'parentPinned' -Action { Set-ReadOnly -Path $parent.Path -Value $true } }
    $partial = Get-PartialPath -Job $Job -Target $target -Uid $spec['owner']['uid']
    $options = @{ Path = $partial; ParentPath = $parent.Path; Differencing = $true }
    if ($null -ne $spec['size'] -and $spec['size'] -gt $parent.Size) { $options['SizeBytes'] = [UInt64]$spec['size'] }
    if ($null -ne $spec['blockSize']) { $options['BlockSizeBytes'] = [UInt32]$spec['blockSize'] }
    Invoke-Effect -Job $Job -Point 'creating' -Action {
        Confirm-Folder -Path $partial
        $null = Hyper-V\New-VHD @options -ErrorAction 'Stop'
    }
    Rename-Finished -Job $Job -Partial $partial -Target $target
    return $target
}

function Assert-RestingParent {
    <# .SYNOPSIS A parent is attached to no machine itself, open nowhere, without checkpoints. #>
    param([hashtable]$World, [hashtable]$File)
    Assert-NotOpen -World $World -File $File
    Assert-NotShared -File $File
    Assert-NoCheckpoint -World $World -File $File
    foreach ($holder in @(Get-Holder -World $World -Path $File.Path)) {
        if ($holder.Direct) { Stop-Operation -Code 'DiskInUse' -Message "$($File.Path) is attached to $($holder.Vm.Name); a parent is read only" }
    }
}

function Find-AdoptedFile {
    <# .SYNOPSIS A file that exists and may be taken over: only the hint beside it is written. #>
    param([hashtable]$Job)
    $path = [string]$Job.Spec['path']
    if (-not (Test-LocalPath -Path $path)) { Stop-Operation -Code 'InvalidRequest' -Message "path: expected a full local path, as D:\Disks\data.vhdx, got $(Get-ShownText -Text $path)" }
    $world = Get-World -Job $Job
    $file = Get-KnownDisk -World $world -Path $path
    if ((Test-TrashPath -Path $path) -or (Test-PartialPath -Path $path)) { Stop-Operation -Code 'InvalidRequest' -Message "path: $path is no finished disk" }
    Assert-NotShared -File $file
    $owner = $Job.Spec['owner']
    $mine = @($owner['uid'])
    if ($null -ne $Job.Spec['claim'] -and $null -ne $Job.Spec['claim']['previousUid']) { $mine += $Job.Spec['claim']['previousUid'] }
    $sidecar = Get-Sidecar -World $world -Path $file.Path
    if ($null -eq $sidecar) { return $file.Path }
    if ($mine -cnotcontains $sidecar['uid']) { Stop-Operation -Code 'OwnedByOther' -Message "$($file.Path) is marked for uid $($sidecar['uid'])" }
    if ($null -ne $sidecar['controlPlaneId'] -and $sidecar['controlPlaneId'] -cne $Job.ControlPlane) {
        Stop-Operation -Code 'OwnedByOther' -Message "$($file.Path) is marked by control plane $($sidecar['controlPlaneId'])"
    }
    return $file.Path
}

function Move-Reclaimed {
    <# .SYNOPSIS A file of this name whose uid is lost becomes the owner's: renamed while nothing refers to it, else only marked. '' when there is none. #>
    param([hashtable]$Job, [string]$PreviousUid)
    $owner = $Job.Spec['owner']
    $world = Get-World -Job $Job
    $path = Find-FinishedFile -World $world -Layout $Job.Spec['layout'] -Uid $PreviousUid
    if ($path -eq '') { return '' }
    $file = Get-KnownDisk -World $world -Path $path
    $extension = Get-Extension -Format $file.Format
    if ((Get-FileNameOf -Path $path) -ne "$($owner['name']).$PreviousUid.$extension") { Stop-Operation -Code 'OwnedByOther' -Message "$path is not named for $($owner['name'])" }
    if (@(Get-Holder -World $world -Path $path).Count -gt 0 -or @(Get-Child -World $world -Path $path).Count -gt 0) { return $path }
    $target = Join-HostPath -Folder (Get-FolderOf -Path $path) -Name "$($owner['name']).$($owner['uid']).$extension"
    Invoke-Effect -Job $Job -Point 'renamed' -Action {
        Assert-NotTaken -Path $target
        Move-Item -LiteralPath $path -Destination $target
        Remove-FileNow -Path ($path + $script:SidecarSuffix)
    }
    Add-Touched -Job $Job -Disk @($path)
    return $target
}
