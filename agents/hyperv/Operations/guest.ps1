$script:KvpBatch = 128
$script:LongestKey = 254

function Get-KvpRow {
    param([hashtable]$Job, [string]$Class, [string]$Id)
    return Get-FirstRow -World (Get-World -Job $Job) -Class $Class -Id $Id
}

function Invoke-GuestRead {
    <# .SYNOPSIS guest.read: what the guest says (keys that begin with aetherv), intrinsic items, heartbeat. #>
    param([hashtable]$Job)
    $id = $Job.Spec['vmId']
    Add-Touched -Job $Job -Vm $id
    $vm = Get-OwnedVm -Job $Job -Owner $Job.Spec['owner'] -Id $id
    $row = Get-KvpRow -Job $Job -Class 'Msvm_KvpExchangeComponent' -Id $id
    $items = New-JsonMap
    foreach ($entry in @((ConvertFrom-KvpItem -Item @(Get-RowValue -Row $row -Name 'GuestExchangeItems' -Default @())).GetEnumerator())) {
        if ($entry.Key.StartsWith('aetherv', [System.StringComparison]::Ordinal)) { $items[$entry.Key] = Get-Cut -Text $entry.Value -Length 2048 }
    }
    $intrinsic = New-JsonMap
    foreach ($entry in @((ConvertFrom-KvpItem -Item @(Get-RowValue -Row $row -Name 'GuestIntrinsicExchangeItems' -Default @())).GetEnumerator())) { $intrinsic[$entry.Key] = Get-Cut -Text $entry.Value -Length 2048 }
    return [ordered]@{ items = $items; intrinsic = $intrinsic; heartbeat = Get-HeartbeatName -World (Get-World -Job $Job) -Vm $vm }
}

function Get-HostItem {
    <# .SYNOPSIS What the host tells the guest now (pool 0); GuestNotReady while the exchange is off. #>
    param([hashtable]$Job, [hashtable]$Vm)
    $row = Get-KvpRow -Job $Job -Class 'Msvm_KvpExchangeComponentSettingData' -Id $Vm.Id
    if ([int](Get-RowValue -Row $row -Name 'EnabledState' -Default 3) -ne 2) { Stop-Operation -Code 'GuestNotReady' -Message "key-value pair exchange is off for $($Vm.Name)" }
    return ConvertFrom-KvpItem -Item @(Get-RowValue -Row $row -Name 'HostExchangeItems' -Default @())
}

function Invoke-GuestPublish {
    <# .SYNOPSIS guest.publish: writes in the given order, at most 128 items a call; those that hold the value already are left. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $id = $spec['vmId']
    $keys = @($spec['order'] | Select-Object -Unique)
    foreach ($key in $keys) { if ($key.Length -gt $script:LongestKey -or $key -eq '') { Stop-Operation -Code 'InvalidRequest' -Message "items: a key has 1 to $script:LongestKey characters, not $($key.Length)" } }
    foreach ($key in $keys) { if (-not $spec['items'].ContainsKey($key)) { Stop-KeyMismatch -Key $key } }
    foreach ($entry in @($spec['items'].GetEnumerator())) { if ($keys -cnotcontains $entry.Key) { Stop-KeyMismatch -Key $entry.Key } }
    Add-Touched -Job $Job -Vm $id
    $vm = Get-OwnedVm -Job $Job -Owner $spec['owner'] -Id $id
    $now = Get-HostItem -Job $Job -Vm $vm
    Assert-NotBusy -Vm $vm
    $missing = @($keys | Where-Object -FilterScript { $now[$_] -cne $spec['items'][$_] })
    # Add fails where the key is there, Modify where it is not; runs of one kind keep the order.
    $at = 0
    while ($at -lt $missing.Count) {
        $known = $now.ContainsKey($missing[$at])
        $end = $at
        while ($end + 1 -lt $missing.Count -and $end + 1 - $at -lt $script:KvpBatch -and $now.ContainsKey($missing[$end + 1]) -eq $known) { $end++ }
        $batch = @(foreach ($key in $missing[$at..$end]) { ConvertTo-KvpXml -Name $key -Data $spec['items'][$key] })
        $method = 'AddKvpItems'
        if ($known) { $method = 'ModifyKvpItems' }
        Invoke-Effect -Job $Job -Point 'published' -Action { Invoke-KvpMethod -Job $Job -Id $id -Method $method -Item $batch }
        $at = $end + 1
    }
}

function Stop-KeyMismatch {
    param([string]$Key)
    Stop-Operation -Code 'InvalidRequest' -Message "order and items must name the same keys; `"$(Get-ShownText -Text $Key)`" is in one only"
}

function Invoke-GuestClear {
    <# .SYNOPSIS guest.clear: absent keys are fine. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $id = $spec['vmId']
    Add-Touched -Job $Job -Vm $id
    $vm = Get-OwnedVm -Job $Job -Owner $spec['owner'] -Id $id
    $now = Get-HostItem -Job $Job -Vm $vm
    $present = @($spec['keys'] | Select-Object -Unique | Where-Object -FilterScript { $now.ContainsKey($_) })
    for ($at = 0; $at -lt $present.Count; $at += $script:KvpBatch) {
        $end = [Math]::Min($at + $script:KvpBatch, $present.Count) - 1
        $batch = @(foreach ($key in $present[$at..$end]) { ConvertTo-KvpXml -Name $key -Data $now[$key] })
        Invoke-Effect -Job $Job -Point 'cleared' -Action { Invoke-KvpMethod -Job $Job -Id $id -Method 'RemoveKvpItems' -Item $batch }
    }
}

function ConvertTo-KvpXml {
    <# .SYNOPSIS Msvm_KvpExchangeDataItem as the embedded instance that the service's methods take. Source 0: host to guest. #>
    param([string]$Name, [string]$Data)
    $text = New-Object -TypeName 'System.IO.StringWriter'
    $settings = New-Object -TypeName 'System.Xml.XmlWriterSettings'
    $settings.OmitXmlDeclaration = $true
    # A reader takes a bare carriage return for a line feed.
    $settings.NewLineHandling = [System.Xml.NewLineHandling]::Entitize
    $xml = [System.Xml.XmlWriter]::Create($text, $settings)
    $xml.WriteStartElement('INSTANCE')
    $xml.WriteAttributeString('CLASSNAME', 'Msvm_KvpExchangeDataItem')
    foreach ($property in @('Name', 'string', $Name), @('Data', 'string', $Data), @('Source', 'uint16', '0')) {
        $xml.WriteStartElement('PROPERTY')
        $xml.WriteAttributeString('NAME', $property[0])
        $xml.WriteAttributeString('TYPE', $property[1])
        $xml.WriteElementString('VALUE', $property[2])
        $xml.WriteEndElement()
    }
    $xml.WriteEndElement()
    $xml.Dispose()
    return $text.ToString()
}

function Invoke-KvpMethod {
    <# .SYNOPSIS One call of the management service; a job that it starts is waited for. Inside an effect. #>
    param([hashtable]$Job, [string]$Id, [string]$Method, [string[]]$Item)
    $service = @(Get-CimRow -Class 'Msvm_VirtualSystemManagementService')[0]
    $target = @(Get-CimRow -Class 'Msvm_ComputerSystem' -Filter "Name = '$($Id.ToUpperInvariant())'")[0]
    $answer = CimCmdlets\Invoke-CimMethod -InputObject $service -MethodName $Method -Arguments @{ TargetSystem = $target; DataItems = [string[]]$Item } -ErrorAction 'Stop'
    $code = [long]$answer.ReturnValue
    if ($code -eq 4096) { $code = Wait-CimJob -Job $Job -Reference $answer.Job }
    if ($code -ne 0) { Stop-Operation -Code 'HyperVError' -Message "$Method of $Id ended with $code" }
}

function Wait-CimJob {
    <# .SYNOPSIS Polls a VMMS job until it ends; 0 when it went well, else its error code. #>
    param([hashtable]$Job, $Reference)
    while ($true) {
        $state = CimCmdlets\Get-CimInstance -InputObject $Reference -ErrorAction 'Stop'
        if ([int]$state.JobState -eq 7) { return 0 }
        if ([int]$state.JobState -gt 7) { return [Math]::Max(1, [long]$state.ErrorCode) }
        Wait-AgentJob -Job $Job -Milliseconds 100
    }
}
