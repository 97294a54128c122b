$script:VlanFields = @{
    Untagged = @(); Access = @('id'); Trunk = @('allowed', 'nativeId'); Isolated = @('primaryId', 'secondaryId')
    Community = @('primaryId', 'secondaryId'); Promiscuous = @('primaryId', 'secondaryIds')
}

function Get-AdapterName { param([System.Collections.IDictionary]$Owner) return "$($Owner['name']).$($Owner['uid'].Substring(0, [Math]::Min(8, $Owner['uid'].Length)))" }

function Find-Switch {
    param([hashtable]$World, [string]$Name)
    foreach ($one in @(Get-HostSwitch -World $World)) { if ($one.Name -eq $Name) { return $one } }
    $names = @(Get-HostSwitch -World $World | ForEach-Object -Process { $_.Name })
    Stop-Operation -Code 'SwitchNotFound' -Message "no switch `"$Name`"; there are: $(Get-NameList -Name $names)"
}

function Assert-VlanList {
    param([string]$Field, [string]$Text)
    foreach ($part in $Text.Split(',')) {
        $good = $part -match '\A(\d+)(?:-(\d+))?\z'
        if ($good) {
            $from = [long]$Matches[1]
            $to = $from
            if ($Matches.Count -gt 2) { $to = [long]$Matches[2] }
            $good = $from -ge 1 -and $to -le 4094 -and $from -le $to
        }
        if (-not $good) { Stop-Operation -Code 'InvalidRequest' -Message "vlan.$Field`: expected numbers and ranges from 1 to 4094, as 1-10,20, got `"$(Get-ShownText -Text $Text)`"" }
    }
}

function Assert-Vlan {
    <# .SYNOPSIS Each mode has exactly its own members, as Set-VMNetworkAdapterVlan has parameter sets. #>
    param([System.Collections.IDictionary]$Vlan)
    $mode = $Vlan['mode']
    $needed = $script:VlanFields[$mode]
    $given = @($Vlan.GetEnumerator() | ForEach-Object -Process { $_.Key } | Where-Object -FilterScript { $_ -ne 'mode' } | Sort-Object)
    $missing = @($needed | Where-Object -FilterScript { $given -notcontains $_ })
    $extra = @($given | Where-Object -FilterScript { $needed -notcontains $_ })
    if ($missing.Count -gt 0) { Stop-Operation -Code 'InvalidRequest' -Message "vlan: mode $mode needs $($missing -join ' and ')" }
    if ($extra.Count -gt 0) { Stop-Operation -Code 'InvalidRequest' -Message "vlan: mode $mode takes no $($extra -join ', ')" }
    if ($null -ne $Vlan['allowed']) { Assert-VlanList -Field 'allowed' -Text $Vlan['allowed'] }
    if ($null -ne $Vlan['secondaryIds']) { Assert-VlanList -Field 'secondaryIds' -Text $Vlan['secondaryIds'] }
    if ($null -ne $Vlan['secondaryId'] -and $Vlan['secondaryId'] -eq $Vlan['primaryId']) { Stop-Operation -Code 'InvalidRequest' -Message 'vlan: secondaryId must differ from primaryId' }
}

function Assert-Bandwidth {
    param([System.Collections.IDictionary]$Bandwidth, $Switch)
    if ($null -ne $Bandwidth['minimumWeight'] -and $null -ne $Bandwidth['minimumMbps']) { Stop-Operation -Code 'InvalidRequest' -Message 'bandwidth: minimumWeight and minimumMbps exclude each other' }
    if ($null -eq $Switch) { return }
    foreach ($pair in @('minimumWeight', 'Weight'), @('minimumMbps', 'Absolute')) {
        if ($null -ne $Bandwidth[$pair[0]] -and $Switch.BandwidthMode -ne $pair[1]) {
            Stop-Operation -Code 'InvalidRequest' -Message "bandwidth.$($pair[0]): switch `"$($Switch.Name)`" reserves by $($Switch.BandwidthMode)"
        }
    }
}

function Get-HostAddress {
    <# .SYNOPSIS Every adapter's address on the host: @{Mac; Id; Name; Vm}. Two queries. #>
    param([hashtable]$World)
    foreach ($class in 'Msvm_SyntheticEthernetPortSettingData', 'Msvm_EmulatedEthernetPortSettingData') {
        foreach ($row in @(Get-CimRow -Class $class)) {
            $vm = Get-RowVmId -Row $row
            # Rows of checkpoints hold addresses of the same adapters.
            if (-not (Get-VmIndex -World $World).Contains($vm)) { continue }
            @{ Mac = ConvertTo-Mac -Text ([string](Get-RowValue -Row $row -Name 'Address' -Default '')); Id = [string]$row.InstanceID; Name = [string](Get-RowValue -Row $row -Name 'ElementName' -Default ''); Vm = $vm }
        }
    }
}

function Assert-Mac {
    param([hashtable]$World, [string]$Mac, [string]$OwnId)
    if ($Mac -match '\A.[13579BDF]' -or $Mac -eq '000000000000') { Stop-Operation -Code 'InvalidRequest' -Message "macAddress: $Mac is no address of one station" }
    foreach ($one in @(Get-HostAddress -World $World)) {
        if ($one.Mac -eq $Mac -and $one.Id -ne $OwnId) { Stop-Operation -Code 'NameConflict' -Message "macAddress: $Mac belongs to adapter `"$($one.Name)`" of $((Get-KnownVm -World $World -Id $one.Vm).Name)" }
    }
}

function Get-FreeMac {
    <# .SYNOPSIS The first address of the host's pool that no adapter here and none of the others has. #>
    param([hashtable]$World, [object[]]$Avoid)
    $taken = New-Object -TypeName 'System.Collections.Generic.HashSet[string]'
    foreach ($mac in $Avoid) { if ($null -ne $mac) { $null = $taken.Add([string]$mac) } }
    foreach ($one in @(Get-HostAddress -World $World)) { $null = $taken.Add($one.Mac) }
    $vmHost = Get-HyperVHost -World $World
    $last = [Convert]::ToInt64((ConvertTo-Mac -Text $vmHost.MacAddressMaximum), 16)
    for ($at = [Convert]::ToInt64((ConvertTo-Mac -Text $vmHost.MacAddressMinimum), 16); $at -le $last; $at++) {
        $mac = $at.ToString('X12', [Globalization.CultureInfo]::InvariantCulture)
        if (-not $taken.Contains($mac)) { return $mac }
    }
    Stop-Operation -Code 'HyperVError' -Message "the host's address pool $(ConvertTo-Mac -Text $vmHost.MacAddressMinimum) to $(ConvertTo-Mac -Text $vmHost.MacAddressMaximum) is used up"
}

function Get-NicPlan {
    <# .SYNOPSIS What differs between the adapter's view and the settings: @{Switch; Disconnect; Mac; Vlan; Values}. Throws what the host refuses. #>
    param([hashtable]$World, [hashtable]$Vm, [System.Collections.IDictionary]$Adapter, [System.Collections.IDictionary]$Set)
    $plan = @{ Switch = $null; Disconnect = $false; Mac = ''; Vlan = $null; Values = @{} }
    $after = Get-SwitchAfter -World $World -Adapter $Adapter -Set $Set
    $now = $null
    if ($null -ne $Adapter['switchName']) { $now = $Adapter['switchName'] }
    if ($null -ne $after -and $after.Name -ne $now) { $plan.Switch = $after }
    if ($null -eq $after -and $null -ne $now) { $plan.Disconnect = $true }
    if ($null -ne $Set['vlan']) {
        Assert-Vlan -Vlan $Set['vlan']
        if ($Adapter['legacy'] -and $Set['vlan']['mode'] -eq 'Trunk') { Stop-Operation -Code 'InvalidRequest' -Message 'vlan: a legacy adapter takes no trunk' }
        if ((ConvertTo-SortedJson -Value (Get-NormalVlan -Vlan $Set['vlan'])) -cne (ConvertTo-SortedJson -Value (Get-NormalVlan -Vlan $Adapter['vlan']))) { $plan.Vlan = $Set['vlan'] }
    }
    if ($null -ne $Set['bandwidth']) {
        Assert-Bandwidth -Bandwidth $Set['bandwidth'] -Switch $after
        Add-BandwidthValue -Plan $plan -Before $Adapter['bandwidth'] -After $Set['bandwidth']
    }
    if ($null -ne $Set['macAddress'] -and ($Set['macAddress'] -cne $Adapter['macAddress'] -or $Adapter['dynamicMac'])) {
        Assert-Mac -World $World -Mac $Set['macAddress'] -OwnId $Adapter['id']
        Assert-Off -Vm $Vm -What 'a static MAC address'
        $plan.Values['StaticMacAddress'] = $Set['macAddress']
    }
    foreach ($pair in @('macSpoofing', 'MacAddressSpoofing'), @('dhcpGuard', 'DhcpGuard'), @('routerGuard', 'RouterGuard')) {
        if ($null -eq $Set[$pair[0]] -or $Set[$pair[0]] -eq $Adapter[$pair[0]]) { continue }
        $plan.Values[$pair[1]] = 'Off'
        if ($Set[$pair[0]]) { $plan.Values[$pair[1]] = 'On' }
    }
    return $plan
}

function Get-NormalVlan {
    <# .SYNOPSIS The VLAN with its lists as Hyper-V tells them. #>
    param([System.Collections.IDictionary]$Vlan)
    $copy = [ordered]@{}
    foreach ($entry in @($Vlan.GetEnumerator())) { $copy[[string]$entry.Key] = $entry.Value }
    foreach ($field in 'allowed', 'secondaryIds') {
        if ($null -eq $copy[$field]) { continue }
        $numbers = foreach ($part in ([string]$copy[$field]).Split(',')) { $ends = $part.Split('-'); ([int]$ends[0])..([int]$ends[-1]) }
        $copy[$field] = ConvertTo-RangeText -Number @($numbers)
    }
    return $copy
}

function Get-SwitchAfter {
    <# .SYNOPSIS The switch that the adapter is connected to with these settings; $null when to none. #>
    param([hashtable]$World, [System.Collections.IDictionary]$Adapter, [System.Collections.IDictionary]$Set)
    if ($null -ne $Set['connected'] -and -not $Set['connected']) { return $null }
    if ($null -ne $Set['switchName']) { return Find-Switch -World $World -Name $Set['switchName'] }
    if ($null -ne $Adapter['switchName']) { return Find-Switch -World $World -Name $Adapter['switchName'] }
    if ($Set['connected']) { Stop-Operation -Code 'InvalidRequest' -Message 'switchName is required to connect the adapter' }
    return $null
}

function Add-BandwidthValue {
    <# .SYNOPSIS The whole of bandwidth: an absent member = none = 0. #>
    param([hashtable]$Plan, [System.Collections.IDictionary]$Before, [System.Collections.IDictionary]$After)
    foreach ($part in @('minimumWeight', 'MinimumBandwidthWeight', 1), @('minimumMbps', 'MinimumBandwidthAbsolute', 1000000), @('maximumMbps', 'MaximumBandwidth', 1000000)) {
        $old = [long](Get-First -Of @($Before[$part[0]], 0))
        $new = [long](Get-First -Of @($After[$part[0]], 0))
        if ($old -ne $new) { $Plan.Values[$part[1]] = $new * $part[2] }
    }
}

function Test-EmptyPlan {
    param([hashtable]$Plan)
    return $null -eq $Plan.Switch -and -not $Plan.Disconnect -and $null -eq $Plan.Vlan -and $Plan.Values.Count -eq 0
}

function Set-NicPlan {
    <# .SYNOPSIS Carries a plan out. Inside an effect. #>
    param([string]$Id, [string]$AdapterId, [hashtable]$Plan)
    $adapter = Get-AdapterObject -Id $Id -AdapterId $AdapterId
    if ($Plan.Values.Count -gt 0) {
        $values = $Plan.Values
        Hyper-V\Set-VMNetworkAdapter -VMNetworkAdapter $adapter @values -ErrorAction 'Stop'
    }
    if ($null -ne $Plan.Vlan) { Set-AdapterVlan -Adapter $adapter -Vlan $Plan.Vlan }
    if ($Plan.Disconnect) { Hyper-V\Disconnect-VMNetworkAdapter -VMNetworkAdapter $adapter -ErrorAction 'Stop' }
    if ($null -ne $Plan.Switch) { Hyper-V\Connect-VMNetworkAdapter -VMNetworkAdapter $adapter -VMSwitch (Get-SwitchObject -Id $Plan.Switch.Id) -ErrorAction 'Stop' }
}

function Get-SwitchObject {
    param([string]$Id)
    return Hyper-V\Get-VMSwitch -Id ([Guid]$Id) -ErrorAction 'Stop'
}

function Get-AdapterObject {
    <# .SYNOPSIS Hyper-V's object of an adapter, by its id. #>
    param([string]$Id, [string]$AdapterId)
    foreach ($one in @(Hyper-V\Get-VMNetworkAdapter -VM (Get-VmObject -Id $Id) -ErrorAction 'Stop')) { if ([string]$one.Id -eq $AdapterId) { return $one } }
    Stop-Operation -Code 'NotFound' -Message "$Id has no adapter $AdapterId"
}

function Set-AdapterVlan {
    param($Adapter, [System.Collections.IDictionary]$Vlan)
    $options = @{}
    switch ($Vlan['mode']) {
        'Access' { $options['VlanId'] = [int]$Vlan['id'] }
        'Trunk' { $options['AllowedVlanIdList'] = $Vlan['allowed']; $options['NativeVlanId'] = [int]$Vlan['nativeId'] }
        'Isolated' { $options['PrimaryVlanId'] = [int]$Vlan['primaryId']; $options['SecondaryVlanId'] = [int]$Vlan['secondaryId'] }
        'Community' { $options['PrimaryVlanId'] = [int]$Vlan['primaryId']; $options['SecondaryVlanId'] = [int]$Vlan['secondaryId'] }
        'Promiscuous' { $options['PrimaryVlanId'] = [int]$Vlan['primaryId']; $options['SecondaryVlanIdList'] = $Vlan['secondaryIds'] }
    }
    $options[$Vlan['mode']] = $true
    Hyper-V\Set-VMNetworkAdapterVlan -VMNetworkAdapter $Adapter @options -ErrorAction 'Stop'
}
