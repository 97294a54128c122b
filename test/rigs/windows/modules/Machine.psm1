# The emulated machine: one JSON file in $env:AETHERV_RIG_WINDOWS; every call of a changing cmdlet in calls.log, faults in faults.json.

function Get-Machine {
    <# .SYNOPSIS The machine's state as it is now. #>
    param()
    return ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText("$env:AETHERV_RIG_WINDOWS/state.json"))
}

function Save-Machine {
    param($Machine)
    [System.IO.File]::WriteAllText("$env:AETHERV_RIG_WINDOWS/state.json", (ConvertTo-Json -InputObject $Machine -Depth 12))
}

function Add-Call {
    <# .SYNOPSIS Notes a changing call; faults.json `[{on, do}]` may throw, or kill (the process ends as by a power cut) before or after it: `at`. Each fault once. #>
    param([string]$Name, [string]$At)
    if ($At -eq 'before') { [System.IO.File]::AppendAllText("$env:AETHERV_RIG_WINDOWS/calls.log", "$Name`n") }
    $path = "$env:AETHERV_RIG_WINDOWS/faults.json"
    if (-not [System.IO.File]::Exists($path)) { return }
    $faults = @(ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($path)) | ForEach-Object { $_ })
    $hit = @($faults | Where-Object { $_.on -eq $Name -and $_.at -eq $At })
    if ($hit.Count -eq 0) { return }
    [System.IO.File]::WriteAllText($path, (ConvertTo-Json -InputObject @($faults | Where-Object { $_ -ne $hit[0] })))
    if ($hit[0].do -eq 'kill') { exit 137 }
    Stop-Cmdlet -Id 'RigFault' -Category 'OperationStopped' -Message $hit[0].message
}

function Stop-Cmdlet {
    <# .SYNOPSIS Ends a cmdlet with the error id that the real one has. #>
    param([string]$Id, [string]$Category, [string]$Message)
    $failure = New-Object -TypeName 'System.InvalidOperationException' -ArgumentList $Message
    throw (New-Object -TypeName 'System.Management.Automation.ErrorRecord' -ArgumentList $failure, $Id, ([System.Management.Automation.ErrorCategory]$Category), $null)
}

function ConvertFrom-Secret {
    param([System.Security.SecureString]$Secret)
    return (New-Object -TypeName 'System.Management.Automation.PSCredential' -ArgumentList 'x', $Secret).GetNetworkCredential().Password
}

function Start-Sleep {
    <# .SYNOPSIS Waiting takes no time here. #>
    param([int]$Seconds)
    $null = $Seconds
}
