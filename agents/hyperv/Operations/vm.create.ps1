function Invoke-VmCreate {
    <#
    .SYNOPSIS vm.create: makes aetherv-<uid>, stamps it, configures it, renames it last.
    .DESCRIPTION A repeat finds the stamp or the temporary name and goes on where the earlier try ended.
    #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $world = Get-World -Job $Job
    Assert-Generation -Spec $spec
    $started = Find-StartedVm -Job $Job
    $name = Get-First -Of @($spec['config']['name'], $spec['owner']['name'])
    Assert-NameFree -World $world -Name $name -Own $started
    if ($null -eq $spec['storageClass']) { $folder = Get-CheckedFolder -World $world -Path $spec['layout']['virtualMachinePath'] -Code 'InvalidRequest' }
    else { $folder = Get-ClassPath -World $world -Layout $spec['layout'] -Name $spec['storageClass'] }
    if ($null -ne $started -and $started.Generation -ne $spec['generation']) {
        Stop-Operation -Code 'InvalidRequest' -Message "generation: $($started.Name) has generation $($started.Generation), which never changes"
    }
    # Settings that the host refuses whatever the state must not leave a half-made machine.
    $probe = Get-NewVmView -Generation $spec['generation']
    if ($null -ne $started) { $probe = Get-VmView -World $world -Id $started.Id }
    $config = Get-CreateConfig -Spec $spec
    $early = Copy-Map -Map $config
    $early.Remove('bootOrder')
    $early.Remove('name')
    $null = @(Get-Setting -World $world -View $probe -Set $early)

    $recovered = $false
    $id = ''
    if ($null -ne $started) { $id = $started.Id }
    else {
        $id = Register-LeftVm -Job $Job
        $recovered = $id -ne ''
        if (-not $recovered) { $id = New-TemporaryVm -Job $Job -Folder $folder }
    }
    $answer = [ordered]@{ vmId = $id }
    if ($spec.ContainsKey('recoverId')) { $answer['recovered'] = $recovered }
    if ($Job.DryRun) {
        if ($null -eq $started) { $answer['vmId'] = $script:NilGuid }
        return $answer
    }
    Add-Touched -Job $Job -Vm $id
    Complete-Vm -Job $Job -Id $id -Recovered $recovered -Config $config -Name $name
    return $answer
}

function Copy-Map {
    param([System.Collections.IDictionary]$Map)
    $copy = New-JsonMap
    foreach ($entry in @($Map.GetEnumerator())) { $copy[$entry.Key] = $entry.Value }
    return $copy
}

function Assert-Generation {
    param([System.Collections.IDictionary]$Spec)
    if ($Spec['generation'] -ne 1) { return }
    if ($null -ne $Spec['config']['firmware']) { Stop-Operation -Code 'InvalidRequest' -Message 'config.firmware: Secure Boot needs generation 2' }
    if ($Spec['config']['tpm']) { Stop-Operation -Code 'InvalidRequest' -Message 'config.tpm: a TPM needs generation 2' }
}

function Get-CreateConfig {
    <# .SYNOPSIS The config; Linux boots only with Microsoft's UEFI certificate authority. #>
    param([System.Collections.IDictionary]$Spec)
    $config = Copy-Map -Map $Spec['config']
    if ($Spec['generation'] -eq 1 -or $Spec['osFamily'] -ne 'Linux') { return $config }
    $firmware = New-JsonMap
    if ($null -ne $config['firmware']) { $firmware = Copy-Map -Map $config['firmware'] }
    if ($null -eq $firmware['secureBootTemplate']) { $firmware['secureBootTemplate'] = 'MicrosoftUEFICertificateAuthority' }
    $config['firmware'] = $firmware
    return $config
}

function Get-NewVmView {
    <# .SYNOPSIS What is known of a machine before it is made: enough to refuse settings early. #>
    param([long]$Generation)
    $view = @{
        id = ''; name = ''; notes = ''; generation = $Generation; state = 'Off'; tpm = $false; heartbeat = 'NoContact'
        cpu = @{ count = 1; reservePercent = 0; limitPercent = 100; relativeWeight = 100; exposeVirtualizationExtensions = $false; compatibilityMode = $false }
        memory = @{ startupBytes = [long]536870912; weight = 5000 }
        integrationServices = [ordered]@{ guestServiceInterface = $false; heartbeat = $true; keyValuePairExchange = $true; shutdown = $true; timeSynchronization = $true; vss = $true }
        automaticStartAction = 'StartIfRunning'; automaticStopAction = 'Save'; automaticStartDelaySeconds = 0; checkpointType = 'Production'; automaticCheckpoints = $false
        bootOrder = @()
    }
    if ($Generation -eq 2) { $view['firmware'] = @{ secureBoot = $true; secureBootTemplate = 'MicrosoftWindows' } }
    return $view
}

function Get-TemporaryName { param([System.Collections.IDictionary]$Owner) return "aetherv-$($Owner['uid'])" }

function Find-StartedVm {
    <# .SYNOPSIS What an earlier, interrupted create of the same object left: by its stamp; only where none has it, the one not stamped yet. #>
    param([hashtable]$Job)
    $world = Get-World -Job $Job
    $owner = $Job.Spec['owner']
    $found = @(Get-StampedVm -World $world -ControlPlane $Job.ControlPlane -Uid $owner['uid'])
    if ($found.Count -eq 0) { $found = @((Get-VmIndex -World $world).Values | Where-Object -FilterScript { Test-NotStampedYet -Spec $Job.Spec -Vm $_ }) }
    if ($found.Count -gt 1) {
        $names = @($found | ForEach-Object -Process { "$($_.Name) ($($_.Id))" }) -join ' and '
        Stop-Operation -Code 'OwnershipAmbiguous' -Message "$names both claim uid $($owner['uid'])"
    }
    if ($found.Count -eq 0) { return $null }
    return $found[0]
}

function Test-NotStampedYet {
    <# .SYNOPSIS Whether the machine is as a create leaves it that was cut off before the stamp. The name alone makes nobody's machine ours. #>
    param([System.Collections.IDictionary]$Spec, [hashtable]$Vm)
    if ($Vm.Name -cne (Get-TemporaryName -Owner $Spec['owner']) -or $null -ne $Vm.Stamp) { return $false }
    if ($Vm.State -ne 'Off' -or $Vm.Disks.Count -gt 0) { return $false }
    $path = [string](Get-RowValue -Row $Vm.Setting -Name 'ConfigurationDataRoot' -Default '')
    $folders = @($Spec['layout']['virtualMachinePath']) + @(foreach ($one in @($Spec['layout']['storageClasses'])) { $one['path'] })
    return @($folders | Where-Object -FilterScript { Test-UnderPath -Path $path -Folder $_ }).Count -gt 0
}

function Assert-NameFree {
    param([hashtable]$World, [string]$Name, $Own)
    foreach ($other in (Get-VmIndex -World $World).Values) {
        if ($other.Name -ne $Name -or ($null -ne $Own -and $Own.Id -eq $other.Id)) { continue }
        $stamp = Get-ValidStamp -Vm $other
        if ($null -ne $stamp) { Stop-Operation -Code 'OwnedByOther' -Message "the name `"$($other.Name)`" belongs to $(Get-OwnerText -Owner $stamp)" }
        Stop-Operation -Code 'NameConflict' -Message "the host has a virtual machine named `"$($other.Name)`" ($($other.Id)) that nobody here owns"
    }
}

function Remove-UnfitDrive {
    <#
    .SYNOPSIS
        The report without drives whose files were moved or deleted since, or are another machine's by now: nothing can be registered with the
        former, and the latter would be attached twice. Their disks are attached again where they belong. Changes only what the report is
        about, which is not on the host yet.
    #>
    param([hashtable]$Job, $Report)
    $sources = @($Report.Incompatibilities | Where-Object -FilterScript { $null -ne $_ } | ForEach-Object -Process { $_.Source })
    $drives = @($sources | Where-Object -FilterScript { $null -ne $_ -and $_.PSObject.TypeNames -contains 'Microsoft.HyperV.PowerShell.HardDiskDrive' })
    $unfit = @($drives | Where-Object -FilterScript { -not [string]::IsNullOrEmpty($_.Path) -and -not (Test-Path -LiteralPath $_.Path) })
    $world = Get-World -Job $Job
    $unfit += @($Report.VM.HardDrives | Where-Object -FilterScript { Test-OtherHolder -World $world -Path ([string]$_.Path) -Id $Job.Spec['recoverId'] })
    if ($unfit.Count -eq 0) { return $Report }
    foreach ($drive in $unfit) { Hyper-V\Remove-VMHardDiskDrive -VMHardDiskDrive $drive -ErrorAction 'Stop' }
    return Hyper-V\Compare-VM -CompatibilityReport $Report -ErrorAction 'Stop'
}

function Test-OtherHolder {
    <# .SYNOPSIS Whether a machine other than that of the id holds the file, or one that it is based on. #>
    param([hashtable]$World, [string]$Path, [string]$Id)
    if ($Path -eq '') { return $false }
    $paths = @($Path) + @(Get-DiskChain -World $World -Path $Path | ForEach-Object -Process { $_.Path })
    $holders = @($paths | ForEach-Object -Process { Get-Holder -World $World -Path $_ })
    return @($holders | Where-Object -FilterScript { $_.Vm.Id -ne $Id }).Count -gt 0
}

function Register-LeftVm {
    <# .SYNOPSIS Registers the configuration that a vanished machine left behind (keeps id, TPM, MACs); '' when there is none. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    if ($null -eq $spec['recoverId']) { return '' }
    $wanted = "$($spec['recoverId']).vmcx"
    $files = @((Get-FileTable -World (Get-World -Job $Job)).Values | Where-Object -FilterScript { (Get-FileNameOf -Path $_.Path) -eq $wanted })
    if ($files.Count -eq 0) { return '' }
    if ($files.Count -gt 1) { Stop-Operation -Code 'OwnershipAmbiguous' -Message "$(@($files | ForEach-Object -Process { $_.Path }) -join ' and ') both describe $($spec['recoverId'])" }
    $report = Remove-UnfitDrive -Job $Job -Report (Hyper-V\Compare-VM -Path $files[0].Path -Register -ErrorAction 'Stop')
    $notes = Read-Notes -Raw ([string]$report.VM.Notes)
    Assert-Claim -Vm @{ Id = $spec['recoverId']; Name = [string]$report.VM.Name; Stamp = $notes.Stamp; Replica = $false; Clustered = $false } -ControlPlane $Job.ControlPlane -Owner $spec['owner'] -Claim @{}
    if (@($report.Incompatibilities | Where-Object -FilterScript { $null -ne $_ }).Count -gt 0) {
        $why = @($report.Incompatibilities | ForEach-Object -Process { [string]$_.Message }) -join '; '
        Stop-Operation -Code 'HyperVError' -Message "$($files[0].Path) can't be registered as it is: $why"
    }
    Invoke-Effect -Job $Job -Point 'registered' -Action { $null = Hyper-V\Import-VM -CompatibilityReport $report -ErrorAction 'Stop' }
    return $spec['recoverId']
}

function New-TemporaryVm {
    param([hashtable]$Job, [string]$Folder)
    $made = Invoke-Effect -Job $Job -Point 'created' -Action {
        if (-not (Test-Path -LiteralPath $Folder)) { $null = New-Item -ItemType 'Directory' -Path $Folder -Force }
        $options = @{ Name = Get-TemporaryName -Owner $Job.Spec['owner']; Path = $Folder; Generation = [int]$Job.Spec['generation']; MemoryStartupBytes = [long]536870912; NoVHD = $true }
        Hyper-V\New-VM @options -ErrorAction 'Stop'
    }
    if ($null -eq $made) { return $script:NilGuid }
    return ([string]$made.Id).ToLowerInvariant()
}

function Complete-Vm {
    <# .SYNOPSIS Stamps, configures and renames; each part is left out when it is done already. #>
    param([hashtable]$Job, [string]$Id, [bool]$Recovered, [System.Collections.IDictionary]$Config, [string]$Name)
    $owner = $Job.Spec['owner']
    $vm = Get-KnownVm -World (Get-World -Job $Job) -Id $Id
    $bare = $vm.Name -ceq (Get-TemporaryName -Owner $owner)
    if ($null -eq (Get-ValidStamp -Vm $vm)) {
        $after = Join-Notes -Notes $vm.Notes -Stamp (New-Stamp -ControlPlane $Job.ControlPlane -Owner $owner -VmId $Id)
        Invoke-Effect -Job $Job -Point 'stamped' -Action { Set-VmNotes -Id $Id -Before $vm.RawNotes -After $after }
    }
    if ($bare) {
        # New-VM's own adapter; its name is localised, and ours come only after the create.
        $extra = @(Hyper-V\Get-VMNetworkAdapter -VM (Get-VmObject -Id $Id) -ErrorAction 'Stop')
        foreach ($adapter in $extra) {
            Invoke-Effect -Job $Job -Point 'adapterRemoved' -Action { Hyper-V\Remove-VMNetworkAdapter -VMNetworkAdapter $adapter -ErrorAction 'Stop' }
        }
    }
    if ($Recovered -or $vm.State -ne 'Off' -or -not $bare) { return }
    $wanted = Copy-Map -Map $Config
    $wanted['name'] = $Name
    $settings = @(Get-Setting -World (Get-World -Job $Job) -View (Get-VmView -World (Get-World -Job $Job) -Id $Id) -Set $wanted)
    Set-VmSetting -Job $Job -Id $Id -Setting $settings
}
