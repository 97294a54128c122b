<#
.SYNOPSIS
AetherV's host agent for Hyper-V: takes jobs as JSON, answers results as JSON.

.DESCRIPTION
Without -Session: one request on STDIN until its end, log lines as JSON on STDERR, the result as the last line of STDOUT;
exit code 0 also for an error result. With -Session: one request a line, lines {"type": "log"|"progress"|"result"|"heartbeat"}
back, until STDIN ends; a job that runs then is finished first. Runs on Windows PowerShell 5.1 and PowerShell 7.

.PARAMETER Session
Many requests, one a line.

.PARAMETER State
Folder for the fence, kept results and caches. Default: the folder "state" two levels above this script
(<root>\agents\<sha256>\agent.ps1 -> <root>\state).

.PARAMETER Sha256
Hash of the bundle that this script belongs to. Default: the name of its folder where that is a hash.

.PARAMETER Work
Name of a job's files in the state folder's "work": done by this process alone, started by a session for what should outlive it.

.PARAMETER Label
Not used; lets an operator tell processes apart.
#>
[CmdletBinding()]
param(
    [switch]$Session,
    [ValidatePattern('^[A-Za-z0-9:\\._/-]*$')][string]$State = '',
    [ValidatePattern('^([0-9a-f]{64})?$')][string]$Sha256 = '',
    [ValidatePattern('^[A-Za-z0-9.]*$')][string]$Work = '',
    [ValidatePattern('^[A-Za-z0-9._-]*$')][string]$Label = ''
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'
$VerbosePreference = 'SilentlyContinue'
$InformationPreference = 'SilentlyContinue'
$ConfirmPreference = 'None'

$agentRoot = $PSScriptRoot
foreach ($folder in 'Private', 'Operations') {
    $sources = @(Get-ChildItem -LiteralPath (Join-Path -Path $agentRoot -ChildPath $folder) -Filter '*.ps1' | Sort-Object -Property 'Name')
    foreach ($source in $sources) { . $source.FullName }
}

Initialize-Agent -Root $agentRoot -StateFolder $State -Sha256 $Sha256
if ($Work -ne '') { Start-AgentWork -Name $Work }
elseif ($Session) { Start-AgentSession } else { Start-AgentOnce }
exit 0
