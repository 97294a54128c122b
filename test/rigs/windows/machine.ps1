<#
.SYNOPSIS
Turns this PowerShell into that of an emulated Windows guest: dot-source it. The machine is $env:AETHERV_RIG_WINDOWS/state.json.
#>
foreach ($name in 'Machine', 'Registry', 'Security', 'Computer', 'Accounts', 'Storage', 'Services', 'Network') {
    Import-Module -Name "$PSScriptRoot/modules/$name.psm1" -Global -Force
}

# Rights are noted, not enforced.
${function:global:icacls.exe} = {
    $machine = Get-Machine
    $grants = @($args | Select-Object -Skip 3)
    Add-Member -InputObject $machine.acls -MemberType 'NoteProperty' -Name $args[0] -Value ($grants -join ' ') -Force
    Save-Machine -Machine $machine
    $global:LASTEXITCODE = 0
}

${function:global:taskkill.exe} = {
    [System.Diagnostics.Process]::GetProcessById([int]$args[-1]).Kill($true)
    $global:LASTEXITCODE = 0
}
