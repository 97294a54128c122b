# What the guest tells the control plane; docs/guest-protocol.md, section 1.2.

function New-Report {
    param([string]$State, [long]$Generation = 0, [string]$Hash = '', [string]$Step = '', [string]$Message = '')
    return @{ State = $State; Generation = $Generation; Hash = $Hash; Step = $Step; Error = $Message }
}

function Send-Report {
    <# .SYNOPSIS Writes all slots. -Keep: what is told again when the configuration is cleared (all but refusals). #>
    param([hashtable]$Agent, [hashtable]$Report, [switch]$Keep)
    if ($Keep) { Write-State -Agent $Agent -Name 'report' -Text (@($Report.State, [string]$Report.Generation, $Report.Hash, $Report.Step, $Report.Error) -join "`n") }
    $items = New-TextMap
    $items['aetherv.guest.version'] = $Agent.Version
    for ($at = 0; $at * 1000 -lt $Agent.Spki.Length; $at++) {
        $items["aetherv.guest.publicKey.$at"] = $Agent.Spki.Substring($at * 1000, [System.Math]::Min(1000, $Agent.Spki.Length - $at * 1000))
    }
    $items['aetherv.guest.state'] = $Report.State
    $items['aetherv.guest.generation'] = [string]$Report.Generation
    $items['aetherv.guest.hash'] = $Report.Hash
    $items['aetherv.guest.step'] = $Report.Step
    $items['aetherv.guest.error'] = $Report.Error
    $items['aetherv.guest.facts'] = Get-FactText -Agent $Agent
    $items['aetherv.guest.manifest'] = Get-ReportManifest -Items $items
    $Agent.Report = $items
    Set-KvpItem -Items $items
}

function Get-ReportManifest {
    <# .SYNOPSIS `aetherv1 <sha256>` of the lines key=value in byte order of the keys. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Items)
    $keys = [string[]]@($Items.Keys)
    [System.Array]::Sort($keys, [System.StringComparer]::Ordinal)
    $text = New-Object -TypeName 'System.Text.StringBuilder'
    foreach ($key in $keys) { $null = $text.Append("$key=$($Items[$key])`n") }
    return "aetherv1 $(Get-Sha256Text -Text $text.ToString())"
}

function Send-KeptReport {
    <# .SYNOPSIS Tells the last report that was no refusal again; Waiting when there was none. #>
    param([hashtable]$Agent)
    $parts = (Read-State -Agent $Agent -Name 'report').Split([char]10)
    $report = New-Report -State 'Waiting'
    if ($parts.Count -eq 5) { $report = New-Report -State $parts[0] -Generation ([long]$parts[1]) -Hash $parts[2] -Step $parts[3] -Message $parts[4] }
    Send-Report -Agent $Agent -Report $report
}

function Get-BootId {
    <# .SYNOPSIS A text that differs from boot to boot. #>
    param()
    return (Get-CimInstance -ClassName 'Win32_OperatingSystem').LastBootUpTime.ToUniversalTime().ToString('yyyyMMddTHHmmssZ', [cultureinfo]::InvariantCulture)
}

function Get-FactText {
    <# .SYNOPSIS name=b64url(text), joined by blanks, at most 1000 characters in all: what does not fit is left out. #>
    param([hashtable]$Agent)
    $os = Get-CimInstance -ClassName 'Win32_OperatingSystem'
    $volume = Get-CimInstance -ClassName 'Win32_LogicalDisk' -Filter "DeviceID = 'C:'"
    $facts = [ordered]@{
        os = [string]$os.Caption
        kernel = [string]$os.Version
        network = 'windows'
        rootBytes = [string]$volume.Size
        bootId = Get-BootId
        growBlocked = Read-State -Agent $Agent -Name 'growblocked'
    }
    $text = ''
    foreach ($name in $facts.Keys) {
        $one = "$name=$(ConvertTo-Base64UrlText -Text $facts[$name])"
        if ($facts[$name] -ne '' -and $text.Length + $one.Length -lt 1000) { $text = "$text $one".Trim() }
    }
    return $text
}
