<#
.SYNOPSIS
For images: installs the guest agent from the DVD that the control plane attaches, when there is one. Started by SetupComplete.cmd at the end of Windows Setup.

.DESCRIPTION
Looks in all DVD drives for \WINPROVISIONING\install.ps1 (aetherv-guest.iso), for up to two minutes. Without one nothing is done, and that is
no error: the agent may be part of the image.

.PARAMETER Seconds
How long to look.
#>
[CmdletBinding()]
param([int]$Seconds = 120)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$until = [datetime]::UtcNow.AddSeconds($Seconds)
do {
    $medium = @(Get-CimInstance -ClassName 'Win32_LogicalDisk' -Filter 'DriveType = 5')
    foreach ($volume in $medium) {
        $install = Join-Path -Path "$($volume.DeviceID)\" -ChildPath 'WINPROVISIONING\install.ps1'
        if (-not (Test-Path -LiteralPath $install)) { continue }
        & $install
        exit 0
    }
    Start-Sleep -Seconds 5
} while ([datetime]::UtcNow -lt $until)
