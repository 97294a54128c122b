function Invoke-VmGet {
    <# .SYNOPSIS vm.get: the machine by id, and those that carry the owner's stamp. #>
    param([hashtable]$Job)
    if ($null -ne $Job.Spec['vmId']) { Add-Touched -Job $Job -Vm $Job.Spec['vmId'] -WithDisks }
    foreach ($vm in @(Get-StampedVm -World (Get-World -Job $Job) -ControlPlane $Job.ControlPlane -Uid $Job.Spec['owner']['uid'])) { Add-Touched -Job $Job -Vm $vm.Id -WithDisks }
}

function Invoke-VmUpdate {
    <# .SYNOPSIS vm.update: claim, settings, release. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    Add-Touched -Job $Job -Vm $spec['vmId']
    if ($null -ne $spec['claim']) { Set-Claim -Job $Job }
    if (-not ($spec['release'] -and $spec['set'].Count -eq 0)) {
        $vm = $null
        if ($Job.DryRun -and $null -ne $spec['claim']) { $vm = Get-KnownVm -World (Get-World -Job $Job) -Id $spec['vmId'] }
        else { $vm = Get-OwnedVm -Job $Job -Owner $spec['owner'] -Id $spec['vmId'] }
        $world = Get-World -Job $Job
        $settings = @(Get-Setting -World $world -View (Get-VmView -World $world -Id $vm.Id) -Set $spec['set'])
        Assert-SettingState -Vm $vm -Setting $settings
        Set-VmSetting -Job $Job -Id $vm.Id -Setting $settings
    }
    if ($spec['release']) { Clear-Stamp -Job $Job }
}

function Set-Claim {
    <# .SYNOPSIS Writes the owner's stamp on a machine that it may take. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $world = Get-World -Job $Job
    $vm = Get-KnownVm -World $world -Id $spec['vmId']
    Assert-Claim -Vm $vm -ControlPlane $Job.ControlPlane -Owner $spec['owner'] -Claim $spec['claim']
    $others = @(Get-StampedVm -World $world -ControlPlane $Job.ControlPlane -Uid $spec['owner']['uid'] | Where-Object -FilterScript { $_.Id -ne $vm.Id })
    if ($others.Count -gt 0) { Stop-Operation -Code 'OwnershipAmbiguous' -Message "uid $($spec['owner']['uid']) is marked on $($others[0].Name) ($($others[0].Id)) already" }
    $stamp = Get-ValidStamp -Vm $vm
    if ($null -ne $stamp -and $stamp['uid'] -ceq $spec['owner']['uid']) { return }
    $after = Join-Notes -Notes $vm.Notes -Stamp (New-Stamp -ControlPlane $Job.ControlPlane -Owner $spec['owner'] -VmId $vm.Id)
    Invoke-Effect -Job $Job -Point 'claimed' -Action { Set-VmNotes -Id $vm.Id -Before $vm.RawNotes -After $after }
}

function Clear-Stamp {
    param([hashtable]$Job)
    $vm = Find-Vm -World (Get-World -Job $Job) -Id $Job.Spec['vmId']
    if ($null -eq $vm -or $null -eq $vm.Stamp) { return }
    $null = Find-OwnedVm -Job $Job -Owner $Job.Spec['owner'] -Id $vm.Id
    Invoke-Effect -Job $Job -Point 'released' -Action { Set-VmNotes -Id $vm.Id -Before $vm.RawNotes -After $vm.Notes }
}

function Invoke-VmDelete {
    <# .SYNOPSIS vm.delete: removes checkpoints, waits until nothing merges, removes the machine. Its disks' files stay. #>
    param([hashtable]$Job)
    $id = $Job.Spec['vmId']
    Add-Touched -Job $Job -Vm $id -WithDisks
    $vm = Find-OwnedVm -Job $Job -Owner $Job.Spec['owner'] -Id $id
    if ($null -eq $vm) { return }
    Assert-Removable -Vm $vm
    Remove-Checkpoint -Job $Job -Id $id
    Wait-Merged -Job $Job -Id $id
    if (-not $Job.DryRun) { Add-Touched -Job $Job -Vm $id -WithDisks }
    Invoke-Effect -Job $Job -Point 'removed' -Action {
        $now = Find-OwnedVm -Job $Job -Owner $Job.Spec['owner'] -Id $id
        if ($null -eq $now) { return }
        Assert-Off -Vm $now -What 'deleting it'
        Hyper-V\Remove-VM -VM (Get-VmObject -Id $id) -Force -ErrorAction 'Stop'
    }
}

function Assert-Removable {
    <# .SYNOPSIS Off; a merge in progress is waited for. #>
    param([hashtable]$Vm)
    $calm = $Vm.Clone()
    $calm.Merging = $false
    Assert-Off -Vm $calm -What 'deleting it'
}

function Remove-Checkpoint {
    <# .SYNOPSIS Removes every checkpoint of the machine, backup products' ones too. #>
    param([hashtable]$Job, [string]$Id)
    if ($Job.DryRun) { return }
    for ($round = 0; $round -lt 256; $round++) {
        $checkpoints = @(Hyper-V\Get-VMSnapshot -VM (Get-VmObject -Id $Id) -ErrorAction 'Stop')
        if ($checkpoints.Count -eq 0) { return }
        Invoke-Effect -Job $Job -Point 'checkpointRemoved' -Action { Hyper-V\Remove-VMSnapshot -VMSnapshot $checkpoints[0] -ErrorAction 'Stop' }
        Write-JobProgress -Job $Job -Percent 10 -Text "merging checkpoint $($checkpoints[0].Name)"
    }
}

function Wait-Merged {
    <# .SYNOPSIS Until no attached path is a checkpoint's file and nothing merges. #>
    param([hashtable]$Job, [string]$Id)
    if ($Job.DryRun) { return }
    while ($true) {
        $Job.World = $null
        $vm = Find-Vm -World (Get-World -Job $Job) -Id $Id
        if ($null -eq $vm) { return }
        $open = @($vm.Disks | Where-Object -FilterScript { Test-CheckpointPath -Path $_.Path })
        if (-not $vm.Merging -and $open.Count -eq 0) { return }
        Wait-AgentJob -Job $Job -Milliseconds 250
    }
}
