<#
.SYNOPSIS
Installs AetherV's guest agent: its files to Program Files, a scheduled task that starts it at boot as SYSTEM. Running it again updates.

.DESCRIPTION
To be run as an administrator or SYSTEM, from the folder that holds the agent (a medium, or a copied folder). Needs no network.

.PARAMETER Target
Where the agent's files go.

.PARAMETER NoStart
For images: the task starts at the next boot, so that the image holds no key of the machine it is made on.
#>
[CmdletBinding()]
param(
    [string]$Target = 'C:\Program Files\AetherV\guest',
    [switch]$NoStart
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$name = 'AetherV guest agent'

foreach ($folder in '', 'Private', 'Modules') {
    $to = if ($folder -eq '') { $Target } else { Join-Path -Path $Target -ChildPath $folder }
    $from = if ($folder -eq '') { $PSScriptRoot } else { Join-Path -Path $PSScriptRoot -ChildPath $folder }
    if (-not (Test-Path -LiteralPath $to)) { $null = New-Item -Path $to -ItemType 'Directory' -Force }
    $filter = if ($folder -eq '') { 'agent.ps1', 'version.json' } else { @(Get-ChildItem -LiteralPath $from -Filter '*.ps1' | ForEach-Object { $_.Name }) }
    # A file that an older version had and this one has not would be loaded, too.
    foreach ($old in @(Get-ChildItem -LiteralPath $to -Filter '*.ps1')) { if ($old.Name -notin $filter) { Remove-Item -LiteralPath $old.FullName -Force } }
    foreach ($file in $filter) { Copy-Item -LiteralPath (Join-Path -Path $from -ChildPath $file) -Destination (Join-Path -Path $to -ChildPath $file) -Force }
}

# Any user may make folders in ProgramData: this one is taken before it holds anything.
$kept = 'C:\ProgramData\AetherV'
if (-not (Test-Path -LiteralPath $kept)) { $null = New-Item -Path $kept -ItemType 'Directory' -Force }
$null = icacls.exe $kept '/setowner' '*S-1-5-32-544'
if ($LASTEXITCODE -ne 0) { throw "icacls could not take $kept ($LASTEXITCODE)" }
$null = icacls.exe $kept '/inheritance:r' '/grant:r' '*S-1-5-18:(OI)(CI)F' '*S-1-5-32-544:(OI)(CI)F'
if ($LASTEXITCODE -ne 0) { throw "icacls could not protect $kept ($LASTEXITCODE)" }

$command = Join-Path -Path $Target -ChildPath 'agent.ps1'
$task = @{
    TaskName = $name
    Description = 'Applies what the control plane declares for this machine.'
    Action = New-ScheduledTaskAction -Execute 'C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe' -Argument "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File `"$command`""
    Trigger = New-ScheduledTaskTrigger -AtStartup
    Principal = New-ScheduledTaskPrincipal -UserId 'S-1-5-18' -LogonType 'ServiceAccount' -RunLevel 'Highest'
    Settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit ([timespan]::Zero) -RestartCount 999 -RestartInterval ([timespan]::FromMinutes(1)) -StartWhenAvailable -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
    Force = $true
}
$null = Register-ScheduledTask @task
if (-not $NoStart) { Start-ScheduledTask -TaskName $name }
