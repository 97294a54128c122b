<#
.SYNOPSIS
Plays scenarios on emulated Windows guests, all in one process; scenarios as JSON on STDIN, what was seen as JSON on STDOUT.

.DESCRIPTION
A scenario: {name, machine, kept: {file: text}, steps: [{external?, machine?, faults?, cut?, passes}]}. A step changes the machine, then starts the agent anew
`passes` times (each one look, as after a start of the guest). With `cut` the agent is one that is killed before its cut-th statement (killing.ps1); with 0
never, and its statements are told. Seen of each pass: exit code (137: killed by a fault) and what the guest reports;
after each step the whole machine.

.PARAMETER Agent
The agent's script.
.PARAMETER Shell
The PowerShell for the configuration's scripts.
.PARAMETER Work
A folder for the machines.
#>
param([string]$Agent, [string]$Shell, [string]$Work)
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
. "$PSScriptRoot/machine.ps1"
. "$PSScriptRoot/killing.ps1"
$killable = New-KillableAgent -Agent $Agent -Target "$Work/killable"
$guestKey = 'HKLM:\SOFTWARE\Microsoft\Virtual Machine\Guest'
$externalKey = 'HKLM:\SOFTWARE\Microsoft\Virtual Machine\External'

function Edit-Machine {
    param($Step)
    $machine = Get-Machine
    if ($null -ne $Step.PSObject.Properties['machine']) { foreach ($field in $Step.machine.PSObject.Properties) { $machine.($field.Name) = $field.Value } }
    if ($null -ne $Step.PSObject.Properties['external']) { $machine.registry.$externalKey = $Step.external }
    Save-Machine -Machine $machine
    if ($null -ne $Step.PSObject.Properties['faults']) { [System.IO.File]::WriteAllText("$env:AETHERV_RIG_WINDOWS/faults.json", (ConvertTo-Json -InputObject @($Step.faults))) }
}

function Start-Pass {
    param([string]$Script, [string]$State)
    $global:LASTEXITCODE = 0
    $thrown = ''
    try { $null = & $Script -Once -State $State -Shell $Shell } catch { $thrown = "$($_.Exception.Message) $($_.ScriptStackTrace)" }
    $told = (Get-Machine).registry.$guestKey
    $seen = [ordered]@{ code = $LASTEXITCODE; thrown = $thrown }
    foreach ($name in 'state', 'generation', 'hash', 'step', 'error') {
        $property = $told.PSObject.Properties["aetherv.guest.$name"]
        $seen[$name] = if ($null -eq $property) { $null } else { $property.Value }
    }
    return $seen
}

$results = [ordered]@{}
foreach ($scenario in (ConvertFrom-Json -InputObject ([Console]::In.ReadToEnd()))) {
    $env:AETHERV_RIG_WINDOWS = "$Work/$($scenario.name)"
    $null = [System.IO.Directory]::CreateDirectory($env:AETHERV_RIG_WINDOWS)
    foreach ($folder in 'ProgramData', 'state') { if ([System.IO.Directory]::Exists("$env:AETHERV_RIG_ROOT/C/$folder")) { [System.IO.Directory]::Delete("$env:AETHERV_RIG_ROOT/C/$folder", $true) } }
    $null = [System.IO.Directory]::CreateDirectory("$env:AETHERV_RIG_ROOT/C/state/guest")
    Save-Machine -Machine $scenario.machine
    foreach ($file in $scenario.kept.PSObject.Properties) {
        $path = "$env:AETHERV_RIG_ROOT/C/state/guest/$($file.Name)"
        $null = [System.IO.Directory]::CreateDirectory([System.IO.Path]::GetDirectoryName($path))
        [System.IO.File]::WriteAllText($path, $file.Value)
    }
    $steps = foreach ($step in $scenario.steps) {
        Edit-Machine -Step $step
        $script = $Agent
        $global:RigStatements = @()
        $global:RigCut = 0
        if ($null -ne $step.PSObject.Properties['cut']) {
            $script = $killable
            Reset-Statement -Cut $step.cut
        }
        $passes = @(for ($at = 0; $at -lt $step.passes; $at++) { Start-Pass -Script $script -State 'C:\state\guest' })
        $files = [ordered]@{}
        $bytes = [ordered]@{}
        foreach ($path in [System.IO.Directory]::GetFiles("$env:AETHERV_RIG_ROOT/C", '*', 'AllDirectories')) { $files[$path.Substring("$env:AETHERV_RIG_ROOT/C/".Length)] = [System.IO.File]::ReadAllText($path) }
        foreach ($path in [System.IO.Directory]::GetFiles("$env:AETHERV_RIG_ROOT/C", 'texts-*', 'AllDirectories')) { $bytes[$path.Substring("$env:AETHERV_RIG_ROOT/C/".Length)] = [System.Convert]::ToBase64String([System.IO.File]::ReadAllBytes($path)) }
        $calls = @()
        if ([System.IO.File]::Exists("$env:AETHERV_RIG_WINDOWS/calls.log")) { $calls = @([System.IO.File]::ReadAllLines("$env:AETHERV_RIG_WINDOWS/calls.log")) }
        [System.IO.File]::WriteAllText("$env:AETHERV_RIG_WINDOWS/calls.log", '')
        [ordered]@{ passes = $passes; machine = (Get-Machine); files = $files; bytes = $bytes; calls = $calls; statements = @(if ($global:RigCut -eq 0) { $global:RigStatements }) }
    }
    $results[$scenario.name] = @($steps)
}
[Console]::Out.WriteLine((ConvertTo-Json -InputObject $results -Depth 16 -Compress))
