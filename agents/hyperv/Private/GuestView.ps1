function Get-GuestView {
    <#
    .SYNOPSIS Heartbeat, and what the guest says of itself over KVP.
    .DESCRIPTION When these can't be read the machine is shown without them, and the world notes that the guest part is unknown.
    #>
    param([hashtable]$World, [hashtable]$Vm)
    try {
        $heartbeat = Get-HeartbeatName -World $World -Vm $Vm
        $row = Get-FirstRow -World $World -Class 'Msvm_KvpExchangeComponent' -Id $Vm.Id
        $items = ConvertFrom-KvpItem -Item @(Get-RowValue -Row $row -Name 'GuestIntrinsicExchangeItems' -Default @())
        return @{ Heartbeat = $heartbeat; Said = Get-GuestSaid -Items $items; Kvp = Get-KvpView -World $World -Vm $Vm -Row $row }
    }
    catch {
        $World.GuestUnknown = $_.Exception.Message
        return @{ Heartbeat = 'Error'; Said = $null; Kvp = $null }
    }
}

function Get-KvpView {
    <# .SYNOPSIS What the guest agent says (pool 1), and the manifests of the configurations that lie ready for it (pool 0); $null when neither. #>
    param([hashtable]$World, [hashtable]$Vm, $Row)
    $setting = Get-FirstRow -World $World -Class 'Msvm_KvpExchangeComponentSettingData' -Id $Vm.Id
    $view = [ordered]@{}
    $said = Select-KvpItem -Item @(Get-RowValue -Row $Row -Name 'GuestExchangeItems' -Default @()) -Like 'aetherv.guest.*' -Length 2048
    if ($said.Count -gt 0) { $view['guest'] = $said }
    $ready = Select-KvpItem -Item @(Get-RowValue -Row $setting -Name 'HostExchangeItems' -Default @()) -Like 'aetherv.config.*.manifest' -Length 1000
    if ($ready.Count -gt 0) { $view['host'] = $ready }
    if ($view.Count -eq 0) { return $null }
    return $view
}

function Select-KvpItem {
    <# .SYNOPSIS Items by key, sorted, at most 32; the others are not even parsed: a sealed configuration has a hundred. #>
    param([object[]]$Item, [string]$Like, [int]$Length)
    $map = New-JsonMap
    $found = ConvertFrom-KvpItem -Item @($Item | Where-Object -FilterScript { [string]$_ -clike "*$Like*" })
    foreach ($key in @($found.Keys | Where-Object -FilterScript { $_ -clike $Like } | Sort-Object -CaseSensitive | Select-Object -First 32)) {
        $map[$key] = Get-Cut -Text $found[$key] -Length $Length
    }
    return $map
}

function Get-HeartbeatName {
    param([hashtable]$World, [hashtable]$Vm)
    if ($Vm.State -ne 'Running') { return 'NoContact' }
    $setting = Get-FirstRow -World $World -Class 'Msvm_HeartbeatComponentSettingData' -Id $Vm.Id
    if ([int](Get-RowValue -Row $setting -Name 'EnabledState' -Default 2) -ne 2) { return 'Disabled' }
    $row = Get-FirstRow -World $World -Class 'Msvm_HeartbeatComponent' -Id $Vm.Id
    $status = @(Get-RowValue -Row $row -Name 'OperationalStatus' -Default @(12))
    switch ([int]$status[0]) {
        2 { return 'OK' }
        3 { return 'OK' }
        12 { return 'NoContact' }
        13 { return 'NoContact' }
    }
    return 'Error'
}

function ConvertFrom-KvpItem {
    <# .SYNOPSIS Names and values of Msvm_KvpExchangeDataItem instances in XML. What is no such XML is left out: guests write it. #>
    param([object[]]$Item)
    $map = New-JsonMap
    foreach ($text in $Item) {
        $xml = New-Object -TypeName 'System.Xml.XmlDocument'
        $xml.XmlResolver = $null
        try { $xml.LoadXml([string]$text) } catch { continue }
        $name = $xml.SelectSingleNode("/INSTANCE/PROPERTY[@NAME='Name']/VALUE")
        $data = $xml.SelectSingleNode("/INSTANCE/PROPERTY[@NAME='Data']/VALUE")
        if ($null -eq $name) { continue }
        $value = ''
        if ($null -ne $data) { $value = $data.InnerText }
        $map[$name.InnerText] = $value
    }
    return $map
}

function Get-Cut {
    param([string]$Text, [int]$Length)
    if ($Text.Length -gt $Length) { return $Text.Substring(0, $Length) }
    return $Text
}

function Get-GuestSaid {
    param([hashtable]$Items)
    if ($Items.Count -eq 0) { return $null }
    $said = [ordered]@{}
    $texts = [ordered]@{ osName = @('OSName', 1024); osVersion = @('OSVersion', 256); hostname = @('FullyQualifiedDomainName', 256) }
    foreach ($field in $texts.Keys) {
        $key = $texts[$field][0]
        if ($Items.ContainsKey($key) -and $Items[$key] -ne '') { $said[$field] = Get-Cut -Text $Items[$key] -Length $texts[$field][1] }
    }
    $addresses = foreach ($key in 'NetworkAddressIPv4', 'NetworkAddressIPv6') {
        if ($Items.ContainsKey($key)) { foreach ($one in $Items[$key].Split(';')) { if ($one.Trim() -ne '') { Get-Cut -Text $one.Trim() -Length 64 } } }
    }
    $said['ipAddresses'] = @($addresses | Select-Object -First 64)
    return $said
}
