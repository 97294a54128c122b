function Invoke-DiskGet {
    <# .SYNOPSIS disk.get #>
    param([hashtable]$Job)
    Add-Touched -Job $Job -Disk @($Job.Spec['path'])
    $null = Find-OwnedDisk -Job $Job
}

function Invoke-DiskUpdate {
    <# .SYNOPSIS disk.update: growth, QoS of the drive, release (the sidecar goes, the file stays). #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $file = Get-OwnedDisk -Job $Job
    Add-Touched -Job $Job -Disk @($file.Path)
    if ($null -ne $spec['size'] -and $spec['size'] -ne $file.Size) {
        Assert-Growth -World (Get-World -Job $Job) -File $file -Size $spec['size']
        Invoke-Effect -Job $Job -Point 'resized' -Action { Hyper-V\Resize-VHD -Path $file.Path -SizeBytes ([UInt64]$spec['size']) -ErrorAction 'Stop' }
    }
    if ($null -ne $spec['qos']) {
        $id = $spec['qos']['vmId']
        $world = Get-World -Job $Job
        Add-Touched -Job $Job -Vm $id -WithDisks
        $drive = $null
        if ($null -ne (Find-Vm -World $world -Id $id)) { $drive = Find-Drive -View (Get-VmView -World $world -Id $id) -Path $file.Path }
        if ($null -eq $drive) { Stop-Operation -Code 'NotFound' -Message "$($file.Path) is not attached to $id" }
        Set-Qos -Job $Job -Id $id -Drive $drive -Qos (Get-WantedQos -Drive $drive -Wanted $spec['qos'])
    }
    $sidecar = $file.Path + $script:SidecarSuffix
    if ($spec['release'] -and (Test-Path -LiteralPath $sidecar)) { Invoke-Effect -Job $Job -Point 'released' -Action { Remove-FileNow -Path $sidecar } }
}

function Assert-Growth {
    param([hashtable]$World, [hashtable]$File, [long]$Size)
    if ($Size -lt $File.Size) { Stop-Operation -Code 'DiskShrinkForbidden' -Message "size: $($File.Path) has $($File.Size) bytes, $Size would shrink it" }
    Assert-DiskSize -Size $Size -Format $File.Format
    Assert-NotOpen -World $World -File $File
    Assert-NoCheckpoint -World $World -File $File
    Assert-NoChild -World $World -File $File
    foreach ($holder in @(Get-Holder -World $World -Path $File.Path)) {
        Assert-NotSuspended -Vm $holder.Vm -What 'growing its disk'
        if ($File.Format -eq 'VHD') { Assert-Off -Vm $holder.Vm -What 'growing a VHD' }
        $drive = Find-Drive -View (Get-VmView -World $World -Id $holder.Vm.Id) -Path $File.Path
        if ($null -ne $drive -and $drive['controllerType'] -eq 'IDE') { Assert-Off -Vm $holder.Vm -What 'growing a disk on IDE' }
    }
    if ($File.DiskType -eq 'Fixed') { Assert-Space -World $World -Path $File.Path -Bytes ($Size - $File.Size) }
}

function Invoke-DiskDelete {
    <# .SYNOPSIS disk.delete: into the trash on the file's own volume, by a rename. Absent already = success. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $world = Get-World -Job $Job
    $file = Find-OwnedDisk -Job $Job
    if ($null -ne $file) {
        if (Test-TrashPath -Path $file.Path) { Stop-Operation -Code 'InvalidRequest' -Message "$($file.Path) lies in the trash" }
        Assert-Deletable -World $world -File $file
    }
    Add-Touched -Job $Job -Disk @($spec['path'])
    if ($null -ne $file) { Move-ToTrash -Job $Job -File $file -RetentionSeconds $spec['retentionSeconds'] }
    Remove-LeftSidecar -Job $Job
    Remove-Partial -Job $Job -Uid $spec['owner']['uid']
    foreach ($entry in @((Get-FileTable -World (Get-World -Job $Job)).Values)) {
        if (-not (Test-TrashPath -Path $entry.Path) -or -not (Test-DiskPath -Path $entry.Path)) { continue }
        $manifest = Get-Manifest -World (Get-World -Job $Job) -Path $entry.Path
        if ($null -ne $manifest -and $manifest['owner']['uid'] -ceq $spec['owner']['uid'] -and (Test-SamePath -Path $manifest['originalPath'] -Other $spec['path'])) { Add-Touched -Job $Job -Trash $entry.Path }
    }
}

function Assert-Deletable {
    param([hashtable]$World, [hashtable]$File)
    Assert-NotShared -File $File
    Assert-NoCheckpoint -World $World -File $File
    Assert-NoChild -World $World -File $File
    Assert-NotAttached -World $World -File $File
    Assert-NotOpen -World $World -File $File
}

function Move-ToTrash {
    <#
    .SYNOPSIS Manifest first, then the renames: sidecar and change tracking files (.rct, .mrt) travel with the disk.
    .PARAMETER CopyAt Where a copy lies that takes the file's place: at the last moment it must still hold what the file holds.
    .PARAMETER Withdrawn The file is this job's own copy of that one, which stays: noted, so that the next copy replaces it.
    #>
    param([hashtable]$Job, [hashtable]$File, [long]$RetentionSeconds, [string]$CopyAt = '', [hashtable]$Withdrawn = $null)
    $folder = Get-TrashFolderFor -World (Get-World -Job $Job) -Path $File.Path -Name $Job.Id
    $manifest = New-Manifest -Job $Job -File $File -RetentionSeconds $RetentionSeconds
    if ($null -ne $Withdrawn) { $manifest['withdrawn'] = [ordered]@{ path = $Withdrawn.Path; length = $Withdrawn.Length; changed = $Withdrawn.Changed } }
    Invoke-Effect -Job $Job -Point 'manifest' -Action {
        Remove-BareManifest -World (Get-World -Job $Job) -Uid $Job.Spec['owner']['uid'] -Path $File.Path
        Write-Manifest -Folder $folder -Manifest $manifest
    }
    Invoke-Effect -Job $Job -Point 'trashed' -Action {
        $world = Get-World -Job $Job
        $present = Get-KnownDisk -World $world -Path $File.Path
        Assert-Deletable -World $world -File $present
        if ($CopyAt -ne '' -and -not (Test-CopyOf -World $world -Path $CopyAt -File $present)) { Stop-Operation -Code 'Busy' -Message "$($File.Path) was written while it was copied" }
        Move-Item -LiteralPath $File.Path -Destination (Join-HostPath -Folder $folder -Name (Get-FileNameOf -Path $File.Path))
        foreach ($suffix in $script:Companions + $script:SidecarSuffix) {
            $beside = $File.Path + $suffix
            if (Test-Path -LiteralPath $beside) { Move-Item -LiteralPath $beside -Destination (Join-HostPath -Folder $folder -Name (Get-FileNameOf -Path $beside)) }
        }
    }
}

function Get-TrashFolderFor {
    <# .SYNOPSIS A folder of the trash on the file's own volume. #>
    param([hashtable]$World, [string]$Path, [string]$Name)
    $volume = Get-VolumeOf -World $World -Path $Path
    if ($null -eq $volume) { Stop-Operation -Code 'HyperVError' -Message "$Path is on no volume" }
    return Join-HostPath -Folder (Join-HostPath -Folder $volume.Root -Name $script:TrashFolder) -Name $Name
}

function New-Manifest {
    param([hashtable]$Job, [hashtable]$File, [long]$RetentionSeconds)
    $now = [DateTime]::UtcNow
    return [ordered]@{
        originalPath = $File.Path
        owner = $Job.Spec['owner']
        diskId = $File.DiskId
        deletedAt = Get-AgentTime -At $now
        purgeAt = Get-AgentTime -At $now.AddSeconds($RetentionSeconds)
    }
}

function Write-Manifest {
    <# .SYNOPSIS Makes the folder of the trash with its manifest. Inside an effect. #>
    param([string]$Folder, [System.Collections.IDictionary]$Manifest)
    $null = New-Item -ItemType 'Directory' -Path $Folder -Force
    Write-JsonFile -Path (Join-HostPath -Folder $Folder -Name $script:ManifestName) -Value $Manifest
}

function Assert-TrashWritable {
    <# .SYNOPSIS Fails as Move-ToTrash would where its manifest can't be written: one is, and goes at once; what a kill leaves of it the next purge takes. Inside an effect. #>
    param([hashtable]$Job, [hashtable]$File)
    $folder = Get-TrashFolderFor -World (Get-World -Job $Job) -Path $File.Path -Name "$($Job.Id).probe"
    Write-Manifest -Folder $folder -Manifest (New-Manifest -Job $Job -File $File -RetentionSeconds 0)
    Remove-TrashFolder -Path (Join-HostPath -Folder $folder -Name $script:ManifestName)
}

function Get-BareManifest {
    <# .SYNOPSIS Manifests in the trash with no disk beside them: @{Path; Manifest}. The disk was restored, or a delete was cut off. #>
    param([hashtable]$World)
    $used = @{}
    foreach ($entry in (Get-FileTable -World $World).Values) { if ((Test-TrashPath -Path $entry.Path) -and (Test-DiskPath -Path $entry.Path)) { $used[(Get-PathKey -Path (Get-FolderOf -Path $entry.Path))] = $true } }
    foreach ($entry in @($World.Files.Values)) {
        if (-not (Test-TrashPath -Path $entry.Path) -or (Get-FileNameOf -Path $entry.Path) -ne $script:ManifestName) { continue }
        if ($used.ContainsKey((Get-PathKey -Path (Get-FolderOf -Path $entry.Path)))) { continue }
        @{ Path = $entry.Path; Manifest = Get-Manifest -World $World -Path $entry.Path }
    }
}

function Remove-BareManifest {
    param([hashtable]$World, [string]$Uid, [string]$Path)
    foreach ($left in @(Get-BareManifest -World $World)) {
        if ($null -ne $left.Manifest -and $left.Manifest['owner']['uid'] -ceq $Uid -and (Test-SamePath -Path $left.Manifest['originalPath'] -Other $Path)) { Remove-TrashFolder -Path $left.Path }
    }
}

function Remove-TrashFolder {
    <# .SYNOPSIS Removes what lies beside a file of the trash, and the folder. Inside an effect. #>
    param([string]$Path)
    $folder = Get-FolderOf -Path $Path
    if (-not (Test-TrashPath -Path "$folder\x")) { Stop-Operation -Code 'InternalError' -Message "$folder is no folder of the trash" }
    if (Test-Path -LiteralPath $folder) { Remove-Item -LiteralPath $folder -Recurse -Force }
}

function Remove-LeftSidecar {
    <# .SYNOPSIS What an earlier, interrupted delete left undone: the hint beside a file that went. #>
    param([hashtable]$Job)
    $world = Get-World -Job $Job
    $sidecar = Get-Sidecar -World $world -Path $Job.Spec['path']
    if ($null -eq $sidecar -or $sidecar['uid'] -cne $Job.Spec['owner']['uid'] -or $null -ne (Get-FileEntry -World $world -Path $Job.Spec['path'])) { return }
    Invoke-Effect -Job $Job -Point 'sidecarRemoved' -Action { Remove-FileNow -Path ($Job.Spec['path'] + $script:SidecarSuffix) }
}

function Invoke-DiskRestore {
    <# .SYNOPSIS disk.restore: from the trash to its original path, or under a new owner's uid. Never overwrites. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $trash = $spec['trashPath']
    if (-not (Test-TrashPath -Path $trash)) { Stop-Operation -Code 'InvalidRequest' -Message "trashPath: $trash lies in no trash folder" }
    $world = Get-World -Job $Job
    $manifest = Get-Manifest -World $world -Path $trash
    if ($null -eq $manifest) { Stop-Operation -Code 'NotFound' -Message "$trash is not in the trash" }
    $target = $manifest['originalPath']
    $uid = $manifest['owner']['uid']
    if ($null -ne $spec['as']) {
        Assert-PathPart -Text @($spec['as']['name'], $spec['as']['uid'])
        $uid = $spec['as']['uid']
        $target = Join-HostPath -Folder (Get-FolderOf -Path $target) -Name "$($spec['as']['name']).$uid$($target.Substring($target.LastIndexOf('.')))"
    }
    $there = $null -ne (Get-FileEntry -World $world -Path $trash)
    $back = Find-Disk -World $world -Path $target
    if (-not $there -and -not ($null -ne $back -and $back.DiskId -eq $manifest['diskId'])) { Stop-Operation -Code 'NotFound' -Message "$trash is not in the trash" }
    if ($there -and $null -ne $back) { Stop-Operation -Code 'NameConflict' -Message "$target exists already; a restore never overwrites" }
    Add-Touched -Job $Job -Trash $trash
    if ($there) {
        Invoke-Effect -Job $Job -Point 'restored' -Action {
            Assert-NotTaken -Path $target
            Confirm-Folder -Path $target
            Move-Companion -Path $trash -Target $target
            Move-Item -LiteralPath $trash -Destination $target
        }
    }
    Write-Sidecar -Job $Job -Path $target -Uid $uid
    return Get-Created -Job $Job -Path $target
}
