$script:Namespace = 'root\virtualization\v2'

function Get-CimRow {
    <# .SYNOPSIS All rows of a class, or those of a filter. Every text in a filter is an id of ours or passed ConvertTo-WqlText. #>
    param([string]$Class, [string]$Filter = '', [string]$Namespace = $script:Namespace)
    $query = @{ Namespace = $Namespace; ClassName = $Class; ErrorAction = 'Stop' }
    if ($Filter -ne '') { $query['Filter'] = $Filter }
    return @(CimCmdlets\Get-CimInstance @query)
}

function Get-RowValue {
    <# .SYNOPSIS A property of a row; the default where the class of this Windows lacks it or holds nothing. #>
    param($Row, [string]$Name, $Default = $null)
    if ($null -eq $Row) { return $Default }
    $member = $Row.PSObject.Properties[$Name]
    if ($null -eq $member -or $null -eq $member.Value) { return $Default }
    return $member.Value
}

function Get-RowVmId {
    <# .SYNOPSIS The id (lower case) of the machine or checkpoint that a row belongs to; '' when none. #>
    param($Row)
    $system = Get-RowValue -Row $Row -Name 'SystemName' -Default ''
    if ($system -match '\A[0-9A-Fa-f-]{36}\z') { return $system.ToLowerInvariant() }
    $instance = Get-RowValue -Row $Row -Name 'InstanceID' -Default ''
    if ($instance -match '\AMicrosoft:(?:GuestNetwork\\)?([0-9A-Fa-f-]{36})') { return $Matches[1].ToLowerInvariant() }
    return ''
}

# What is read of each machine beside the index, and by which property a row names its machine.
$script:DetailClasses = [ordered]@{
    Msvm_ProcessorSettingData = 'InstanceID'
    Msvm_MemorySettingData = 'InstanceID'
    Msvm_Memory = 'SystemName'
    Msvm_ResourceAllocationSettingData = 'InstanceID'
    Msvm_BootSourceSettingData = 'InstanceID'
    Msvm_SyntheticEthernetPortSettingData = 'InstanceID'
    Msvm_EmulatedEthernetPortSettingData = 'InstanceID'
    Msvm_EthernetPortAllocationSettingData = 'InstanceID'
    Msvm_EthernetSwitchPortVlanSettingData = 'InstanceID'
    Msvm_EthernetSwitchPortSecuritySettingData = 'InstanceID'
    Msvm_EthernetSwitchPortBandwidthSettingData = 'InstanceID'
    Msvm_SecuritySettingData = 'InstanceID'
    Msvm_HeartbeatComponentSettingData = 'InstanceID'
    Msvm_KvpExchangeComponentSettingData = 'InstanceID'
    Msvm_ShutdownComponentSettingData = 'InstanceID'
    Msvm_TimeSyncComponentSettingData = 'InstanceID'
    Msvm_VssComponentSettingData = 'InstanceID'
    Msvm_GuestServiceInterfaceComponentSettingData = 'InstanceID'
    Msvm_HeartbeatComponent = 'SystemName'
    Msvm_KvpExchangeComponent = 'SystemName'
    Msvm_GuestNetworkAdapterConfiguration = 'GuestNetwork'
}
# A failure of these hides what the guest says, not the machine.
$script:GuestClasses = @('Msvm_HeartbeatComponent', 'Msvm_KvpExchangeComponent', 'Msvm_GuestNetworkAdapterConfiguration')

function Get-DetailFilter {
    param([string]$By, [string]$Id)
    $guid = $Id.ToUpperInvariant()
    switch ($By) {
        'SystemName' { return "SystemName = '$guid'" }
        'GuestNetwork' { return "InstanceID LIKE 'Microsoft:GuestNetwork%$guid%'" }
    }
    return "InstanceID LIKE 'Microsoft:$guid%'"
}

function Get-DetailRow {
    <#
    .SYNOPSIS The rows of a class that belong to a machine.
    .DESCRIPTION A world of the whole host asks each class once and sorts the rows by machine; else only this machine's rows are asked for.
    #>
    param([hashtable]$World, [string]$Class, [string]$Id)
    if (-not $World.Whole) {
        $key = "$Class|$Id"
        if (-not $World.Rows.ContainsKey($key)) {
            $World.Rows[$key] = @(Get-CimRow -Class $Class -Filter (Get-DetailFilter -By $script:DetailClasses[$Class] -Id $Id))
        }
        return $World.Rows[$key]
    }
    if (-not $World.Rows.ContainsKey($Class)) {
        $sorted = @{}
        foreach ($row in @(Get-CimRow -Class $Class)) {
            $owner = Get-RowVmId -Row $row
            if ($owner -eq '') { continue }
            if (-not $sorted.ContainsKey($owner)) { $sorted[$owner] = New-Object -TypeName 'System.Collections.ArrayList' }
            $null = $sorted[$owner].Add($row)
        }
        $World.Rows[$Class] = $sorted
    }
    if (-not $World.Rows[$Class].ContainsKey($Id)) { return @() }
    return $World.Rows[$Class][$Id].ToArray()
}

function Get-FirstRow {
    param([hashtable]$World, [string]$Class, [string]$Id)
    $rows = @(Get-DetailRow -World $World -Class $Class -Id $Id)
    if ($rows.Count -eq 0) { return $null }
    return $rows[0]
}
