<#
.SYNOPSIS
For images: installs the guest agent from a medium labelled WINPROVISIONING, when there is one. Started by SetupComplete.cmd at the end of Windows Setup.

.DESCRIPTION
Waits up to two minutes for the medium. Without one nothing is done, and that is no error: the agent may be part of the image.
#>
[CmdletBinding()]
param([int]$Seconds = 120)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$until = [datetime]::UtcNow.AddSeconds($Seconds)
do {
    $medium = @(Get-CimInstance -ClassName 'Win32_LogicalDisk' -Filter "VolumeName = 'WINPROVISIONING'")
    foreach ($volume in $medium) {
        $install = Join-Path -Path "$($volume.DeviceID)\" -ChildPath 'aetherv\install.ps1'
        if (-not (Test-Path -LiteralPath $install)) { continue }
        & $install
        exit 0
    }
    Start-Sleep -Seconds 5
} while ([datetime]::UtcNow -lt $until)
