function Invoke-DvdAttach {
    <# .SYNOPSIS dvd.attach: a drive (at the place, or the first free one) that holds the image, or nothing. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    Add-Touched -Job $Job -Vm $spec['vmId']
    $vm = Get-OwnedVm -Job $Job -Owner $spec['owner'] -Id $spec['vmId']
    $world = Get-World -Job $Job
    $view = Get-VmView -World $world -Id $vm.Id
    $medium = ''
    if ($null -ne $spec['image']) {
        $medium = Find-Image -World $world -Layout $spec['layout'] -Name $spec['image'] -Extension @('iso')
    }
    $drive = Find-DvdDrive -View $view -Spec $spec -Medium $medium
    $holds = $null -ne $drive -and (Test-SamePath -Path ([string]$drive['path']) -Other $medium)
    if (-not $holds) { Assert-NotSuspended -Vm $vm -What 'changing a DVD drive' }
    $place = $drive
    if ($null -eq $drive) {
        $place = Get-NewDvdPlace -World $world -Vm $vm -View $view -Spec $spec
        Invoke-Effect -Job $Job -Point 'driveAdded' -Action {
            Add-MissingController -Id $vm.Id -Place $place
            Hyper-V\Add-VMDvdDrive -VM (Get-VmObject -Id $vm.Id) -ControllerNumber ([int]$place['controllerNumber']) -ControllerLocation ([int]$place['controllerLocation']) -ErrorAction 'Stop'
        }
    }
    if (-not $holds -and -not ($null -eq $drive -and $medium -eq '')) { Invoke-Effect -Job $Job -Point 'medium' -Action { Set-Medium -Id $vm.Id -Place $place -Path $medium } }
    return [ordered]@{ controllerType = $place['controllerType']; controllerNumber = $place['controllerNumber']; controllerLocation = $place['controllerLocation'] }
}

function Find-DvdDrive {
    <# .SYNOPSIS The drive at the place; else one with the medium, else an empty one. #>
    param([System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Spec, [string]$Medium)
    $drives = @($View['dvdDrives'])
    if ($null -ne $Spec['controllerNumber'] -and $null -ne $Spec['controllerLocation']) {
        foreach ($one in $drives) { if ($one['controllerNumber'] -eq $Spec['controllerNumber'] -and $one['controllerLocation'] -eq $Spec['controllerLocation']) { return $one } }
        return $null
    }
    foreach ($one in $drives) { if (Test-SamePath -Path ([string]$one['path']) -Other $Medium) { return $one } }
    foreach ($one in $drives) { if ($null -eq $one['path']) { return $one } }
    return $null
}

function Get-NewDvdPlace {
    param([hashtable]$World, [hashtable]$Vm, [System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Spec)
    $type = 'SCSI'
    if ($Vm.Generation -eq 1) { $type = 'IDE' }
    $place = Get-WantedPlace -World $World -View $View -Type $type -Number $Spec['controllerNumber'] -Location $Spec['controllerLocation']
    $taken = Get-TakenBy -View $View -Place $place
    if ($null -ne $taken) { Stop-Operation -Code 'DiskInUse' -Message "$(Get-PlaceText -Place $place) of $($Vm.Name) holds $taken already" }
    if ($Vm.Generation -eq 1) { Assert-Off -Vm $Vm -What 'adding a DVD drive' }
    elseif ($place['controllerNumber'] -ge (Get-ScsiCount -World $World -Id $Vm.Id)) { Assert-Off -Vm $Vm -What "adding SCSI controller $($place['controllerNumber'])" }
    return $place
}

function Set-Medium {
    <# .SYNOPSIS Puts a medium in, or takes it out with ''. Inside an effect. #>
    param([string]$Id, [System.Collections.IDictionary]$Place, [string]$Path)
    $value = $null
    if ($Path -ne '') { $value = $Path }
    Hyper-V\Set-VMDvdDrive -VMDvdDrive (Get-DvdObject -Id $Id -Place $Place) -Path $value -ErrorAction 'Stop'
}

function Invoke-DvdEject {
    <# .SYNOPSIS dvd.eject: takes the medium out; removes the drive when asked. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    Add-Touched -Job $Job -Vm $spec['vmId']
    $vm = Get-OwnedVm -Job $Job -Owner $spec['owner'] -Id $spec['vmId']
    $drive = Find-DvdDrive -View (Get-VmView -World (Get-World -Job $Job) -Id $vm.Id) -Spec $spec -Medium ''
    if ($null -eq $drive) { return }
    Assert-NotSuspended -Vm $vm -What 'changing a DVD drive'
    if ($spec['removeDrive'] -and $vm.Generation -eq 1) { Assert-Off -Vm $vm -What 'removing an IDE DVD drive' }
    if ($null -ne $drive['path']) { Invoke-Effect -Job $Job -Point 'ejected' -Action { Set-Medium -Id $vm.Id -Place $drive -Path '' } }
    if ($spec['removeDrive']) { Invoke-Effect -Job $Job -Point 'driveRemoved' -Action { Hyper-V\Remove-VMDvdDrive -VMDvdDrive (Get-DvdObject -Id $vm.Id -Place $drive) -ErrorAction 'Stop' } }
}
