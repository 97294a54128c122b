$script:VlanPrivateModes = @{ 1 = 'Isolated'; 2 = 'Community'; 3 = 'Promiscuous' }

function Get-AdapterView {
    <# .SYNOPSIS The adapters of a machine (AdapterState), synthetic ones first. #>
    param([hashtable]$World, [hashtable]$Vm)
    $addresses = Get-AddressTable -World $World -Id $Vm.Id
    foreach ($class in 'Msvm_SyntheticEthernetPortSettingData', 'Msvm_EmulatedEthernetPortSettingData') {
        foreach ($row in @(Get-DetailRow -World $World -Class $class -Id $Vm.Id)) {
            New-AdapterView -World $World -Vm $Vm -Row $row -Legacy ($class -like '*Emulated*') -Addresses $addresses
        }
    }
}

function New-AdapterView {
    param([hashtable]$World, [hashtable]$Vm, $Row, [bool]$Legacy, [hashtable]$Addresses)
    $id = [string]$Row.InstanceID
    $static = [bool](Get-RowValue -Row $Row -Name 'StaticMacAddress' -Default $false)
    $mac = ([string](Get-RowValue -Row $Row -Name 'Address' -Default '')).ToUpperInvariant() -replace '[^0-9A-F]', ''
    if ($mac.Length -ne 12) { $mac = '000000000000' }
    $switch = Get-ConnectedSwitch -World $World -Vm $Vm -AdapterId $id
    $view = [ordered]@{
        id = $id
        name = [string](Get-RowValue -Row $Row -Name 'ElementName' -Default '')
        macAddress = $mac
        dynamicMac = -not $static
        legacy = $Legacy
        connected = $null -ne $switch
    }
    if ($null -ne $switch) { $view['switchName'] = $switch.Name }
    $view['vlan'] = Get-VlanView -Row (Get-FeatureRow -World $World -Vm $Vm -AdapterId $id -Feature 'Vlan')
    $guards = Get-FeatureRow -World $World -Vm $Vm -AdapterId $id -Feature 'Security'
    $view['macSpoofing'] = [bool](Get-RowValue -Row $guards -Name 'AllowMacSpoofing' -Default $false)
    $view['dhcpGuard'] = [bool](Get-RowValue -Row $guards -Name 'EnableDhcpGuard' -Default $false)
    $view['routerGuard'] = [bool](Get-RowValue -Row $guards -Name 'EnableRouterGuard' -Default $false)
    $view['bandwidth'] = Get-BandwidthView -Row (Get-FeatureRow -World $World -Vm $Vm -AdapterId $id -Feature 'Bandwidth')
    $view['ipAddresses'] = @()
    $port = $id.Split('\')[-1].ToLowerInvariant()
    if ($Addresses.ContainsKey($port)) { $view['ipAddresses'] = $Addresses[$port] }
    return $view
}

function Get-AddressTable {
    <# .SYNOPSIS What the guest says its addresses are, by the adapter's GUID. #>
    param([hashtable]$World, [string]$Id)
    $table = @{}
    try { $rows = @(Get-DetailRow -World $World -Class 'Msvm_GuestNetworkAdapterConfiguration' -Id $Id) }
    catch { $World.GuestUnknown = $_.Exception.Message; return $table }
    foreach ($row in $rows) {
        $found = @(Get-RowValue -Row $row -Name 'IPAddresses' -Default @()) | Where-Object -FilterScript { [string]$_ -ne '' } | Select-Object -First 64
        $table[([string]$row.InstanceID).Split('\')[-1].ToLowerInvariant()] = @($found | ForEach-Object -Process { [string]$_ })
    }
    return $table
}

function Get-FeatureRow {
    param([hashtable]$World, [hashtable]$Vm, [string]$AdapterId, [string]$Feature)
    foreach ($row in @(Get-DetailRow -World $World -Class "Msvm_EthernetSwitchPort$($Feature)SettingData" -Id $Vm.Id)) {
        if (([string]$row.InstanceID).StartsWith("$AdapterId\", [System.StringComparison]::OrdinalIgnoreCase)) { return $row }
    }
    return $null
}

function Get-ConnectedSwitch {
    <# .SYNOPSIS The switch of the adapter; $null when it is connected to none. #>
    param([hashtable]$World, [hashtable]$Vm, [string]$AdapterId)
    foreach ($row in @(Get-DetailRow -World $World -Class 'Msvm_EthernetPortAllocationSettingData' -Id $Vm.Id)) {
        if (-not ([string]$row.InstanceID).StartsWith("$AdapterId\", [System.StringComparison]::OrdinalIgnoreCase)) { continue }
        if ([int](Get-RowValue -Row $row -Name 'EnabledState' -Default 2) -ne 2) { return $null }
        foreach ($reference in @(Get-RowValue -Row $row -Name 'HostResource' -Default @())) {
            $text = [string]$reference
            $name = $reference.PSObject.Properties['Name']
            if ($reference -isnot [string] -and $null -ne $name) { $text = "Name=`"$($name.Value)`"" }
            if ($text -notmatch 'Name\s*=\s*"([0-9A-Fa-f-]{36})"') { continue }
            $id = $Matches[1].ToLowerInvariant()
            foreach ($one in @(Get-HostSwitch -World $World)) { if ($one.Id -eq $id) { return $one } }
        }
    }
    return $null
}

function Get-VlanView {
    param($Row)
    $mode = [int](Get-RowValue -Row $Row -Name 'OperationMode' -Default 0)
    if ($mode -eq 1) {
        $id = [long](Get-RowValue -Row $Row -Name 'AccessVlanId' -Default 0)
        if ($id -gt 0) { return [ordered]@{ mode = 'Access'; id = $id } }
    }
    if ($mode -eq 2) {
        return [ordered]@{
            mode = 'Trunk'
            allowed = ConvertTo-RangeText -Number @(Get-RowValue -Row $Row -Name 'TrunkVlanIdArray' -Default @())
            nativeId = [long](Get-RowValue -Row $Row -Name 'NativeVlanId' -Default 0)
        }
    }
    if ($mode -eq 3) {
        $private = [int](Get-RowValue -Row $Row -Name 'PvlanMode' -Default 1)
        $view = [ordered]@{ mode = 'Isolated'; primaryId = [long](Get-RowValue -Row $Row -Name 'PrimaryVlanId' -Default 1) }
        if ($script:VlanPrivateModes.ContainsKey($private)) { $view['mode'] = $script:VlanPrivateModes[$private] }
        if ($private -eq 3) { $view['secondaryIds'] = ConvertTo-RangeText -Number @(Get-RowValue -Row $Row -Name 'SecondaryVlanIdArray' -Default @()) }
        else { $view['secondaryId'] = [long](Get-RowValue -Row $Row -Name 'SecondaryVlanId' -Default 1) }
        return $view
    }
    return [ordered]@{ mode = 'Untagged' }
}

function ConvertTo-RangeText {
    <# .SYNOPSIS 1,2,3,20 as "1-3,20". #>
    param([object[]]$Number)
    $sorted = @($Number | ForEach-Object -Process { [int]$_ } | Sort-Object -Unique)
    $parts = New-Object -TypeName 'System.Collections.ArrayList'
    $index = 0
    while ($index -lt $sorted.Count) {
        $end = $index
        while ($end + 1 -lt $sorted.Count -and $sorted[$end + 1] -eq $sorted[$end] + 1) { $end++ }
        if ($end -gt $index) { $null = $parts.Add("$($sorted[$index])-$($sorted[$end])") } else { $null = $parts.Add("$($sorted[$index])") }
        $index = $end + 1
    }
    return $parts.ToArray() -join ','
}

function Get-BandwidthView {
    param($Row)
    $view = [ordered]@{}
    $weight = [long](Get-RowValue -Row $Row -Name 'Weight' -Default 0)
    $reserved = [long](Get-RowValue -Row $Row -Name 'Reservation' -Default 0)
    $limit = [long](Get-RowValue -Row $Row -Name 'Limit' -Default 0)
    if ($weight -gt 0) { $view['minimumWeight'] = $weight }
    if ($reserved -gt 0) { $view['minimumMbps'] = [long][Math]::Round($reserved / 1000000) }
    if ($limit -gt 0) { $view['maximumMbps'] = [long][Math]::Round($limit / 1000000) }
    return $view
}
