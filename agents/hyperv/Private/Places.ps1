function Get-PlaceText {
    param([System.Collections.IDictionary]$Place)
    return "$($Place['controllerType']) $($Place['controllerNumber']):$($Place['controllerLocation'])"
}

function Test-SamePlace {
    param([System.Collections.IDictionary]$Place, [System.Collections.IDictionary]$Other)
    return (Get-PlaceText -Place $Place) -ceq (Get-PlaceText -Place $Other)
}

function Get-TakenBy {
    <# .SYNOPSIS What is at the place: a path, '' for an empty DVD drive, $null when it is free. #>
    param([System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Place)
    foreach ($one in @($View['disks']) + @($View['dvdDrives'])) {
        if (-not (Test-SamePlace -Place $one -Other $Place)) { continue }
        if ($null -eq $one['path']) { return '' }
        return $one['path']
    }
    return $null
}

function Get-ScsiCount {
    <# .SYNOPSIS How many SCSI controllers the machine has. #>
    param([hashtable]$World, [string]$Id)
    return (Get-ControllerTable -World $World -Id $Id).Scsi
}

function Get-WantedPlace {
    <# .SYNOPSIS The place asked for, or the first free one of what is left open. A running machine gets no further SCSI controller by itself. #>
    param([hashtable]$World, [System.Collections.IDictionary]$View, [string]$Type, $Number, $Location)
    if ($Type -eq 'IDE' -and $View['generation'] -eq 2) { Stop-Operation -Code 'InvalidRequest' -Message "$($View['name']): a machine of generation 2 has no IDE controller" }
    $numbers = 4
    $locations = 64
    if ($Type -eq 'IDE') { $numbers = 2; $locations = 2 }
    if (($null -ne $Number -and $Number -ge $numbers) -or ($null -ne $Location -and $Location -ge $locations)) {
        Stop-Operation -Code 'InvalidRequest' -Message "$Type has the controllers 0 to $($numbers - 1) and the locations 0 to $($locations - 1)"
    }
    if ($null -ne $Number -and $null -ne $Location) { return [ordered]@{ controllerType = $Type; controllerNumber = $Number; controllerLocation = $Location } }
    $present = $numbers
    if ($Type -eq 'SCSI' -and $View['state'] -ne 'Off') { $present = Get-ScsiCount -World $World -Id $View['id'] }
    for ($n = 0; $n -lt $present; $n++) {
        if ($null -ne $Number -and $n -ne $Number) { continue }
        for ($l = 0; $l -lt $locations; $l++) {
            if ($null -ne $Location -and $l -ne $Location) { continue }
            $place = [ordered]@{ controllerType = $Type; controllerNumber = [long]$n; controllerLocation = [long]$l }
            if ($null -eq (Get-TakenBy -View $View -Place $place)) { return $place }
        }
    }
    Stop-Operation -Code 'DiskInUse' -Message "$($View['name']) has no free $Type place"
}

function Add-MissingController {
    <# .SYNOPSIS SCSI controllers up to the place's number. Inside an effect. #>
    param([string]$Id, [System.Collections.IDictionary]$Place)
    if ($Place['controllerType'] -ne 'SCSI') { return }
    $vm = Get-VmObject -Id $Id
    $present = @(Hyper-V\Get-VMScsiController -VM $vm -ErrorAction 'Stop').Count
    for ($n = $present; $n -le $Place['controllerNumber']; $n++) { Hyper-V\Add-VMScsiController -VM $vm -ErrorAction 'Stop' }
}

function Get-DriveObject {
    <# .SYNOPSIS Hyper-V's object of the hard disk drive at a place. #>
    param([string]$Id, [System.Collections.IDictionary]$Place)
    $at = @{ ControllerType = $Place['controllerType']; ControllerNumber = $Place['controllerNumber']; ControllerLocation = $Place['controllerLocation'] }
    $drive = @(Hyper-V\Get-VMHardDiskDrive -VM (Get-VmObject -Id $Id) @at -ErrorAction 'Stop')
    if ($drive.Count -ne 1) { Stop-Operation -Code 'NotFound' -Message "no hard disk drive at $(Get-PlaceText -Place $Place)" }
    return $drive[0]
}

function Get-DvdObject {
    <# .SYNOPSIS Hyper-V's object of the DVD drive at a place. #>
    param([string]$Id, [System.Collections.IDictionary]$Place)
    $at = @{ ControllerNumber = $Place['controllerNumber']; ControllerLocation = $Place['controllerLocation'] }
    $drive = @(Hyper-V\Get-VMDvdDrive -VM (Get-VmObject -Id $Id) @at -ErrorAction 'Stop')
    if ($drive.Count -ne 1) { Stop-Operation -Code 'NotFound' -Message "no DVD drive at $(Get-PlaceText -Place $Place)" }
    return $drive[0]
}
