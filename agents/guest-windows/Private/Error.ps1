# Errors that carry a code of docs/guest-protocol.md.

function Stop-Guest {
    <# .SYNOPSIS Ends the work at hand with a code and a text that a person reads. The text holds no secret. #>
    param([string]$Code, [string]$Message)
    $failure = New-Object -TypeName 'System.InvalidOperationException' -ArgumentList $Message
    $failure.Data['aetherv'] = $Code
    throw $failure
}

function Get-GuestErrorCode {
    <# .SYNOPSIS The code of an error record; $null when it is none of ours. #>
    param($Record)
    $failure = $Record.Exception
    while ($null -ne $failure) {
        if ($failure.Data.Contains('aetherv')) { return [string]$failure.Data['aetherv'] }
        $failure = $failure.InnerException
    }
    return $null
}

function Format-GuestError {
    <# .SYNOPSIS `<Code>: <text>` for aetherv.guest.error: printable ASCII, at most 1000 characters, secret values blotted out. #>
    param([string]$Code, [string]$Message, [string[]]$Secret = @())
    $text = $Message
    foreach ($value in @($Secret | Sort-Object -Property 'Length' -Descending)) {
        if ($value -cne '') { $text = $text.Replace($value, '***') }
    }
    $text = [regex]::Replace("$($Code): $text", '[^\x20-\x7e]+', '?')
    if ($text.Length -gt 1000) { $text = $text.Substring(0, 1000) }
    return $text
}

function Get-SecretText {
    <# .SYNOPSIS What an error must not show: passwords, contents of files and scripts, whole and by lines of four characters or more. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Values)
    foreach ($key in $Values.Keys) {
        if ($key -cnotmatch '\A(admin\.password|domain\.password|file\.\d+\.content|script\.\d+\.content)\z') { continue }
        $Values[$key]
        foreach ($line in $Values[$key].Split([char[]]"`r`n")) { if ($line.Length -ge 4) { $line } }
    }
}
