$script:SecureBootTemplates = @{
    '1734c6e8-3154-4dda-ba5f-a874cc483422' = 'MicrosoftWindows'
    '272e7447-90a4-4563-a4b9-8e4ab00526ce' = 'MicrosoftUEFICertificateAuthority'
    '4292ae2b-ee2c-42b5-a969-dd8f8689f6f3' = 'OpenSourceShieldedVM'
}
$script:StartActions = @{ 2 = 'Nothing'; 3 = 'StartIfRunning'; 4 = 'Start' }
$script:StopActions = @{ 2 = 'TurnOff'; 3 = 'Save'; 4 = 'ShutDown' }
$script:CheckpointTypes = @{ 2 = 'Disabled'; 3 = 'Production'; 4 = 'ProductionOnly'; 5 = 'Standard' }
$script:BootClasses = @{ 0 = 'Other'; 1 = 'DVD'; 2 = 'Disk'; 3 = 'NetworkAdapter' }
$script:MiB = [long]1048576

function Get-VmView {
    <# .SYNOPSIS A machine as the protocol shows it (VmState), joined from CIM rows by InstanceID. #>
    param([hashtable]$World, [string]$Id)
    if ($World.Views.ContainsKey($Id)) { return $World.Views[$Id] }
    $vm = Get-KnownVm -World $World -Id $Id
    if ($null -eq $vm.Setting) { Stop-Operation -Code 'Busy' -Message "$($vm.Name) ($Id) is coming or going: it has no settings now" }
    foreach ($class in 'Msvm_ProcessorSettingData', 'Msvm_MemorySettingData') {
        # Every machine has them: defaults in their place would look like drift.
        if ($null -eq (Get-FirstRow -World $World -Class $class -Id $Id)) { Stop-Operation -Code 'Busy' -Message "$($vm.Name) ($Id) is coming or going: it has no $class now" }
    }
    $setting = $vm.Setting
    $guest = Get-GuestView -World $World -Vm $vm
    $view = [ordered]@{ id = $Id; name = $vm.Name }
    if ($null -ne $vm.Stamp) { $view['stamp'] = $vm.Stamp }
    $view['notes'] = $vm.Notes
    $view['generation'] = $vm.Generation
    $view['version'] = [string](Get-RowValue -Row $setting -Name 'Version' -Default '')
    $view['state'] = $vm.State
    if ($vm.StateText -ne '') { $view['stateText'] = $vm.StateText }
    $started = Get-StartTime -World $World -Vm $vm
    if ($started -ne '') { $view['startedAt'] = $started }
    $view['path'] = [string](Get-RowValue -Row $setting -Name 'ConfigurationDataRoot' -Default '?')
    $view['cpu'] = Get-CpuView -Row (Get-FirstRow -World $World -Class 'Msvm_ProcessorSettingData' -Id $Id)
    $view['memory'] = Get-MemoryView -World $World -Vm $vm
    if ($vm.Generation -eq 2) { $view['firmware'] = Get-FirmwareView -Setting $setting }
    $view['tpm'] = [bool](Get-RowValue -Row (Get-FirstRow -World $World -Class 'Msvm_SecuritySettingData' -Id $Id) -Name 'TpmEnabled' -Default $false)
    $view['integrationServices'] = Get-ServiceView -World $World -Id $Id
    $view['automaticStartAction'] = Get-Mapped -Table $script:StartActions -Row $setting -Name 'AutomaticStartupAction' -Default 'Nothing'
    $view['automaticStopAction'] = Get-Mapped -Table $script:StopActions -Row $setting -Name 'AutomaticShutdownAction' -Default 'Save'
    $view['automaticStartDelaySeconds'] = Get-DelaySeconds -Value (Get-RowValue -Row $setting -Name 'AutomaticStartupActionDelay')
    $view['checkpointType'] = Get-Mapped -Table $script:CheckpointTypes -Row $setting -Name 'UserSnapshotType' -Default 'Standard'
    $view['automaticCheckpoints'] = [bool](Get-RowValue -Row $setting -Name 'AutomaticSnapshotsEnabled' -Default $false)
    $places = Get-ControllerTable -World $World -Id $Id
    $adapters = @(Get-AdapterView -World $World -Vm $vm)
    $view['bootOrder'] = @(Get-BootView -World $World -Vm $vm -Controllers $places)
    $view['disks'] = @(foreach ($disk in $vm.Disks) { Get-AttachedView -World $World -Controllers $places -Disk $disk })
    $view['dvdDrives'] = @(Get-DvdView -World $World -Vm $vm -Controllers $places)
    $view['adapters'] = $adapters
    $view['checkpoints'] = @(foreach ($row in $vm.Checkpoints) { Get-CheckpointView -Row $row })
    $view['merging'] = $vm.Merging
    $view['heartbeat'] = $guest.Heartbeat
    $view['replica'] = $vm.Replica
    $view['clustered'] = $vm.Clustered
    if ($null -ne $guest.Said) { $view['guest'] = $guest.Said }
    if ($null -ne $guest.Kvp) { $view['kvp'] = $guest.Kvp }
    $World.Views[$Id] = $view
    return $view
}

function Get-Mapped {
    param([hashtable]$Table, $Row, [string]$Name, [string]$Default)
    $number = [int](Get-RowValue -Row $Row -Name $Name -Default -1)
    if ($Table.ContainsKey($number)) { return $Table[$number] }
    return $Default
}

function Get-DelaySeconds {
    param($Value)
    if ($null -eq $Value) { return [long]0 }
    if ($Value -is [TimeSpan]) { return [long]$Value.TotalSeconds }
    # CIM's interval: ddddddddHHMMSS.mmmmmm:000
    if ([string]$Value -match '\A(\d{8})(\d\d)(\d\d)(\d\d)\.') { return [long]$Matches[1] * 86400 + [long]$Matches[2] * 3600 + [long]$Matches[3] * 60 + [long]$Matches[4] }
    return [long]0
}

function Get-StartTime {
    <#
    .SYNOPSIS When the present boot began; '' when off.
    .DESCRIPTION Computed from OnTimeInMilliseconds, which wavers: within 10 s of what was told before, that is told again.
    #>
    param([hashtable]$World, [hashtable]$Vm)
    if ($Vm.State -in 'Off', 'Critical', 'Other') { return '' }
    $on = [long](Get-RowValue -Row $Vm.System -Name 'OnTimeInMilliseconds' -Default 0)
    if ($on -le 0) { return '' }
    $at = $World.ReadAt.AddMilliseconds(-$on)
    $kept = Get-KeptStart -Id $Vm.Id
    if ($null -ne $kept -and [Math]::Abs(($kept - $at).TotalSeconds) -lt 10) { $at = $kept }
    else { Set-KeptStart -Id $Vm.Id -At $at }
    return Get-AgentTime -At $at
}

function Get-CpuView {
    param($Row)
    return [ordered]@{
        count = [long](Get-RowValue -Row $Row -Name 'VirtualQuantity' -Default 1)
        reservePercent = [long][Math]::Round([double](Get-RowValue -Row $Row -Name 'Reservation' -Default 0) / 1000)
        limitPercent = [long][Math]::Round([double](Get-RowValue -Row $Row -Name 'Limit' -Default 100000) / 1000)
        relativeWeight = [long](Get-RowValue -Row $Row -Name 'Weight' -Default 100)
        exposeVirtualizationExtensions = [bool](Get-RowValue -Row $Row -Name 'ExposeVirtualizationExtensions' -Default $false)
        compatibilityMode = [bool](Get-RowValue -Row $Row -Name 'LimitProcessorFeatures' -Default $false)
    }
}

function Get-MemoryView {
    param([hashtable]$World, [hashtable]$Vm)
    $row = Get-FirstRow -World $World -Class 'Msvm_MemorySettingData' -Id $Vm.Id
    $view = [ordered]@{ startupBytes = [long](Get-RowValue -Row $row -Name 'VirtualQuantity' -Default 0) * $script:MiB }
    if ([bool](Get-RowValue -Row $row -Name 'DynamicMemoryEnabled' -Default $false)) {
        $view['dynamic'] = [ordered]@{
            minimumBytes = [long](Get-RowValue -Row $row -Name 'Reservation' -Default 0) * $script:MiB
            maximumBytes = [long](Get-RowValue -Row $row -Name 'Limit' -Default 0) * $script:MiB
            bufferPercent = [long](Get-RowValue -Row $row -Name 'TargetMemoryBuffer' -Default 20)
        }
    }
    $view['weight'] = [long](Get-RowValue -Row $row -Name 'Weight' -Default 5000)
    if ($Vm.State -notin 'Off', 'Saved') {
        $given = Get-FirstRow -World $World -Class 'Msvm_Memory' -Id $Vm.Id
        $blocks = [long](Get-RowValue -Row $given -Name 'NumberOfBlocks' -Default 0)
        if ($blocks -gt 0) { $view['assignedBytes'] = $blocks * [long](Get-RowValue -Row $given -Name 'BlockSize' -Default $script:MiB) }
    }
    return $view
}

function Get-FirmwareView {
    param($Setting)
    $view = [ordered]@{ secureBoot = [bool](Get-RowValue -Row $Setting -Name 'SecureBootEnabled' -Default $false) }
    $template = ([string](Get-RowValue -Row $Setting -Name 'SecureBootTemplateId' -Default '')).ToLowerInvariant().Trim('{', '}')
    if ($script:SecureBootTemplates.ContainsKey($template)) { $view['secureBootTemplate'] = $script:SecureBootTemplates[$template] }
    return $view
}

function Get-ServiceView {
    param([hashtable]$World, [string]$Id)
    $view = [ordered]@{}
    $classes = [ordered]@{
        guestServiceInterface = 'GuestServiceInterface'; heartbeat = 'Heartbeat'; keyValuePairExchange = 'KvpExchange'
        shutdown = 'Shutdown'; timeSynchronization = 'TimeSync'; vss = 'Vss'
    }
    foreach ($field in $classes.Keys) {
        $row = Get-FirstRow -World $World -Class "Msvm_$($classes[$field])ComponentSettingData" -Id $Id
        $view[$field] = [int](Get-RowValue -Row $row -Name 'EnabledState' -Default 3) -eq 2
    }
    return $view
}

function Get-ControllerTable {
    <# .SYNOPSIS Controllers by their GUID (and address for IDE): type and number. SCSI controllers are numbered in the order of their coming. #>
    param([hashtable]$World, [string]$Id)
    $table = @{ Scsi = 0 }
    foreach ($row in @(Get-DetailRow -World $World -Class 'Msvm_ResourceAllocationSettingData' -Id $Id)) {
        $kind = [string](Get-RowValue -Row $row -Name 'ResourceSubType' -Default '')
        $parts = ([string]$row.InstanceID).Split('\')
        if ($kind -eq 'Microsoft:Hyper-V:Synthetic SCSI Controller') {
            $table["$($parts[1])\0".ToLowerInvariant()] = @{ Type = 'SCSI'; Number = $table.Scsi }
            $table.Scsi += 1
        }
        elseif ($kind -eq 'Microsoft:Hyper-V:Emulated IDE Controller') {
            $table["$($parts[1])\$($parts[2])".ToLowerInvariant()] = @{ Type = 'IDE'; Number = [int]$parts[2] }
        }
    }
    return $table
}

function Get-Place {
    param([hashtable]$Controllers, [string]$Controller, [int]$Address, [int]$Location)
    $found = $Controllers["$Controller\$Address".ToLowerInvariant()]
    if ($null -eq $found) { return $null }
    return [ordered]@{ controllerType = $found.Type; controllerNumber = [long]$found.Number; controllerLocation = [long]$Location }
}

function Get-AttachedView {
    param([hashtable]$World, [hashtable]$Controllers, [hashtable]$Disk)
    $view = Get-Place -Controllers $Controllers -Controller $Disk.Controller -Address $Disk.Address -Location $Disk.Location
    if ($null -eq $view) { return }
    $chain = @(Get-DiskChain -World $World -Path $Disk.Path)
    $own = $null
    foreach ($part in $chain) { if (-not (Test-CheckpointPath -Path $part.Path)) { $own = $part; break } }
    $view['path'] = $Disk.Path
    $view['file'] = $Disk.Path
    $view['chain'] = @($Disk.Path)
    if ($chain.Count -gt 0) { $view['chain'] = @($chain | ForEach-Object -Process { $_.Path }) }
    if ($null -ne $own) {
        $view['file'] = $own.Path
        if ($own.DiskId -ne '') { $view['diskId'] = $own.DiskId }
    }
    if ($Disk.MinIops -gt 0) { $view['minIOPS'] = $Disk.MinIops }
    if ($Disk.MaxIops -gt 0) { $view['maxIOPS'] = $Disk.MaxIops }
    return $view
}

function Get-DvdView {
    param([hashtable]$World, [hashtable]$Vm, [hashtable]$Controllers)
    foreach ($row in @(Get-DetailRow -World $World -Class 'Msvm_ResourceAllocationSettingData' -Id $Vm.Id)) {
        if ([string](Get-RowValue -Row $row -Name 'ResourceSubType' -Default '') -ne 'Microsoft:Hyper-V:Synthetic DVD Drive') { continue }
        $parts = ([string]$row.InstanceID).Split('\')
        $view = Get-Place -Controllers $Controllers -Controller $parts[1] -Address ([int]$parts[2]) -Location ([int]$parts[3])
        if ($null -eq $view) { continue }
        $medium = @($Vm.Media | Where-Object -FilterScript { $_.Controller -eq $parts[1] -and $_.Address -eq [int]$parts[2] -and $_.Location -eq [int]$parts[3] })
        if ($medium.Count -gt 0 -and $medium[0].Path -ne '') { $view['path'] = $medium[0].Path }
        $view
    }
}

function Get-BootView {
    <# .SYNOPSIS Generation 1: classes of devices. Generation 2: devices, told from the firmware paths of the boot sources. #>
    param([hashtable]$World, [hashtable]$Vm, [hashtable]$Controllers)
    if ($Vm.Generation -eq 1) {
        foreach ($number in @(Get-RowValue -Row $Vm.Setting -Name 'BootOrder' -Default @())) {
            if ($script:BootClasses.ContainsKey([int]$number)) { [ordered]@{ type = $script:BootClasses[[int]$number] } }
        }
        return
    }
    $sources = @{}
    foreach ($row in @(Get-DetailRow -World $World -Class 'Msvm_BootSourceSettingData' -Id $Vm.Id)) { $sources[([string]$row.InstanceID).ToLowerInvariant()] = $row }
    $dvds = @(Get-DvdView -World $World -Vm $Vm -Controllers $Controllers)
    foreach ($reference in @(Get-RowValue -Row $Vm.Setting -Name 'BootSourceOrder' -Default @())) {
        $key = (Get-ReferenceId -Reference $reference).ToLowerInvariant()
        if ($sources.ContainsKey($key)) { Get-BootEntry -Row $sources[$key] -Vm $Vm -Controllers $Controllers -Dvds $dvds }
    }
}

function Get-ReferenceId {
    <# .SYNOPSIS InstanceID of a CIM reference, which comes as an instance with its key or as a path. #>
    param($Reference)
    $member = $Reference.PSObject.Properties['InstanceID']
    if ($null -ne $member -and $null -ne $member.Value) { return [string]$member.Value }
    if ([string]$Reference -match 'InstanceID\s*=\s*"((?:[^"\\]|\\.)*)"') { return $Matches[1].Replace('\\', '\') }
    return ''
}

function Get-BootEntry {
    param($Row, [hashtable]$Vm, [hashtable]$Controllers, [object[]]$Dvds)
    $path = [string](Get-RowValue -Row $Row -Name 'FirmwareDevicePath' -Default '')
    $device = ''
    if ($path -match 'VenHw\([0-9A-Fa-f-]{36},[0-9A-Fa-f]{32}([0-9A-Fa-f]{32})') { $device = ConvertFrom-GuidHex -Hex $Matches[1] }
    $type = [int](Get-RowValue -Row $Row -Name 'BootSourceType' -Default 0)
    if ($type -eq 2 -and $device -ne '') {
        return [ordered]@{ type = 'NetworkAdapter'; adapterId = "Microsoft:$($Vm.Id.ToUpperInvariant())\$($device.ToUpperInvariant())" }
    }
    if ($type -eq 1 -and $device -ne '' -and $path -match 'Scsi\(\s*(?:0x)?\d+\s*,\s*(\d+)\s*\)') {
        $place = Get-Place -Controllers $Controllers -Controller $device -Address 0 -Location ([int]$Matches[1])
        if ($null -ne $place) {
            $entry = [ordered]@{ type = 'Disk' }
            foreach ($dvd in $Dvds) {
                if ($dvd['controllerNumber'] -eq $place['controllerNumber'] -and $dvd['controllerLocation'] -eq $place['controllerLocation']) { $entry['type'] = 'DVD' }
            }
            foreach ($field in $place.Keys) { $entry[$field] = $place[$field] }
            return $entry
        }
    }
    return [ordered]@{ type = 'Other' }
}

function ConvertFrom-GuidHex {
    <# .SYNOPSIS A GUID from its 16 bytes as they lie in memory. #>
    param([string]$Hex)
    $bytes = New-Object -TypeName 'byte[]' -ArgumentList 16
    for ($index = 0; $index -lt 16; $index++) { $bytes[$index] = [Convert]::ToByte($Hex.Substring($index * 2, 2), 16) }
    return (New-Object -TypeName 'System.Guid' -ArgumentList (, $bytes)).ToString()
}

function Get-CheckpointView {
    param($Row)
    $type = 'Standard'
    $kind = [string](Get-RowValue -Row $Row -Name 'VirtualSystemType' -Default '')
    if ($kind -eq 'Microsoft:Hyper-V:Snapshot:Recovery') { $type = 'Recovery' }
    elseif ([int](Get-RowValue -Row $Row -Name 'UserSnapshotType' -Default 5) -in 3, 4) { $type = 'Production' }
    $created = Get-RowValue -Row $Row -Name 'CreationTime' -Default ([DateTime]'2000-01-01')
    if ($created -isnot [DateTime]) { $created = [DateTime]'2000-01-01' }
    return [ordered]@{
        id = Get-RowVmId -Row $Row
        name = [string](Get-RowValue -Row $Row -Name 'ElementName' -Default '')
        type = $type
        createdAt = Get-AgentTime -At $created
    }
}
