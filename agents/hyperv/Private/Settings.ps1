# What wanted settings change on a machine: @{Field; Group; Needs ('off'|'any'); Param; Value}, one cmdlet a group.
$script:SettingGroups = @('notes', 'processor', 'memory', 'firmware', 'tpm', 'services', 'actions', 'boot', 'name')

function New-Setting {
    param([string]$Field, [string]$Group, [string]$Needs, [string]$Param, $Value)
    return @{ Field = $Field; Group = $Group; Needs = $Needs; Param = $Param; Value = $Value }
}

function Get-Setting {
    <# .SYNOPSIS The settings that differ. Throws what the host refuses whatever the state. #>
    param([hashtable]$World, [System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Set)
    Assert-CpuCount -World $World -Cpu $Set['cpu']
    if ($Set.ContainsKey('notes') -and $Set['notes'] -cne $View['notes']) { New-Setting -Field 'notes' -Group 'notes' -Needs 'any' -Param 'Notes' -Value $Set['notes'] }
    if ($Set.ContainsKey('cpu')) { Get-CpuSetting -View $View -Cpu $Set['cpu'] }
    if ($Set.ContainsKey('memory')) { Get-MemorySetting -View $View -Memory $Set['memory'] }
    if ($Set.ContainsKey('firmware')) { Get-FirmwareSetting -View $View -Firmware $Set['firmware'] }
    if ($Set.ContainsKey('tpm')) { Get-TpmSetting -View $View -Tpm $Set['tpm'] }
    if ($Set.ContainsKey('integrationServices')) { Get-ServiceSetting -View $View -Services $Set['integrationServices'] }
    Get-ActionSetting -View $View -Set $Set
    if ($Set.ContainsKey('bootOrder')) { Get-BootSetting -View $View -Wanted @($Set['bootOrder']) }
    if ($Set.ContainsKey('name')) { Get-NameSetting -World $World -View $View -Name $Set['name'] }
}

function Assert-CpuCount {
    param([hashtable]$World, $Cpu)
    if ($null -eq $Cpu -or $null -eq $Cpu['count']) { return }
    $limit = [Math]::Min($script:MaximumProcessors, [long](Get-HyperVHost -World $World).LogicalProcessorCount)
    if ($Cpu['count'] -gt $limit) { Stop-Operation -Code 'InsufficientCpu' -Message "cpu.count: $($Cpu['count']) is above the host's limit of $limit" }
}

$script:CpuParameters = [ordered]@{
    count = @('Count', 'off'); reservePercent = @('Reserve', 'any'); limitPercent = @('Maximum', 'any'); relativeWeight = @('RelativeWeight', 'any')
    exposeVirtualizationExtensions = @('ExposeVirtualizationExtensions', 'off'); compatibilityMode = @('CompatibilityForMigrationEnabled', 'off')
}

function Get-CpuSetting {
    param([System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Cpu)
    foreach ($field in $script:CpuParameters.Keys) {
        if (-not $Cpu.ContainsKey($field) -or $Cpu[$field] -eq $View['cpu'][$field]) { continue }
        $param = $script:CpuParameters[$field]
        New-Setting -Field "cpu.$field" -Group 'processor' -Needs $param[1] -Param $param[0] -Value $Cpu[$field]
    }
}

function Get-First {
    <# .SYNOPSIS The first that is not $null. #>
    param([object[]]$Of)
    foreach ($one in $Of) { if ($null -ne $one) { return $one } }
    return $null
}

function Get-WantedDynamic {
    <# .SYNOPSIS Dynamic memory as it would be; $null for static memory. #>
    param([System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Memory)
    $now = $View['memory']['dynamic']
    $enabled = $null -ne $now
    if ($Memory.ContainsKey('dynamicEnabled')) { $enabled = $Memory['dynamicEnabled'] }
    if (-not $enabled) { return $null }
    if ($null -eq $now) { $now = @{} }
    $startup = Get-First -Of @($Memory['startupBytes'], $View['memory']['startupBytes'])
    return [ordered]@{
        minimumBytes = [long](Get-First -Of @($Memory['minimumBytes'], $now['minimumBytes'], [Math]::Min([long]536870912, $startup)))
        maximumBytes = [long](Get-First -Of @($Memory['maximumBytes'], $now['maximumBytes'], [Math]::Max([long]1099511627776, $startup)))
        bufferPercent = [long](Get-First -Of @($Memory['bufferPercent'], $now['bufferPercent'], 20))
    }
}

function Assert-MemorySetting {
    param([System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Memory, $Dynamic)
    $startup = Get-First -Of @($Memory['startupBytes'], $View['memory']['startupBytes'])
    if ($startup -lt 33554432 -or $startup -gt $script:MaximumMemory) {
        Stop-Operation -Code 'InvalidRequest' -Message "memory.startupBytes: $startup is outside 33554432 to $script:MaximumMemory"
    }
    if ($null -eq $Dynamic) {
        if ($Memory.ContainsKey('minimumBytes') -or $Memory.ContainsKey('maximumBytes')) {
            Stop-Operation -Code 'InvalidRequest' -Message 'memory.minimumBytes and maximumBytes are possible only with dynamic memory on'
        }
        return
    }
    if ($Dynamic['minimumBytes'] -gt $startup -or $Dynamic['maximumBytes'] -lt $startup) {
        Stop-Operation -Code 'InvalidRequest' -Message "memory: expected minimumBytes <= startupBytes <= maximumBytes, got $($Dynamic['minimumBytes']), $startup, $($Dynamic['maximumBytes'])"
    }
}

function Get-MemorySetting {
    param([System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Memory)
    $now = $View['memory']['dynamic']
    $dynamic = Get-WantedDynamic -View $View -Memory $Memory
    Assert-MemorySetting -View $View -Memory $Memory -Dynamic $dynamic
    if ($Memory.ContainsKey('startupBytes') -and $Memory['startupBytes'] -ne $View['memory']['startupBytes']) {
        New-Setting -Field 'memory.startupBytes' -Group 'memory' -Needs (Get-StartupNeed -View $View -Bytes $Memory['startupBytes']) -Param 'StartupBytes' -Value $Memory['startupBytes']
    }
    if (($null -eq $dynamic) -ne ($null -eq $now)) {
        New-Setting -Field 'memory.dynamic' -Group 'memory' -Needs 'off' -Param 'DynamicMemoryEnabled' -Value ($null -ne $dynamic)
    }
    if ($null -ne $dynamic) {
        $before = $now
        if ($null -eq $before) { $before = @{} }
        foreach ($part in @('minimumBytes', 'MinimumBytes'), @('maximumBytes', 'MaximumBytes'), @('bufferPercent', 'Buffer')) {
            $old = $before[$part[0]]
            $new = $dynamic[$part[0]]
            if ($old -eq $new) { continue }
            $needs = 'any'
            if ($null -eq $old -or ($part[0] -eq 'minimumBytes' -and $new -gt $old) -or ($part[0] -eq 'maximumBytes' -and $new -lt $old)) { $needs = 'off' }
            New-Setting -Field 'memory.dynamic' -Group 'memory' -Needs $needs -Param $part[1] -Value $new
        }
    }
    if ($Memory.ContainsKey('weight') -and $Memory['weight'] -ne $View['memory']['weight']) {
        # Set-VMMemory counts 0 to 100, CIM 0 to 10000.
        New-Setting -Field 'memory.weight' -Group 'memory' -Needs 'any' -Param 'Priority' -Value ([int][Math]::Round($Memory['weight'] / 100))
    }
}

function Get-StartupNeed {
    <# .SYNOPSIS Startup memory of a running static machine: its guest must take part; Linux can't give back. Hyper-V's own refusal becomes RequiresPowerOff. #>
    param([System.Collections.IDictionary]$View, [long]$Bytes)
    if ($View['state'] -ne 'Running' -or $null -ne $View['memory']['dynamic'] -or $View['heartbeat'] -ne 'OK') { return 'off' }
    $growth = $Bytes - $View['memory']['startupBytes']
    $system = ''
    if ($null -ne $View['guest'] -and $null -ne $View['guest']['osName']) { $system = $View['guest']['osName'] }
    if ($growth -lt 0 -and (Get-OsFamily -Name $system) -ne 'Windows') { return 'off' }
    if ($growth -gt 0) { Assert-Memory -Vm @{ Name = $View['name'] } -Bytes $growth }
    return 'any'
}

function Get-FirmwareSetting {
    param([System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Firmware)
    if ($null -eq $View['firmware']) { Stop-Operation -Code 'InvalidRequest' -Message 'firmware: Secure Boot needs a machine of generation 2' }
    if ($Firmware.ContainsKey('secureBoot') -and $Firmware['secureBoot'] -ne $View['firmware']['secureBoot']) {
        $value = 'Off'
        if ($Firmware['secureBoot']) { $value = 'On' }
        New-Setting -Field 'firmware.secureBoot' -Group 'firmware' -Needs 'off' -Param 'EnableSecureBoot' -Value $value
    }
    if ($Firmware.ContainsKey('secureBootTemplate') -and $Firmware['secureBootTemplate'] -ne $View['firmware']['secureBootTemplate']) {
        New-Setting -Field 'firmware.secureBootTemplate' -Group 'firmware' -Needs 'off' -Param 'SecureBootTemplate' -Value $Firmware['secureBootTemplate']
    }
}

function Get-TpmSetting {
    param([System.Collections.IDictionary]$View, [bool]$Tpm)
    if ($Tpm -and $View['generation'] -eq 1) { Stop-Operation -Code 'InvalidRequest' -Message 'tpm: a TPM needs a machine of generation 2' }
    if ($Tpm -ne $View['tpm']) { New-Setting -Field 'tpm' -Group 'tpm' -Needs 'off' -Param '' -Value $Tpm }
}

function Get-ServiceSetting {
    param([System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Services)
    foreach ($field in @($View['integrationServices'].Keys)) {
        if ($Services.ContainsKey($field) -and $Services[$field] -ne $View['integrationServices'][$field]) {
            New-Setting -Field "integrationServices.$field" -Group 'services' -Needs 'any' -Param $field -Value $Services[$field]
        }
    }
}

$script:ActionParameters = [ordered]@{
    automaticStartAction = @('AutomaticStartAction', 'any'); automaticStopAction = @('AutomaticStopAction', 'off'); automaticStartDelaySeconds = @('AutomaticStartDelay', 'any')
    checkpointType = @('CheckpointType', 'any'); automaticCheckpoints = @('AutomaticCheckpointsEnabled', 'any')
}

function Get-ActionSetting {
    param([System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Set)
    foreach ($field in $script:ActionParameters.Keys) {
        if (-not $Set.ContainsKey($field) -or $Set[$field] -eq $View[$field]) { continue }
        $param = $script:ActionParameters[$field]
        New-Setting -Field $field -Group 'actions' -Needs $param[1] -Param $param[0] -Value $Set[$field]
    }
}

function Get-BootKey {
    <# .SYNOPSIS Equal for two boot entries that name the same device (generation 2) or class (generation 1). #>
    param([System.Collections.IDictionary]$Entry, [long]$Generation)
    if ($Generation -eq 1) { return [string]$Entry['type'] }
    if ($Entry['type'] -eq 'NetworkAdapter') { return "NetworkAdapter $($Entry['adapterId'])".ToLowerInvariant() }
    return "$($Entry['type']) $($Entry['controllerNumber']):$($Entry['controllerLocation'])"
}

function Get-BootSetting {
    <# .SYNOPSIS The named devices first, in that order; the others keep theirs behind. UEFI takes a new order at any time, a BIOS only while off. #>
    param([System.Collections.IDictionary]$View, [object[]]$Wanted)
    $generation = $View['generation']
    $have = @($View['bootOrder'] | ForEach-Object -Process { Get-BootKey -Entry $_ -Generation $generation })
    $order = New-Object -TypeName 'System.Collections.ArrayList'
    for ($index = 0; $index -lt $Wanted.Count; $index++) {
        $key = Get-BootKey -Entry $Wanted[$index] -Generation $generation
        if ($have -notcontains $key) { Stop-Operation -Code 'NotFound' -Message "bootOrder[$index]: $($View['name']) has no $key" }
        if ($order -notcontains $key) { $null = $order.Add($key) }
    }
    foreach ($key in $have) { if ($order -notcontains $key) { $null = $order.Add($key) } }
    if (($order -join '|') -ceq ($have -join '|')) { return }
    $needs = 'any'
    if ($generation -eq 1) { $needs = 'off' }
    New-Setting -Field 'bootOrder' -Group 'boot' -Needs $needs -Param '' -Value $order.ToArray()
}

function Get-NameSetting {
    param([hashtable]$World, [System.Collections.IDictionary]$View, [string]$Name)
    if ($Name -ceq $View['name']) { return }
    foreach ($other in (Get-VmIndex -World $World).Values) {
        if ($other.Id -ne $View['id'] -and $other.Name -eq $Name) { Stop-Operation -Code 'NameConflict' -Message "the host has another virtual machine named `"$($other.Name)`" ($($other.Id))" }
    }
    New-Setting -Field 'name' -Group 'name' -Needs 'any' -Param 'NewName' -Value $Name
}

function Assert-SettingState {
    <# .SYNOPSIS Whether the machine's state takes the changes: Saved and Paused ones take notes only. #>
    param([hashtable]$Vm, [object[]]$Setting)
    $hard = @($Setting | Where-Object -FilterScript { $_.Group -ne 'notes' })
    if ($hard.Count -eq 0) { return }
    $off = @($hard | Where-Object -FilterScript { $_.Needs -eq 'off' })
    Assert-NotSuspended -Vm $Vm -What "changing $($hard[0].Field)"
    if ($off.Count -gt 0) { Assert-Off -Vm $Vm -What "changing $(@($off | ForEach-Object -Process { $_.Field } | Select-Object -Unique) -join ', ')" }
}
