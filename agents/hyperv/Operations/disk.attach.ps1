function Invoke-DiskAttach {
    <# .SYNOPSIS disk.attach: at the place asked for, else where it is already, else the first free one; sets QoS. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $vm = Get-OwnedVm -Job $Job -Owner $spec['vmOwner'] -Id $spec['vmId']
    $file = Get-OwnedDisk -Job $Job
    $world = Get-World -Job $Job
    Add-Touched -Job $Job -Vm $vm.Id -Disk @($file.Path) -WithDisks
    Assert-Attachable -World $world -File $file -Vm $vm
    $view = Get-VmView -World $world -Id $vm.Id
    $present = Find-Drive -View $view -Path $file.Path
    $place = Get-AttachPlace -World $world -View $view -Present $present -Spec $spec
    $qos = Get-WantedQos -Drive $present -Wanted $spec
    $stays = $null -ne $present -and (Test-SamePlace -Place $present -Other $place)
    if ($stays) { Set-Qos -Job $Job -Id $vm.Id -Drive $present -Qos $qos; return }
    Assert-FreePlace -World $world -Vm $vm -View $view -Place $place -Path $file.Path
    if ($null -ne $present) {
        Assert-NoCheckpoint -World $world -File $file
        Assert-Off -Vm $vm -What "moving the disk to $(Get-PlaceText -Place $place)"
        Invoke-Effect -Job $Job -Point 'detached' -Action { Hyper-V\Remove-VMHardDiskDrive -VMHardDiskDrive (Get-DriveObject -Id $vm.Id -Place $present) -ErrorAction 'Stop' }
    }
    Invoke-Effect -Job $Job -Point 'attached' -Action {
        Add-MissingController -Id $vm.Id -Place $place
        $options = @{ ControllerType = $place['controllerType']; ControllerNumber = [int]$place['controllerNumber']; ControllerLocation = [int]$place['controllerLocation']; Path = $file.Path }
        if ($qos.Minimum -gt 0) { $options['MinimumIOPS'] = [UInt64]$qos.Minimum }
        if ($qos.Maximum -gt 0) { $options['MaximumIOPS'] = [UInt64]$qos.Maximum }
        Hyper-V\Add-VMHardDiskDrive -VM (Get-VmObject -Id $vm.Id) @options -ErrorAction 'Stop'
    }
}

function Assert-Attachable {
    param([hashtable]$World, [hashtable]$File, [hashtable]$Vm)
    Assert-NotOpen -World $World -File $File
    Assert-NoChild -World $World -File $File
    if ($Vm.Generation -eq 2 -and $File.Format -eq 'VHD') { Stop-Operation -Code 'InvalidRequest' -Message "$($File.Path): a machine of generation 2 takes VHDX only" }
    foreach ($holder in @(Get-Holder -World $World -Path $File.Path)) {
        if ($holder.Vm.Id -ne $Vm.Id) { Stop-Operation -Code 'DiskInUse' -Message "$($File.Path) is attached to $($holder.Vm.Name)" }
    }
}

function Find-Drive {
    <# .SYNOPSIS The drive whose chain holds the file; $null when none does. #>
    param([System.Collections.IDictionary]$View, [string]$Path)
    foreach ($drive in @($View['disks'])) {
        if (@(@($drive['chain']) | Where-Object -FilterScript { Test-SamePath -Path $_ -Other $Path }).Count -gt 0) { return $drive }
    }
    return $null
}

function Get-AttachPlace {
    param([hashtable]$World, [System.Collections.IDictionary]$View, $Present, [System.Collections.IDictionary]$Spec)
    if ($null -ne $Present -and $Present['controllerType'] -eq $Spec['controllerType'] -and
        (Get-First -Of @($Spec['controllerNumber'], $Present['controllerNumber'])) -eq $Present['controllerNumber'] -and
        (Get-First -Of @($Spec['controllerLocation'], $Present['controllerLocation'])) -eq $Present['controllerLocation']) { return $Present }
    return Get-WantedPlace -World $World -View $View -Type $Spec['controllerType'] -Number $Spec['controllerNumber'] -Location $Spec['controllerLocation']
}

function Assert-FreePlace {
    param([hashtable]$World, [hashtable]$Vm, [System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Place, [string]$Path)
    $text = Get-PlaceText -Place $Place
    $taken = Get-TakenBy -View $View -Place $Place
    if ($null -ne $taken -and -not (Test-SamePath -Path $taken -Other $Path)) {
        if ($taken -eq '') { $taken = 'a DVD drive' }
        Stop-Operation -Code 'DiskInUse' -Message "$text of $($Vm.Name) holds $taken already"
    }
    if ($Place['controllerType'] -eq 'IDE') { Assert-Off -Vm $Vm -What "attaching at $text" }
    elseif ($Place['controllerNumber'] -ge (Get-ScsiCount -World $World -Id $Vm.Id)) { Assert-Off -Vm $Vm -What "adding SCSI controller $($Place['controllerNumber'])" }
    Assert-NotSuspended -Vm $Vm -What 'attaching a disk'
}

function Get-WantedQos {
    <# .SYNOPSIS IOPS limits as they are to be, 0 = none. #>
    param($Drive, [System.Collections.IDictionary]$Wanted)
    if ($null -eq $Drive) { $Drive = @{} }
    $qos = @{ Minimum = [long](Get-First -Of @($Wanted['minIOPS'], $Drive['minIOPS'], 0)); Maximum = [long](Get-First -Of @($Wanted['maxIOPS'], $Drive['maxIOPS'], 0)) }
    if ($qos.Maximum -gt 0 -and $qos.Minimum -gt $qos.Maximum) { Stop-Operation -Code 'InvalidRequest' -Message "minIOPS $($qos.Minimum) is above maxIOPS $($qos.Maximum)" }
    return $qos
}

function Set-Qos {
    <# .SYNOPSIS Sets the limits of the drive, if they differ. #>
    param([hashtable]$Job, [string]$Id, [System.Collections.IDictionary]$Drive, [hashtable]$Qos)
    $now = Get-WantedQos -Drive $Drive -Wanted (New-JsonMap)
    if ($now.Minimum -eq $Qos.Minimum -and $now.Maximum -eq $Qos.Maximum) { return }
    Invoke-Effect -Job $Job -Point 'qos' -Action {
        Hyper-V\Set-VMHardDiskDrive -VMHardDiskDrive (Get-DriveObject -Id $Id -Place $Drive) -MinimumIOPS ([UInt64]$Qos.Minimum) -MaximumIOPS ([UInt64]$Qos.Maximum) -ErrorAction 'Stop'
    }
}

function Invoke-DiskDetach {
    <# .SYNOPSIS disk.detach. A running machine's disk stays unless allowed: removal there is a surprise removal; its boot disk always stays. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $vm = Get-OwnedVm -Job $Job -Owner $spec['vmOwner'] -Id $spec['vmId']
    $world = Get-World -Job $Job
    Add-Touched -Job $Job -Vm $vm.Id -Disk @($spec['path']) -WithDisks
    $file = Find-OwnedDisk -Job $Job
    $view = Get-VmView -World $world -Id $vm.Id
    $drive = Find-Drive -View $view -Path $spec['path']
    if ($null -eq $drive) { return }
    if ($null -eq $file) { Assert-Off -Vm $vm -What 'detaching a disk whose file is missing' }
    else { Assert-Detachable -Job $Job -World $world -Vm $vm -View $view -Drive $drive -File $file }
    Invoke-Effect -Job $Job -Point 'detached' -Action { Hyper-V\Remove-VMHardDiskDrive -VMHardDiskDrive (Get-DriveObject -Id $vm.Id -Place $drive) -ErrorAction 'Stop' }
}

function Assert-Detachable {
    param([hashtable]$Job, [hashtable]$World, [hashtable]$Vm, [System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Drive, [hashtable]$File)
    Assert-NoCheckpoint -World $World -File $File
    if (-not (Test-SamePath -Path $Drive['path'] -Other $File.Path)) { Stop-Operation -Code 'DiskHasChildren' -Message "$($Drive['path']) on $($Vm.Name) has $($File.Path) as its parent" }
    Assert-NotSuspended -Vm $Vm -What 'detaching a disk'
    if ($Vm.State -eq 'Off') { return }
    if ($Drive['controllerType'] -eq 'IDE') { Assert-Off -Vm $Vm -What 'detaching an IDE disk' }
    if (Test-BootDrive -View $View -Drive $Drive) { Assert-Off -Vm $Vm -What 'detaching the boot disk' }
    if (-not $Job.Spec['allowRunning']) { Assert-Off -Vm $Vm -What 'detaching a disk (a surprise removal with no flush)' }
}

function Test-BootDrive {
    <# .SYNOPSIS Whether the machine boots from the drive: the first disk of its boot order, IDE 0:0 on generation 1. #>
    param([System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Drive)
    if ($View['generation'] -eq 1) { return (Get-PlaceText -Place $Drive) -eq 'IDE 0:0' }
    foreach ($entry in @($View['bootOrder'])) { if ($entry['type'] -eq 'Disk') { return Test-SamePlace -Place $entry -Other $Drive } }
    return $false
}
