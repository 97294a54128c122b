$script:Towards = @{ Running = @('Starting', 'Resuming'); Off = @('Stopping'); Saved = @('Saving'); Paused = @('Pausing') }

function Invoke-VmPower {
    <# .SYNOPSIS vm.power: Running, Off, Saved or Paused. A transition that an earlier job began is waited for. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $id = $spec['vmId']
    $vm = Get-OwnedVm -Job $Job -Owner $spec['owner'] -Id $id
    Add-Touched -Job $Job -Vm $id -WithDisks
    if ($script:Towards[$spec['state']] -contains $vm.State) {
        $null = Wait-VmState -Job $Job -Id $id -State $spec['state'] -Seconds 10
        $vm = Get-KnownVm -World (Get-World -Job $Job) -Id $id
    }
    if ($vm.State -eq $spec['state']) { return }
    Assert-NotBusy -Vm $vm
    $mode = Get-First -Of @($spec['mode'], 'Graceful')
    switch ($spec['state']) {
        'Running' { Start-Machine -Job $Job -Vm $vm }
        'Off' {
            # A saved state is never discarded unasked: it equals pulling the plug.
            if ($vm.State -eq 'Saved' -and $mode -ne 'TurnOff') { Stop-Operation -Code 'InvalidPowerState' -Message "$($vm.Name) is Saved; start it, or turn it off to discard its state" }
            Stop-Machine -Job $Job -Vm $vm -Mode $mode
        }
        'Saved' {
            if ($vm.State -eq 'Off') { Stop-Impossible -Vm $vm -State 'Saved' }
            Suspend-Machine -Job $Job -Vm $vm -State 'Saved'
        }
        'Paused' {
            if ($vm.State -ne 'Running') { Stop-Impossible -Vm $vm -State 'Paused' }
            Suspend-Machine -Job $Job -Vm $vm -State 'Paused'
        }
    }
}

function Invoke-VmRestart {
    <# .SYNOPSIS vm.restart: a graceful stop, wait for Off, start. Restart-VM would be a hard reset. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $id = $spec['vmId']
    $vm = Get-OwnedVm -Job $Job -Owner $spec['owner'] -Id $id
    Add-Touched -Job $Job -Vm $id -WithDisks
    Assert-NotBusy -Vm $vm
    if ($vm.State -in 'Saved', 'Paused') { Stop-Impossible -Vm $vm -State 'restarted' }
    if ($vm.State -eq 'Running') {
        Stop-Machine -Job $Job -Vm $vm -Mode (Get-First -Of @($spec['mode'], 'Graceful'))
        if (-not $Job.DryRun) { $vm = Get-KnownVm -World (Get-World -Job $Job) -Id $id }
    }
    Start-Machine -Job $Job -Vm $vm
}

function Stop-Impossible {
    param([hashtable]$Vm, [string]$State)
    Stop-Operation -Code 'InvalidPowerState' -Message "$($Vm.Name) is $($Vm.State); it can't become $State from there"
}

function Wait-VmState {
    <# .SYNOPSIS Whether the machine gets the state in time; 0 = the job's own deadline. #>
    param([hashtable]$Job, [string]$Id, [string]$State, [double]$Seconds)
    if ($Job.DryRun) { return $true }
    $until = $Job.Until.AddSeconds(1)
    if ($Seconds -gt 0) { $until = [DateTime]::UtcNow.AddSeconds($Seconds) }
    $pause = 20
    while ($true) {
        $rows = @(Get-CimRow -Class 'Msvm_ComputerSystem' -Filter "Name = '$($Id.ToUpperInvariant())'")
        $Job.World = $null
        if ($rows.Count -gt 0 -and (Get-VmStateName -Row $rows[0]).State -eq $State) { return $true }
        if ([DateTime]::UtcNow -ge $until) { return $false }
        Wait-AgentJob -Job $Job -Milliseconds $pause
        $pause = [Math]::Min(500, $pause * 2)
    }
}

function Start-Machine {
    param([hashtable]$Job, [hashtable]$Vm)
    $view = Get-VmView -World (Get-World -Job $Job) -Id $Vm.Id
    if ($Vm.State -ne 'Paused') { Assert-Memory -Vm $Vm -Bytes $view['memory']['startupBytes'] }
    $resume = $Vm.State -eq 'Paused'
    Invoke-Effect -Job $Job -Point 'starting' -Action {
        $machine = Get-VmObject -Id $Vm.Id
        if ($resume) { Hyper-V\Resume-VM -VM $machine -ErrorAction 'Stop' } else { Hyper-V\Start-VM -VM $machine -ErrorAction 'Stop' }
    }
    $null = Wait-VmState -Job $Job -Id $Vm.Id -State 'Running' -Seconds 0
}

function Stop-Machine {
    param([hashtable]$Job, [hashtable]$Vm, [string]$Mode)
    if ($Mode -ne 'TurnOff' -and $Vm.State -eq 'Paused') { Stop-Operation -Code 'InvalidPowerState' -Message "$($Vm.Name) is Paused; resume it before a graceful stop" }
    if ($Mode -eq 'TurnOff') { Stop-Hard -Job $Job -Vm $Vm; return }
    $seconds = [double](Get-First -Of @($Job.Spec['timeoutSeconds'], 900))
    $end = Stop-Graceful -Job $Job -Vm $Vm -Seconds $seconds
    if ($end -eq 'off') { return }
    if ($Mode -eq 'GracefulThenTurnOff') {
        Write-JobLog -Job $Job -Level 'warn' -Text "$($Vm.Name) did not shut down ($end); turning it off"
        Stop-Hard -Job $Job -Vm $Vm
        return
    }
    if ($end -eq 'silent') { Stop-Operation -Code 'GuestNotReady' -Message "the integration services of $($Vm.Name) do not answer" }
    Stop-Operation -Code 'GuestNotReady' -Message "$($Vm.Name) did not shut down within $seconds s"
}

function Stop-Hard {
    param([hashtable]$Job, [hashtable]$Vm)
    Invoke-Effect -Job $Job -Point 'turnedOff' -Action { Hyper-V\Stop-VM -VM (Get-VmObject -Id $Vm.Id) -TurnOff -Force -ErrorAction 'Stop' }
    $null = Wait-VmState -Job $Job -Id $Vm.Id -State 'Off' -Seconds 0
}

function Stop-Graceful {
    <# .SYNOPSIS Asks the guest to shut down: 'off', 'silent' when nobody answers there, 'late' when it did not end in time. #>
    param([hashtable]$Job, [hashtable]$Vm, [double]$Seconds)
    $view = Get-VmView -World (Get-World -Job $Job) -Id $Vm.Id
    if ($view['heartbeat'] -ne 'OK' -or -not $view['integrationServices']['shutdown']) { return 'silent' }
    $services = @(Get-CimRow -Class 'Msvm_ShutdownComponent' -Filter "SystemName = '$($Vm.Id.ToUpperInvariant())'")
    if ($services.Count -eq 0) { return 'silent' }
    if ($Job.DryRun) { return 'off' }
    $answer = @{ Value = 0 }
    Invoke-Effect -Job $Job -Point 'shuttingDown' -Action {
        # Force = false: a locked guest is not killed.
        $order = @{ Force = $false; Reason = 'AetherV' }
        $answer.Value = [long](CimCmdlets\Invoke-CimMethod -InputObject $services[0] -MethodName 'InitiateShutdown' -Arguments $order -ErrorAction 'Stop').ReturnValue
    }
    if ($answer.Value -notin 0, 4096) { return 'silent' }
    if (Wait-VmState -Job $Job -Id $Vm.Id -State 'Off' -Seconds $Seconds) { return 'off' }
    return 'late'
}

function Suspend-Machine {
    param([hashtable]$Job, [hashtable]$Vm, [string]$State)
    $point = 'pausing'
    if ($State -eq 'Saved') { $point = 'saving' }
    Invoke-Effect -Job $Job -Point $point -Action {
        $machine = Get-VmObject -Id $Vm.Id
        if ($State -eq 'Saved') { Hyper-V\Save-VM -VM $machine -ErrorAction 'Stop' } else { Hyper-V\Suspend-VM -VM $machine -ErrorAction 'Stop' }
    }
    $null = Wait-VmState -Job $Job -Id $Vm.Id -State $State -Seconds 0
}
