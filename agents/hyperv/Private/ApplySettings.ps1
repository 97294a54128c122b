# Integration services by the last part of their id: names are localised.
$script:ServiceIds = @{
    guestServiceInterface = '6C09BB55-D683-4DA0-8931-C9BF705F6480'
    heartbeat = '84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47'
    keyValuePairExchange = '2A34B1C2-FD73-4043-8A5B-DD2159BC743F'
    shutdown = '9F8233AC-BE49-4C79-8EE3-E7E1985B2077'
    timeSynchronization = '2497F4DE-E9FA-4204-80E4-4B75C46419C0'
    vss = '5CED1297-4598-4915-A5FC-AD21BB4D02A4'
}
$script:BiosDevices = @{ Other = 'Floppy'; DVD = 'CD'; Disk = 'IDE'; NetworkAdapter = 'LegacyNetworkAdapter' }

function Set-VmSetting {
    <# .SYNOPSIS Carries the settings out, one effect a cmdlet, the name last. #>
    param([hashtable]$Job, [string]$Id, [object[]]$Setting)
    foreach ($group in $script:SettingGroups) {
        $some = @($Setting | Where-Object -FilterScript { $_.Group -eq $group })
        if ($some.Count -eq 0) { continue }
        if ($group -eq 'tpm' -and $some[0].Value) { Set-KeyProtector -Job $Job -Id $Id }
        $point = $group
        if ($group -eq 'name') { $point = 'renamed' }
        Invoke-Effect -Job $Job -Point $point -Action { Set-SettingGroup -Job $Job -Id $Id -Group $group -Setting $some }
    }
}

function Set-KeyProtector {
    <# .SYNOPSIS A second key protector would make the TPM's state undecryptable: only where there is none. #>
    param([hashtable]$Job, [string]$Id)
    if ($Job.DryRun) { return }
    $present = @(Hyper-V\Get-VMKeyProtector -VM (Get-VmObject -Id $Id) -ErrorAction 'Stop')
    if ($present.Count -gt 4) { return }
    Invoke-Effect -Job $Job -Point 'keyProtector' -Action { Hyper-V\Set-VMKeyProtector -VM (Get-VmObject -Id $Id) -NewLocalKeyProtector -ErrorAction 'Stop' }
}

function Set-SettingGroup {
    param([hashtable]$Job, [string]$Id, [string]$Group, [object[]]$Setting)
    $values = @{}
    foreach ($one in $Setting) { if ($one.Param -ne '') { $values[$one.Param] = $one.Value } }
    if ($Group -eq 'notes') { Set-UserNotes -Job $Job -Id $Id -Notes $Setting[0].Value; return }
    $vm = Get-VmObject -Id $Id
    switch ($Group) {
        'processor' { Hyper-V\Set-VMProcessor -VM $vm @values -ErrorAction 'Stop' }
        'memory' { Set-MemoryGroup -Vm $vm -Values $values }
        'firmware' { Hyper-V\Set-VMFirmware -VM $vm @values -ErrorAction 'Stop' }
        'tpm' { if ($Setting[0].Value) { Hyper-V\Enable-VMTPM -VM $vm -ErrorAction 'Stop' } else { Hyper-V\Disable-VMTPM -VM $vm -ErrorAction 'Stop' } }
        'services' { Set-ServiceGroup -Vm $vm -Values $values }
        'actions' { Set-ActionGroup -Vm $vm -Values $values }
        'boot' { Set-BootGroup -Job $Job -Vm $vm -Id $Id -Order @($Setting[0].Value) }
        'name' { Hyper-V\Rename-VM -VM $vm -NewName $Setting[0].Value -ErrorAction 'Stop' }
    }
}

function Set-UserNotes {
    param([hashtable]$Job, [string]$Id, [string]$Notes)
    $now = Get-KnownVm -World (Get-World -Job $Job) -Id $Id
    Set-VmNotes -Id $Id -Before $now.RawNotes -After (Join-Notes -Notes $Notes -Stamp $now.Stamp)
}

function Set-MemoryGroup {
    <# .SYNOPSIS Set-VMMemory; a running machine's refusal of new startup memory means that it needs to be off. #>
    param($Vm, [hashtable]$Values)
    try { Hyper-V\Set-VMMemory -VM $Vm @Values -ErrorAction 'Stop' }
    catch {
        if ([string]$Vm.State -ne 'Off' -and (Resolve-ErrorCode -Record $_) -in 'HyperVError', 'InvalidPowerState') {
            Stop-Operation -Code 'RequiresPowerOff' -Message "changing memory needs $($Vm.Name) to be off: $($_.Exception.Message)"
        }
        throw
    }
}

function Set-ActionGroup {
    <# .SYNOPSIS Set-VM; what this Windows does not know is named. A refusal while running means that it needs to be off. #>
    param($Vm, [hashtable]$Values)
    $known = (Get-Command -Name 'Hyper-V\Set-VM').Parameters
    foreach ($name in @($Values.Keys)) {
        if (-not $known.ContainsKey($name)) { Stop-Operation -Code 'InvalidRequest' -Message "Set-VM of this host knows no $name" }
    }
    try { Hyper-V\Set-VM -VM $Vm @Values -ErrorAction 'Stop' }
    catch {
        if ($Values.ContainsKey('AutomaticStartAction') -and [string]$Vm.State -ne 'Off' -and (Resolve-ErrorCode -Record $_) -in 'HyperVError', 'InvalidPowerState') {
            Stop-Operation -Code 'RequiresPowerOff' -Message "changing automaticStartAction needs $($Vm.Name) to be off: $($_.Exception.Message)"
        }
        throw
    }
}

function Set-ServiceGroup {
    param($Vm, [hashtable]$Values)
    $services = @(Hyper-V\Get-VMIntegrationService -VM $Vm -ErrorAction 'Stop')
    foreach ($field in @($Values.Keys)) {
        $found = @($services | Where-Object -FilterScript { [string]$_.Id -like "*$($script:ServiceIds[$field])*" })
        if ($found.Count -eq 0) { Stop-Operation -Code 'InvalidRequest' -Message "integrationServices.$field`: $($Vm.Name) has no such service" }
        if ($Values[$field]) { Hyper-V\Enable-VMIntegrationService -VMIntegrationService $found[0] -ErrorAction 'Stop' }
        else { Hyper-V\Disable-VMIntegrationService -VMIntegrationService $found[0] -ErrorAction 'Stop' }
    }
}

function Set-BootGroup {
    param([hashtable]$Job, $Vm, [string]$Id, [string[]]$Order)
    $view = Get-VmView -World (Get-World -Job $Job) -Id $Id
    if ($view['generation'] -eq 1) {
        Hyper-V\Set-VMBios -VM $Vm -StartupOrder @($Order | ForEach-Object -Process { $script:BiosDevices[$_] }) -ErrorAction 'Stop'
        return
    }
    # The entries of Get-VMFirmware come in the order that CIM tells.
    $entries = @((Hyper-V\Get-VMFirmware -VM $Vm -ErrorAction 'Stop').BootOrder)
    $keys = @($view['bootOrder'] | ForEach-Object -Process { Get-BootKey -Entry $_ -Generation 2 })
    if ($keys.Count -ne $entries.Count) { Stop-Operation -Code 'Busy' -Message "the boot order of $($Vm.Name) changed while it was read" }
    $sorted = @(foreach ($key in $Order) { $entries[[array]::IndexOf($keys, $key)] })
    Hyper-V\Set-VMFirmware -VM $Vm -BootOrder $sorted -ErrorAction 'Stop'
}
