<#
.SYNOPSIS
Takes the private keys on STDIN ({a, b}: the agent's own lines), opens every vector of test/fixtures/guest with the Windows agent's own functions; writes one JSON object of outcomes.
.PARAMETER Agent
Folder agents/guest-windows.
.PARAMETER Fixtures
Folder test/fixtures/guest.
#>
param([string]$Agent, [string]$Fixtures)
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
foreach ($name in 'Error', 'Text', 'Rsa', 'Content', 'Open') { . "$Agent/Private/$name.ps1" }

function Read-Fixture {
    param([string]$Path)
    return ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText($Path))
}

function ConvertFrom-HexText {
    param([string]$Text)
    $bytes = New-Object -TypeName 'byte[]' -ArgumentList ($Text.Length / 2)
    for ($at = 0; $at -lt $bytes.Length; $at++) { $bytes[$at] = [System.Convert]::ToByte($Text.Substring(2 * $at, 2), 16) }
    return , $bytes
}

$keys = Read-Fixture -Path "$Fixtures/keys.json"
$kept = ConvertFrom-Json -InputObject ([Console]::In.ReadToEnd())
$loaded = @{}
foreach ($name in 'a', 'b') {
    # Through the agent's own form of a kept key, there and back.
    $loaded[$name] = Import-RsaKey -Text (Export-RsaKey -Rsa (Import-RsaKey -Text $kept.$name))
}
$outcomes = [ordered]@{ cases = [ordered]@{}; spki = [System.Convert]::ToBase64String((ConvertTo-Spki -Rsa $loaded['a'])) }
foreach ($file in [System.IO.Directory]::GetFiles("$Fixtures/open", '*.json')) {
    $case = Read-Fixture -Path $file
    $items = New-TextMap
    foreach ($item in $case.items) { $items[$item.key] = $item.value }
    $guest = @{ VmId = $case.vmId; Key = $loaded[$case.guestKey]; Fingerprint = $keys.guests.($case.guestKey).fingerprint; Highest = [long]$case.state.highestGeneration; Pinned = $null; AppliedGeneration = 0; AppliedHash = '' }
    if ($case.state.PSObject.Properties['pinnedSigner']) { $guest.Pinned = @{ Fingerprint = $case.state.pinnedSigner.fingerprint; Text = $case.state.pinnedSigner.spki } }
    if ($case.state.PSObject.Properties['applied']) { $guest.AppliedGeneration = [long]$case.state.applied.generation; $guest.AppliedHash = $case.state.applied.hash }
    $opened = Open-Configuration -Items $items -Guest $guest
    $outcome = [ordered]@{ verdict = $opened.Verdict; generation = $opened.Generation; hash = $opened.Hash }
    if ($opened.Verdict -eq 'Accepted') {
        $outcome.payload = $opened.Payload
        $outcome.signerFingerprint = $opened.Signer.Fingerprint
        $outcome.values = [ordered]@{}
        foreach ($key in $opened.Values.Keys) { $outcome.values[$key] = $opened.Values[$key] }
    }
    $outcomes.cases[$case.name] = $outcome
}
$rfc = Read-Fixture -Path "$Fixtures/rfc.json"
$cbc = $rfc.a256cbcHs512
$plain = Unprotect-Content -Key (ConvertFrom-HexText -Text $cbc.key) -Aad $cbc.aad -Iv (ConvertFrom-HexText -Text $cbc.iv) -Ciphertext (ConvertFrom-HexText -Text $cbc.ciphertext) -Tag (ConvertFrom-HexText -Text $cbc.tag)
$outcomes.rfcPlaintext = [System.Text.Encoding]::ASCII.GetString($plain)
[Console]::Out.WriteLine((ConvertTo-Json -InputObject $outcomes -Depth 8 -Compress))
