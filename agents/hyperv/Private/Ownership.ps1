function Get-OwnerText {
    param([System.Collections.IDictionary]$Owner)
    return "$($Owner['namespace'])/$($Owner['name']) (uid $($Owner['uid']))"
}

function Get-StampedVm {
    <# .SYNOPSIS Machines whose stamp counts and names this owner of this control plane; replicas never do. #>
    param([hashtable]$World, [string]$ControlPlane, [string]$Uid)
    $found = foreach ($vm in (Get-VmIndex -World $World).Values) {
        $stamp = Get-ValidStamp -Vm $vm
        if (-not $vm.Replica -and $null -ne $stamp -and $stamp['uid'] -ceq $Uid -and $stamp['controlPlaneId'] -ceq $ControlPlane) { $vm }
    }
    return @($found)
}

function Assert-NotForeign {
    param([hashtable]$Vm)
    if ($Vm.Replica) { Stop-Operation -Code 'OwnedByOther' -Message "$($Vm.Name) is a replica of another host's machine; replicas are left alone" }
    if ($Vm.Clustered) { Stop-Operation -Code 'OwnedByOther' -Message "$($Vm.Name) belongs to a failover cluster; it is observed only" }
}

function Find-OwnedVm {
    <# .SYNOPSIS The machine of this id, if it is the owner's; $null when there is none. Throws the ownership errors. #>
    param([hashtable]$Job, [System.Collections.IDictionary]$Owner, [string]$Id)
    $world = Get-World -Job $Job
    $holders = @(Get-StampedVm -World $world -ControlPlane $Job.ControlPlane -Uid $Owner['uid'])
    if ($holders.Count -gt 1 -or @($holders | Where-Object -FilterScript { $_.Id -ne $Id }).Count -gt 0) {
        $names = ($holders | ForEach-Object -Process { "$($_.Name) ($($_.Id))" }) -join ' and '
        Stop-Operation -Code 'OwnershipAmbiguous' -Message "$(Get-OwnerText -Owner $Owner) is marked on $names, expected only $Id"
    }
    $vm = Find-Vm -World $world -Id $Id
    if ($null -eq $vm) { return $null }
    Assert-NotForeign -Vm $vm
    $stamp = Get-ValidStamp -Vm $vm
    if ($null -eq $stamp) { Stop-Operation -Code 'OwnershipLost' -Message "$($vm.Name) ($Id) has lost the mark of $(Get-OwnerText -Owner $Owner)" }
    if ($stamp['uid'] -cne $Owner['uid'] -or $stamp['controlPlaneId'] -cne $Job.ControlPlane) {
        Stop-Operation -Code 'OwnedByOther' -Message "$($vm.Name) is marked for $(Get-OwnerText -Owner $stamp) of control plane $($stamp['controlPlaneId'])"
    }
    return $vm
}

function Get-OwnedVm {
    param([hashtable]$Job, [System.Collections.IDictionary]$Owner, [string]$Id)
    $vm = Find-OwnedVm -Job $Job -Owner $Owner -Id $Id
    if ($null -eq $vm) { Stop-Operation -Code 'NotFound' -Message "the host has no virtual machine $Id" }
    return $vm
}

function Assert-Claim {
    <# .SYNOPSIS OwnedByOther unless the owner's stamp may be written on this machine. #>
    param([hashtable]$Vm, [string]$ControlPlane, [System.Collections.IDictionary]$Owner, [System.Collections.IDictionary]$Claim)
    Assert-NotForeign -Vm $Vm
    $stamp = Get-ValidStamp -Vm $Vm
    if ($null -eq $stamp) { return }
    if ($stamp['controlPlaneId'] -ceq $ControlPlane) {
        if ($stamp['uid'] -ceq $Owner['uid']) { return }
        $same = $stamp['namespace'] -ceq $Owner['namespace'] -and $stamp['name'] -ceq $Owner['name']
        if ($same -and $null -ne $Claim['previousUid'] -and $Claim['previousUid'] -ceq $stamp['uid']) { return }
    }
    Stop-Operation -Code 'OwnedByOther' -Message "$($Vm.Name) is marked for $(Get-OwnerText -Owner $stamp) of control plane $($stamp['controlPlaneId'])"
}

function Find-OwnedDisk {
    <# .SYNOPSIS The owner's file at the spec's path; $null when there is none. OwnedByOther unless its name's uid or its identifier is the owner's. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $file = Find-Disk -World (Get-World -Job $Job) -Path $spec['path']
    if ($null -eq $file) { return $null }
    $own = (Get-NameUid -Path $file.Path) -ceq $spec['owner']['uid'] -or ($null -ne $spec['diskId'] -and $file.DiskId -eq $spec['diskId'])
    if (-not $own) { Stop-Operation -Code 'OwnedByOther' -Message "$($file.Path) does not carry the uid of $(Get-OwnerText -Owner $spec['owner']), nor its recorded identifier" }
    return $file
}

function Get-OwnedDisk {
    param([hashtable]$Job)
    $file = Find-OwnedDisk -Job $Job
    if ($null -eq $file) { Stop-Operation -Code 'NotFound' -Message "$($Job.Spec['path']) does not exist" }
    return $file
}
