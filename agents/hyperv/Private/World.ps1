# What is known of the host at one moment. Read lazily, forgotten after each effect.

function New-World {
    <# .SYNOPSIS An empty world. -Whole: every class is asked once for all machines (inventory). #>
    param([switch]$Whole, [System.Collections.IDictionary]$Layout = $null)
    return @{
        Whole = [bool]$Whole
        Layout = $Layout
        Rows = @{}
        Index = $null
        ReadAt = [DateTime]::UtcNow
        Views = @{}
        Files = $null
        Entries = @{}
        Folders = @{}
        Holders = $null
        Host = $null
        Switches = $null
        Volumes = $null
        GuestUnknown = $null
    }
}

function Get-World {
    param([hashtable]$Job)
    if ($null -eq $Job.World) {
        $layout = $null
        if ($Job.Spec.ContainsKey('layout')) { $layout = $Job.Spec['layout'] }
        $Job.World = New-World -Layout $layout
    }
    return $Job.World
}

$script:EnabledStates = @{
    2 = 'Running'; 3 = 'Off'; 4 = 'Stopping'; 6 = 'Saved'; 9 = 'Paused'; 10 = 'Starting'
    32768 = 'Paused'; 32769 = 'Saved'; 32770 = 'Starting'; 32773 = 'Saving'; 32774 = 'Stopping'; 32776 = 'Pausing'; 32777 = 'Resuming'
    32779 = 'Saved'; 32780 = 'Saving'
}

function Get-VmStateName {
    <# .SYNOPSIS The protocol's state of a computer system's row, and Hyper-V's own number where it is none of these. #>
    param($Row)
    $number = [int](Get-RowValue -Row $Row -Name 'EnabledState' -Default 0)
    $health = [int](Get-RowValue -Row $Row -Name 'HealthState' -Default 5)
    if ($health -ge 20) { return @{ State = 'Critical'; Text = "EnabledState $number, HealthState $health" } }
    if ($script:EnabledStates.ContainsKey($number)) { return @{ State = $script:EnabledStates[$number]; Text = '' } }
    return @{ State = 'Other'; Text = "EnabledState $number" }
}

function Get-VmIndex {
    <#
    .SYNOPSIS Every machine of the host in short, by id: name, notes, stamp, state, drives.
    .DESCRIPTION Passes the test of hyperv.md first: without rights CIM answers no rows and no error, so the host's own row must be there,
    and Get-VMHost must succeed. Else PermissionDenied: nothing may be concluded from what is missing.
    #>
    param([hashtable]$World)
    if ($null -ne $World.Index) { return $World.Index }
    $systems = @(Get-CimRow -Class 'Msvm_ComputerSystem')
    # Uptimes count from here, not from when they are looked at: with many machines that is much later.
    $World.ReadAt = [DateTime]::UtcNow
    if (@($systems | Where-Object -FilterScript { (Get-RowValue -Row $_ -Name 'Name' -Default '') -notmatch $script:UuidPattern }).Count -eq 0) {
        Stop-Operation -Code 'PermissionDenied' -Message "CIM shows no row of the host itself in $script:Namespace`: the agent's account lacks rights, so what else is missing can't be told"
    }
    $null = Get-HyperVHost -World $World
    $settings = @{}
    $checkpoints = @{}
    foreach ($row in @(Get-CimRow -Class 'Msvm_VirtualSystemSettingData')) {
        $id = ([string](Get-RowValue -Row $row -Name 'VirtualSystemIdentifier' -Default '')).ToLowerInvariant()
        $type = [string](Get-RowValue -Row $row -Name 'VirtualSystemType' -Default '')
        if ($type -eq 'Microsoft:Hyper-V:System:Realized') { $settings[$id] = $row }
        elseif ($type -like 'Microsoft:Hyper-V:Snapshot:*') {
            if (-not $checkpoints.ContainsKey($id)) { $checkpoints[$id] = New-Object -TypeName 'System.Collections.ArrayList' }
            $null = $checkpoints[$id].Add($row)
        }
    }
    $media = Get-MediaTable
    $clustered = Get-ClusteredId
    $index = [ordered]@{}
    foreach ($system in ($systems | Sort-Object -Property 'Name')) {
        $id = ([string](Get-RowValue -Row $system -Name 'Name' -Default '')).ToLowerInvariant()
        if ($id -notmatch $script:UuidPattern) { continue }
        $setting = $null
        if ($settings.ContainsKey($id)) { $setting = $settings[$id] }
        $own = @()
        if ($checkpoints.ContainsKey($id)) { $own = $checkpoints[$id].ToArray() }
        $index[$id] = New-VmEntry -Id $id -System $system -Setting $setting -Checkpoints $own -Media $media -Clustered ($clustered -contains $id)
    }
    $World.Index = $index
    return $index
}

function Get-MediaTable {
    <# .SYNOPSIS Disks and DVD media by machine (or checkpoint) id. #>
    param()
    $table = @{}
    foreach ($row in @(Get-CimRow -Class 'Msvm_StorageAllocationSettingData')) {
        $owner = Get-RowVmId -Row $row
        if ($owner -eq '') { continue }
        $parts = ([string]$row.InstanceID).Split('\')
        $paths = @(Get-RowValue -Row $row -Name 'HostResource' -Default @())
        if ($parts.Count -lt 5 -or $paths.Count -eq 0) { continue }
        if (-not $table.ContainsKey($owner)) { $table[$owner] = New-Object -TypeName 'System.Collections.ArrayList' }
        $null = $table[$owner].Add(@{
                Kind = ([string](Get-RowValue -Row $row -Name 'ResourceSubType' -Default '') -replace '^Microsoft:Hyper-V:', '')
                Controller = $parts[1]
                Address = [int]$parts[2]
                Location = [int]$parts[3]
                Path = [string]$paths[0]
                MinIops = [long](Get-RowValue -Row $row -Name 'IOPSReservation' -Default 0)
                MaxIops = [long](Get-RowValue -Row $row -Name 'IOPSLimit' -Default 0)
            })
    }
    return $table
}

function Get-ClusterRow {
    <# .SYNOPSIS Rows of a failover cluster's class; none where there is no cluster. #>
    param([string]$Class, [string]$Filter = '')
    try { return @(Get-CimRow -Class $Class -Namespace 'root\MSCluster' -Filter $Filter) }
    catch {
        # No such namespace: no cluster. Everything else leaves open whether a machine is clustered.
        if ((Get-CimStatus -Record $_) -in 'InvalidNamespace', 'InvalidClass') { return @() }
        throw
    }
}

function Get-ClusterName {
    <# .SYNOPSIS The failover cluster that the host belongs to; '' when to none. #>
    param()
    foreach ($row in @(Get-ClusterRow -Class 'MSCluster_Cluster')) { return [string](Get-RowValue -Row $row -Name 'Name' -Default '') }
    return ''
}

function Get-ClusteredId {
    <# .SYNOPSIS Ids of machines in a failover cluster's groups. #>
    param()
    $ids = foreach ($row in @(Get-ClusterRow -Class 'MSCluster_Resource' -Filter "Type = 'Virtual Machine'")) {
        $private = Get-RowValue -Row $row -Name 'PrivateProperties'
        ([string](Get-RowValue -Row $private -Name 'VmID' -Default '')).ToLowerInvariant()
    }
    return @($ids)
}

function Get-CimStatus {
    <# .SYNOPSIS The status code (InvalidNamespace, AccessDenied...) of a CIM error; '' of another. #>
    param([System.Management.Automation.ErrorRecord]$Record)
    for ($at = $Record.Exception; $null -ne $at; $at = $at.InnerException) {
        $member = $at.PSObject.Properties['NativeErrorCode']
        if ($null -ne $member) { return [string]$member.Value }
    }
    return ''
}

function New-VmEntry {
    param([string]$Id, $System, $Setting, [object[]]$Checkpoints, [hashtable]$Media, [bool]$Clustered)
    $state = Get-VmStateName -Row $System
    $raw = @(Get-RowValue -Row $Setting -Name 'Notes' -Default @()) -join "`n"
    $parsed = Read-Notes -Raw $raw
    $all = @()
    if ($Media.ContainsKey($Id)) { $all = $Media[$Id].ToArray() }
    $checkpointPaths = foreach ($row in $Checkpoints) {
        $owner = Get-RowVmId -Row $row
        if ($Media.ContainsKey($owner)) { foreach ($one in $Media[$owner]) { if ($one.Kind -eq 'Virtual Hard Disk') { $one.Path } } }
    }
    $operational = @(Get-RowValue -Row $System -Name 'OperationalStatus' -Default @())
    return @{
        Id = $Id
        Name = [string](Get-RowValue -Row $System -Name 'ElementName' -Default '')
        System = $System
        Setting = $Setting
        Checkpoints = @($Checkpoints | Sort-Object -Property 'CreationTime', 'InstanceID')
        RawNotes = $raw
        Notes = $parsed.Notes
        Stamp = $parsed.Stamp
        State = $state.State
        StateText = $state.Text
        Merging = @($operational | Where-Object -FilterScript { [int]$_ -eq 32772 }).Count -gt 0
        Replica = [int](Get-RowValue -Row $System -Name 'ReplicationMode' -Default 0) -in 2, 3, 4
        Clustered = $Clustered
        Generation = [int](([string](Get-RowValue -Row $Setting -Name 'VirtualSystemSubType' -Default ':1'))[-1].ToString())
        Disks = @($all | Where-Object -FilterScript { $_.Kind -eq 'Virtual Hard Disk' })
        Media = @($all | Where-Object -FilterScript { $_.Kind -ne 'Virtual Hard Disk' })
        CheckpointPaths = @($checkpointPaths)
    }
}

function Find-Vm {
    <# .SYNOPSIS The machine's entry of the index; $null when the host surely has none. #>
    param([hashtable]$World, [string]$Id)
    $index = Get-VmIndex -World $World
    if (-not $index.Contains($Id)) { return $null }
    return $index[$Id]
}

function Get-KnownVm {
    param([hashtable]$World, [string]$Id)
    $vm = Find-Vm -World $World -Id $Id
    if ($null -eq $vm) { Stop-Operation -Code 'NotFound' -Message "the host has no virtual machine $Id" }
    return $vm
}

function Get-VmObject {
    <# .SYNOPSIS The object that Hyper-V's cmdlets take. #>
    param([string]$Id)
    return Hyper-V\Get-VM -Id ([Guid]$Id) -ErrorAction 'Stop'
}
