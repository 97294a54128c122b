function Stop-Operation {
    <# .SYNOPSIS Ends the job with a code of the catalog. #>
    param([string]$Code, [string]$Message)
    $failure = New-Object -TypeName 'System.InvalidOperationException' -ArgumentList $Message
    $failure.Data['AetherVCode'] = $Code
    throw $failure
}

# Windows' own codes (HRESULT), as the last part of an exception's chain carries them.
$script:KnownResults = @{
    '80070005' = 'PermissionDenied'
    '80070020' = 'DiskInUse'
    '80070021' = 'DiskInUse'
    '80070027' = 'InsufficientStorage'
    '80070070' = 'InsufficientStorage'
    '8007000E' = 'InsufficientMemory'
    '800705AA' = 'InsufficientMemory'
    '80041003' = 'PermissionDenied'
}

# First part of FullyQualifiedErrorId, which no language changes.
$script:KnownIds = @{
    AccessDenied = 'PermissionDenied'
    UnauthorizedAccess = 'PermissionDenied'
    ObjectNotFound = 'NotFound'
    ObjectInUse = 'DiskInUse'
    OutOfMemory = 'InsufficientMemory'
    NotEnoughMemory = 'InsufficientMemory'
    InvalidState = 'InvalidPowerState'
    OperationTimedOut = 'Timeout'
    Busy = 'Busy'
}

function Resolve-ErrorCode {
    <# .SYNOPSIS The catalog's code of an error record: by its own mark, HRESULT, error id and category, never by its text. #>
    param([System.Management.Automation.ErrorRecord]$Record)
    for ($at = $Record.Exception; $null -ne $at; $at = $at.InnerException) {
        if ($at.Data.Contains('AetherVCode')) { return [string]$at.Data['AetherVCode'] }
        $result = '{0:X8}' -f $at.HResult
        if ($script:KnownResults.ContainsKey($result)) { return $script:KnownResults[$result] }
        if ($at -is [System.UnauthorizedAccessException]) { return 'PermissionDenied' }
    }
    $id = ([string]$Record.FullyQualifiedErrorId -split ',')[0]
    if ($script:KnownIds.ContainsKey($id)) { return $script:KnownIds[$id] }
    switch ([string]$Record.CategoryInfo.Category) {
        'PermissionDenied' { return 'PermissionDenied' }
        'SecurityError' { return 'PermissionDenied' }
        'ResourceBusy' { return 'Busy' }
        'OperationTimeout' { return 'Timeout' }
    }
    if ([string]$Record.FullyQualifiedErrorId -match ',Microsoft\.(HyperV|Vhd)\.') { return 'HyperVError' }
    if ($Record.Exception.GetType().FullName -match '^Microsoft\.(HyperV|Management\.Infrastructure)\.') { return 'HyperVError' }
    if ($Record.Exception -is [System.IO.IOException]) { return 'HyperVError' }
    return 'InternalError'
}

function Get-ErrorText {
    <# .SYNOPSIS What a person reads of an error; unforeseen ones name the place in the agent. #>
    param([System.Management.Automation.ErrorRecord]$Record, [string]$Code)
    $text = [string]$Record.Exception.Message
    if ($Code -eq 'InternalError') {
        $place = "$($Record.InvocationInfo.ScriptName)".Split([char[]]'\/')[-1]
        $text = "$text ($place line $($Record.InvocationInfo.ScriptLineNumber))"
    }
    if ($text.Length -gt 8000) { $text = $text.Substring(0, 8000) }
    return $text
}
