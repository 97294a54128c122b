$script:StampMark = '[aetherv] '

function Read-Notes {
    <# .SYNOPSIS The user's part of Notes, and the stamp of the marked last line ($null when there is none). #>
    param([string]$Raw)
    $Raw = $Raw.Replace("`r`n", "`n")
    $at = $Raw.LastIndexOf("`n")
    $last = $Raw.Substring($at + 1)
    if ($last.StartsWith($script:StampMark, [System.StringComparison]::Ordinal)) {
        $stamp = $null
        try { $stamp = ConvertFrom-AgentJson -Text $last.Substring($script:StampMark.Length) } catch { $stamp = $null }
        if (Test-Stamp -Value $stamp) {
            $shown = [ordered]@{}
            foreach ($field in 'controlPlaneId', 'kind', 'namespace', 'name', 'uid', 'vmId') { $shown[$field] = $stamp[$field] }
            return @{ Notes = $Raw.Substring(0, [Math]::Max($at, 0)); Stamp = $shown }
        }
    }
    return @{ Notes = $Raw; Stamp = $null }
}

function Test-Stamp {
    param($Value)
    if ($Value -isnot [System.Collections.IDictionary]) { return $false }
    foreach ($field in 'controlPlaneId', 'namespace', 'name', 'uid', 'vmId') { if ($Value[$field] -isnot [string]) { return $false } }
    return $Value['kind'] -ceq 'VirtualMachine'
}

function Join-Notes {
    <# .SYNOPSIS Notes with the marked line last. #>
    param([string]$Notes, $Stamp)
    if ($null -eq $Stamp) { return $Notes }
    $line = $script:StampMark + (ConvertTo-AgentJson -Value $Stamp)
    if ($Notes -eq '') { return $line }
    return "$Notes`n$line"
}

function New-Stamp {
    param([string]$ControlPlane, [System.Collections.IDictionary]$Owner, [string]$VmId)
    return [ordered]@{
        controlPlaneId = $ControlPlane
        kind = 'VirtualMachine'
        namespace = $Owner['namespace']
        name = $Owner['name']
        uid = $Owner['uid']
        vmId = $VmId
    }
}

function Get-ValidStamp {
    <# .SYNOPSIS The stamp if it counts: only while it names the machine that carries it. #>
    param([hashtable]$Vm)
    if ($null -ne $Vm.Stamp -and $Vm.Stamp['vmId'] -eq $Vm.Id) { return $Vm.Stamp }
    return $null
}

function Set-VmNotes {
    <#
    .SYNOPSIS Writes Notes, if they are still as they were read. Inside an effect.
    .DESCRIPTION An admin's edit between read and write is not lost: Busy, and the next try reads it.
    #>
    param([string]$Id, [string]$Before, [string]$After)
    $vm = Get-VmObject -Id $Id
    if (([string]$vm.Notes).Replace("`r`n", "`n") -cne $Before.Replace("`r`n", "`n")) { Stop-Operation -Code 'Busy' -Message "the notes of $($vm.Name) changed while they were read" }
    Hyper-V\Set-VM -VM $vm -Notes $After
}
