$script:TransientStates = @('Starting', 'Stopping', 'Saving', 'Pausing', 'Resuming', 'Critical', 'Other')

function Assert-NotBusy {
    <# .SYNOPSIS Busy while Hyper-V is at work on the machine. #>
    param([hashtable]$Vm)
    if ($Vm.State -in $script:TransientStates) { Stop-Operation -Code 'Busy' -Message "$($Vm.Name) is $($Vm.State) $($Vm.StateText)".Trim() }
    if ($Vm.Merging) { Stop-Operation -Code 'Busy' -Message "a checkpoint of $($Vm.Name) is being merged" }
}

function Assert-NotSuspended {
    <# .SYNOPSIS Saved and Paused machines take nothing but notes and network settings. #>
    param([hashtable]$Vm, [string]$What)
    Assert-NotBusy -Vm $Vm
    if ($Vm.State -notin 'Saved', 'Paused') { return }
    $first = 'resume'
    if ($Vm.State -eq 'Saved') { $first = 'start' }
    Stop-Operation -Code 'InvalidPowerState' -Message "$What is impossible while $($Vm.Name) is $($Vm.State); $first it first"
}

function Assert-Off {
    param([hashtable]$Vm, [string]$What)
    Assert-NotSuspended -Vm $Vm -What $What
    if ($Vm.State -ne 'Off') { Stop-Operation -Code 'RequiresPowerOff' -Message "$What needs $($Vm.Name) to be off; it is $($Vm.State)" }
}

function Get-NameList {
    param([object[]]$Name)
    $names = @($Name | Where-Object -FilterScript { $null -ne $_ })
    if ($names.Count -eq 0) { return 'none' }
    return $names -join ', '
}

function Get-ClassPath {
    <# .SYNOPSIS The folder of a storage class; StorageClassNotFound lists those there are. #>
    param([hashtable]$World, [System.Collections.IDictionary]$Layout, [string]$Name)
    foreach ($one in @($Layout['storageClasses'])) {
        if ($one['name'] -ceq $Name) { return Get-CheckedFolder -World $World -Path $one['path'] -Code 'StorageClassNotFound' }
    }
    $names = @(foreach ($one in @($Layout['storageClasses'])) { $one['name'] })
    Stop-Operation -Code 'StorageClassNotFound' -Message "no storage class `"$Name`"; there are: $(Get-NameList -Name $names)"
}

function Get-CheckedFolder {
    <# .SYNOPSIS The folder, if it is a local path on a volume of the host. #>
    param([hashtable]$World, [string]$Path, [string]$Code)
    if (-not (Test-LocalPath -Path $Path)) { Stop-Operation -Code $Code -Message "`"$Path`" is no local path; expected a drive letter, as D:\Disks" }
    if ($null -eq (Get-VolumeOf -World $World -Path $Path)) {
        $roots = @(Get-HostVolume -World $World | ForEach-Object -Process { $_.Root })
        Stop-Operation -Code $Code -Message "`"$Path`" lies on no volume of the host; there are: $(Get-NameList -Name $roots)"
    }
    return $Path.TrimEnd('\')
}

function Find-Image {
    <# .SYNOPSIS The path of an image by its name: each image folder in turn, extensions in the given order. #>
    param([hashtable]$World, [System.Collections.IDictionary]$Layout, [string]$Name, [string[]]$Extension)
    foreach ($folder in @($Layout['imagePaths'])) {
        foreach ($one in $Extension) {
            $wanted = Get-PathKey -Path (Join-HostPath -Folder $folder -Name "$Name.$one")
            $files = Get-FileTable -World $World
            # A name that steps into another folder is no name.
            if ((Test-PathPart -Text $Name) -and $files.ContainsKey($wanted)) { return $files[$wanted].Path }
        }
    }
    $all = @(Get-ImageView -World $World -Layout $Layout | Where-Object -FilterScript { $_['format'] -in $Extension } | ForEach-Object -Process { $_['name'] })
    Stop-Operation -Code 'ImageNotFound' -Message "no image `"$Name`" in $(Get-NameList -Name @($Layout['imagePaths'])); there are: $(Get-NameList -Name $all)"
}

function Get-BytesText {
    param([long]$Bytes)
    foreach ($unit in @('Ti', 1099511627776), @('Gi', 1073741824), @('Mi', 1048576), @('Ki', 1024)) {
        if ($Bytes -ge $unit[1]) { return ($Bytes / $unit[1]).ToString('0.##', [Globalization.CultureInfo]::InvariantCulture) + $unit[0] }
    }
    return "$Bytes"
}

function Assert-Space {
    param([hashtable]$World, [string]$Path, [long]$Bytes)
    $volume = Get-VolumeOf -World $World -Path $Path
    if ($null -eq $volume) { Stop-Operation -Code 'StorageClassNotFound' -Message "`"$Path`" lies on no volume of the host" }
    if ($Bytes -gt $volume.Free) {
        Stop-Operation -Code 'InsufficientStorage' -Message "$(Get-BytesText -Bytes $Bytes) are needed on $($volume.Root), $(Get-BytesText -Bytes $volume.Free) are free"
    }
}

function Assert-Memory {
    param([hashtable]$Vm, [long]$Bytes)
    $free = Get-AvailableMemory
    if ($Bytes -gt $free) {
        Stop-Operation -Code 'InsufficientMemory' -Message "$($Vm.Name) needs $(Get-BytesText -Bytes $Bytes) of memory, $(Get-BytesText -Bytes $free) are available"
    }
}

function Assert-NoCheckpoint {
    <# .SYNOPSIS Refuses a file with checkpoints, which are its .avhdx children. #>
    param([hashtable]$World, [hashtable]$File)
    foreach ($holder in @(Get-Holder -World $World -Path $File.Path)) {
        if ($holder.Vm.Merging -and $null -ne $holder.Disk -and (Test-CheckpointPath -Path $holder.Disk.Path)) {
            Stop-Operation -Code 'Busy' -Message "a checkpoint of $($holder.Vm.Name) is being merged into $($File.Path)"
        }
        if ($null -ne $holder.Disk -and -not $holder.Direct -and (Test-CheckpointPath -Path $holder.Disk.Path) -and (Test-OwnFile -World $World -Disk $holder.Disk -Path $File.Path)) {
            Stop-Operation -Code 'DiskHasCheckpoints' -Message "$($File.Path) has the checkpoint file $($holder.Disk.Path)"
        }
    }
    foreach ($child in @(Get-Child -World $World -Path $File.Path)) {
        if (Test-CheckpointPath -Path $child.Path) { Stop-Operation -Code 'DiskHasCheckpoints' -Message "$($File.Path) has the checkpoint file $($child.Path)" }
    }
}

function Test-OwnFile {
    <# .SYNOPSIS Whether the path is the drive's own disk: the first of its chain that is no checkpoint's file. #>
    param([hashtable]$World, [hashtable]$Disk, [string]$Path)
    foreach ($part in @(Get-DiskChain -World $World -Path $Disk.Path)) {
        if (-not (Test-CheckpointPath -Path $part.Path)) { return Test-SamePath -Path $part.Path -Other $Path }
    }
    return $false
}

function Assert-NoChild {
    param([hashtable]$World, [hashtable]$File)
    foreach ($child in @(Get-Child -World $World -Path $File.Path)) {
        if (-not (Test-CheckpointPath -Path $child.Path)) { Stop-Operation -Code 'DiskHasChildren' -Message "$($child.Path) has $($File.Path) as its parent" }
    }
}

function Assert-NotOpen {
    <# .SYNOPSIS DiskInUse while a program other than Hyper-V for a running machine has the file open. #>
    param([hashtable]$World, [hashtable]$File)
    $running = @(Get-Holder -World $World -Path $File.Path | Where-Object -FilterScript { $_.Vm.State -ne 'Off' -or $_.Vm.Merging })
    if ($running.Count -eq 0 -and -not (Test-OpenAlone -Path $File.Path)) { Stop-Operation -Code 'DiskInUse' -Message "$($File.Path) is open by another program (a backup?)" }
}

function Assert-NotShared {
    param([hashtable]$File)
    if ($File.Path -match '\.vhds\z') { Stop-Operation -Code 'DiskShared' -Message "$($File.Path) is a shared disk" }
}

function Assert-NotAttached {
    <# .SYNOPSIS Refuses a file that any machine refers to. #>
    param([hashtable]$World, [hashtable]$File)
    foreach ($holder in @(Get-Holder -World $World -Path $File.Path)) {
        $how = 'a parent of a disk of'
        if ($holder.Direct) { $how = 'attached to' }
        elseif ($null -eq $holder.Disk) { $how = 'held by a checkpoint of' }
        Stop-Operation -Code 'DiskInUse' -Message "$($File.Path) is $how $($holder.Vm.Name)"
    }
}

function Assert-DiskSize {
    param([long]$Size, [string]$Format)
    $maximum = [long]70368744177664
    if ($Format -eq 'VHD') { $maximum = [long]2190433320960 }
    if ($Size -lt 3145728 -or $Size -gt $maximum) { Stop-Operation -Code 'InvalidRequest' -Message "size: $Size is outside 3145728 to $maximum for $Format" }
    if ($Size % 512 -ne 0) { Stop-Operation -Code 'InvalidRequest' -Message "size: $Size is no multiple of 512" }
}
