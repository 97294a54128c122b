function Invoke-NicCreate {
    <# .SYNOPSIS nic.create: named <name>.<first 8 of the uid>; a repeat finds it by that name inside the machine, or by adopt. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $vm = Get-OwnedVm -Job $Job -Owner $spec['vmOwner'] -Id $spec['vmId']
    $world = Get-World -Job $Job
    $view = Get-VmView -World $world -Id $vm.Id
    $name = Get-AdapterName -Owner $spec['owner']
    $present = Find-PresentAdapter -Job $Job -View $view
    $id = ''
    $mac = ''
    if ($null -eq $present) {
        Assert-AdapterCreate -Job $Job -World $world -Vm $vm -View $view
        $mac = Get-NewMac -World $world -Spec $spec
    }
    Add-Touched -Job $Job -Vm $vm.Id
    $others = Copy-Map -Map $spec['config']
    $others.Remove('macAddress')
    if ($null -eq $present) {
        # Checked before anything is made.
        $null = Get-NicPlan -World $world -Vm $vm -Adapter (Get-NewAdapterView -Legacy ([bool]$spec['legacy']) -Mac $mac) -Set $others
        $id = Invoke-Effect -Job $Job -Point 'created' -Action {
            # Chosen anew by one process at a time: adapters of other machines are made at the same moment.
            Use-StateLock -LockFile 'addresses.lock' -Action { New-Adapter -Id $vm.Id -Name $name -Mac (Get-NewMac -World (Get-World -Job $Job) -Spec $spec) -Legacy ([bool]$spec['legacy']) }
        }
        if ($Job.DryRun) { return [ordered]@{ adapterId = "Microsoft:$($script:NilGuid)"; macAddress = $mac } }
    }
    else {
        $id = $present['id']
        if ($present['name'] -cne $name) { Invoke-Effect -Job $Job -Point 'renamed' -Action { Hyper-V\Rename-VMNetworkAdapter -VMNetworkAdapter (Get-AdapterObject -Id $vm.Id -AdapterId $id) -NewName $name -ErrorAction 'Stop' } }
        if ($null -ne $spec['config']['macAddress']) { $others = $spec['config'] }
    }
    Set-NicConfig -Job $Job -VmId $vm.Id -AdapterId $id -Set $others
    $now = Find-AdapterView -View (Get-VmView -World (Get-World -Job $Job) -Id $vm.Id) -AdapterId $id
    return [ordered]@{ adapterId = $id; macAddress = $now['macAddress'] }
}

function Get-NewMac {
    <# .SYNOPSIS The address of an adapter to make: the one that is asked for, if nobody has it, or a free one. #>
    param([hashtable]$World, [System.Collections.IDictionary]$Spec)
    $mac = $Spec['config']['macAddress']
    if ($null -eq $mac) { return Get-FreeMac -World $World -Avoid @($Spec['avoidMacs']) }
    Assert-Mac -World $World -Mac $mac -OwnId ''
    return $mac
}

function Find-AdapterView {
    param([System.Collections.IDictionary]$View, [string]$AdapterId)
    foreach ($one in @($View['adapters'])) { if ($one['id'] -eq $AdapterId) { return $one } }
    return $null
}

function Get-NewAdapterView {
    param([bool]$Legacy, [string]$Mac)
    return [ordered]@{
        id = ''; name = ''; macAddress = $Mac; dynamicMac = $false; legacy = $Legacy; connected = $false; vlan = [ordered]@{ mode = 'Untagged' }
        macSpoofing = $false; dhcpGuard = $false; routerGuard = $false; bandwidth = [ordered]@{}; ipAddresses = @()
    }
}

function Find-PresentAdapter {
    <# .SYNOPSIS The adapter that an earlier create made, or the one to adopt; $null when there is none. #>
    param([hashtable]$Job, [System.Collections.IDictionary]$View)
    $name = Get-AdapterName -Owner $Job.Spec['owner']
    $named = @(@($View['adapters']) | Where-Object -FilterScript { $_['name'] -ceq $name })
    if ($named.Count -gt 1) { Stop-Operation -Code 'OwnershipAmbiguous' -Message "$($View['name']) has $($named.Count) adapters named $name" }
    if ($named.Count -eq 1) { return $named[0] }
    $adopt = $Job.Spec['adopt']
    if ($null -eq $adopt) { return $null }
    $found = @(@($View['adapters']) | Where-Object -FilterScript { ($null -ne $adopt['id'] -and $_['id'] -eq $adopt['id']) -or ($null -ne $adopt['macAddress'] -and $_['macAddress'] -eq $adopt['macAddress']) })
    if ($found.Count -eq 0) { Stop-Operation -Code 'NotFound' -Message "$($View['name']) has no adapter $(Get-First -Of @($adopt['id'], $adopt['macAddress'], ''))" }
    # The same object's of a lost store: its name with another uid. The control plane asks only when no object has that uid.
    if ($found[0]['name'] -cmatch ('\A' + [regex]::Escape($Job.Spec['owner']['name']) + '\.[0-9a-f]{8}\z')) { return $found[0] }
    Assert-Unnamed -View $View -Adapter $found[0] -Name $name
    return $found[0]
}

function Assert-Unnamed {
    <# .SYNOPSIS OwnedByOther for an adapter with the name of another object's. #>
    param([System.Collections.IDictionary]$View, [System.Collections.IDictionary]$Adapter, [string]$Name)
    if ($Adapter['name'] -cne $Name -and $Adapter['name'] -cmatch '\.[0-9a-f]{8}\z') {
        Stop-Operation -Code 'OwnedByOther' -Message "adapter `"$($Adapter['name'])`" of $($View['name']) is another object's, not $Name"
    }
}

function Assert-AdapterCreate {
    param([hashtable]$Job, [hashtable]$World, [hashtable]$Vm, [System.Collections.IDictionary]$View)
    $legacy = [bool]$Job.Spec['legacy']
    if ($legacy -and $Vm.Generation -eq 2) { Stop-Operation -Code 'InvalidRequest' -Message 'legacy: a legacy adapter needs a machine of generation 1' }
    Assert-NotSuspended -Vm $Vm -What 'adding an adapter'
    if ($Vm.Generation -eq 1) { Assert-Off -Vm $Vm -What 'adding an adapter' }
    $limit = 8
    $kind = 'synthetic'
    if ($legacy) { $limit = 4; $kind = 'legacy' }
    if (@(@($View['adapters']) | Where-Object -FilterScript { $_['legacy'] -eq $legacy }).Count -ge $limit) { Stop-Operation -Code 'InvalidRequest' -Message "$($Vm.Name) has $limit $kind adapters, the most there can be" }
}

function New-Adapter {
    <# .SYNOPSIS Makes the adapter with its static address; its id. Inside an effect. #>
    param([string]$Id, [string]$Name, [string]$Mac, [bool]$Legacy)
    $options = @{ Name = $Name; StaticMacAddress = $Mac; Passthru = $true }
    if ($Legacy) { $options['IsLegacy'] = $true }
    return [string](Hyper-V\Add-VMNetworkAdapter -VM (Get-VmObject -Id $Id) @options -ErrorAction 'Stop').Id
}

function Set-NicConfig {
    <# .SYNOPSIS Sets what differs. #>
    param([hashtable]$Job, [string]$VmId, [string]$AdapterId, [System.Collections.IDictionary]$Set)
    $world = Get-World -Job $Job
    $vm = Get-KnownVm -World $world -Id $VmId
    $adapter = Find-AdapterView -View (Get-VmView -World $world -Id $VmId) -AdapterId $AdapterId
    if ($null -eq $adapter) { Stop-Operation -Code 'NotFound' -Message "$($vm.Name) has no adapter $AdapterId" }
    $plan = Get-NicPlan -World $world -Vm $vm -Adapter $adapter -Set $Set
    if (Test-EmptyPlan -Plan $plan) { return }
    Assert-NotBusy -Vm $vm
    Invoke-Effect -Job $Job -Point 'configured' -Action { Set-NicPlan -Id $VmId -AdapterId $AdapterId -Plan $plan }
}

function Find-OwnAdapter {
    <# .SYNOPSIS The target's adapter, by its id; OwnedByOther when its name is another object's; $null when there is none. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $vm = Get-OwnedVm -Job $Job -Owner $spec['vmOwner'] -Id $spec['vmId']
    $view = Get-VmView -World (Get-World -Job $Job) -Id $vm.Id
    $adapter = Find-AdapterView -View $view -AdapterId $spec['adapterId']
    if ($null -ne $adapter) { Assert-Unnamed -View $view -Adapter $adapter -Name (Get-AdapterName -Owner $spec['owner']) }
    return $adapter
}

function Invoke-NicGet {
    <# .SYNOPSIS nic.get #>
    param([hashtable]$Job)
    Add-Touched -Job $Job -Vm $Job.Spec['vmId']
    $null = Find-OwnAdapter -Job $Job
}

function Invoke-NicUpdate {
    <# .SYNOPSIS nic.update; release gives the adapter its bare name back. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    Add-Touched -Job $Job -Vm $spec['vmId']
    $vm = Get-KnownVm -World (Get-World -Job $Job) -Id $spec['vmId']
    Assert-NotBusy -Vm $vm
    $adapter = Find-OwnAdapter -Job $Job
    if ($null -eq $adapter) { Stop-Operation -Code 'NotFound' -Message "$($vm.Name) has no adapter $($spec['adapterId'])" }
    Set-NicConfig -Job $Job -VmId $vm.Id -AdapterId $adapter['id'] -Set $spec['set']
    $name = Get-AdapterName -Owner $spec['owner']
    if ($spec['release']) { $name = $spec['owner']['name'] }
    if ($adapter['name'] -cne $name) { Invoke-Effect -Job $Job -Point 'renamed' -Action { Hyper-V\Rename-VMNetworkAdapter -VMNetworkAdapter (Get-AdapterObject -Id $vm.Id -AdapterId $adapter['id']) -NewName $name -ErrorAction 'Stop' } }
}

function Invoke-NicDelete {
    <# .SYNOPSIS nic.delete. Absent already = success. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    Add-Touched -Job $Job -Vm $spec['vmId']
    $vm = Find-Vm -World (Get-World -Job $Job) -Id $spec['vmId']
    if ($null -eq $vm) { return }
    $adapter = Find-OwnAdapter -Job $Job
    if ($null -eq $adapter) { return }
    Assert-NotSuspended -Vm $vm -What 'removing an adapter'
    if ($vm.Generation -eq 1) { Assert-Off -Vm $vm -What 'removing an adapter' }
    Invoke-Effect -Job $Job -Point 'removed' -Action { Hyper-V\Remove-VMNetworkAdapter -VMNetworkAdapter (Get-AdapterObject -Id $vm.Id -AdapterId $adapter['id']) -ErrorAction 'Stop' }
}
