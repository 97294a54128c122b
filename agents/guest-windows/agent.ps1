<#
.SYNOPSIS
AetherV's guest agent for Windows: takes sealed configurations over KVP, applies them, reports.

.DESCRIPTION
Runs as SYSTEM from a scheduled task at boot, on Windows PowerShell 5.1. Keeps its state where SYSTEM and administrators alone read.
The wire format is docs/guest-protocol.md; how to install it: docs/guest-windows.md.

.PARAMETER State
Folder of the key, the pinned signer, generations and progress.

.PARAMETER Once
One look at the configuration instead of one every 5 seconds for ever.

.PARAMETER Shell
The PowerShell that runs scripts of the configuration.
#>
[CmdletBinding()]
param(
    [string]$State = 'C:\ProgramData\AetherV\guest',
    [switch]$Once,
    [string]$Shell = (Join-Path -Path $PSHOME -ChildPath 'powershell.exe')
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'
$VerbosePreference = 'SilentlyContinue'
$InformationPreference = 'SilentlyContinue'
$ConfirmPreference = 'None'

foreach ($folder in 'Private', 'Modules') {
    $sources = @(Get-ChildItem -LiteralPath (Join-Path -Path $PSScriptRoot -ChildPath $folder) -Filter '*.ps1' | Sort-Object -Property 'Name')
    foreach ($source in $sources) { . $source.FullName }
}

$agent = New-Agent -Root $PSScriptRoot -StateFolder $State -Shell $Shell
if ($Once) { $null = Invoke-AgentPass -Agent $agent }
else { Start-AgentLoop -Agent $agent }
