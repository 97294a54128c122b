# Which configuration counts, and whether it is for this guest and by its signer; docs/guest-protocol.md, sections 1.1, 3 and 4.

function Find-Configuration {
    <# .SYNOPSIS The complete manifest of the highest generation: @{Generation; Hash; Text}; $null when there is none. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Items)
    $best = $null
    foreach ($key in @($Items.Keys)) {
        if ($key -cnotmatch '\Aaetherv\.config\.([1-9]\d{0,9})\.manifest\z') { continue }
        $named = [long]$Matches[1]
        if ($Items[$key] -cnotmatch '\Aaetherv1 ([1-9]\d{0,9}) ([1-9]\d{0,5}) ([1-9]\d{0,8}) ([0-9a-f]{64})\z') { continue }
        $manifest = @{ Generation = [long]$Matches[1]; Chunks = [int]$Matches[2]; Characters = [int]$Matches[3]; Hash = $Matches[4] }
        if ($manifest.Generation -ne $named -or $named -gt 2147483647) { continue }
        if ($null -ne $best -and $best.Generation -ge $named) { continue }
        $text = Join-Chunk -Items $Items -Manifest $manifest
        if ($null -ne $text) { $best = @{ Generation = $named; Hash = $manifest.Hash; Text = $text } }
    }
    return $best
}

function Join-Chunk {
    <# .SYNOPSIS The joined chunks when they are what the manifest says; else $null. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Items, [hashtable]$Manifest)
    $text = New-Object -TypeName 'System.Text.StringBuilder'
    for ($index = 0; $index -lt $Manifest.Chunks; $index++) {
        $chunk = Get-TextOf -Map $Items -Key "aetherv.config.$($Manifest.Generation).$index"
        if ($null -eq $chunk) { return $null }
        $null = $text.Append($chunk)
    }
    $joined = $text.ToString()
    if ($joined.Length -ne $Manifest.Characters -or (Get-Sha256Text -Text $joined) -cne $Manifest.Hash) { return $null }
    return $joined
}

function Open-Configuration {
    <#
    .SYNOPSIS
    Opens what counts of the host's items: @{Verdict; Generation; Hash}, for Accepted with Payload, Values and Signer, for a refusal with Message.
    .DESCRIPTION
    Guest: @{VmId; Key (RSA); Fingerprint; Highest; Pinned = @{Fingerprint; Text} or $null; AppliedGeneration; AppliedHash}. Changes nothing.
    #>
    param([System.Collections.Generic.Dictionary[string, string]]$Items, [hashtable]$Guest)
    $found = Find-Configuration -Items $Items
    if ($null -eq $found) { return @{ Verdict = 'Nothing'; Generation = 0; Hash = '' } }
    $answer = @{ Verdict = 'Accepted'; Generation = $found.Generation; Hash = $found.Hash }
    if ($Guest.AppliedGeneration -eq $found.Generation -and $Guest.AppliedHash -ceq $found.Hash) {
        $answer.Verdict = 'Unchanged'
        return $answer
    }
    try {
        if ($found.Generation -lt $Guest.Highest) { Stop-Guest -Code 'Replayed' -Message "generation $($Guest.Highest) was here already" }
        $answer.Signer = Get-Signer -Items $Items -Pinned $Guest.Pinned
        $jws = Open-Jwe -Text $found.Text -Guest $Guest -Generation $found.Generation
        $answer.Payload = Open-Jws -Text $jws -Guest $Guest -Generation $found.Generation -Signer $answer.Signer
        $answer.Values = Read-Payload -Text $answer.Payload -VmId $Guest.VmId -Generation $found.Generation
    }
    catch {
        $code = Get-GuestErrorCode -Record $_
        if ($null -eq $code) { throw }
        $answer.Verdict = $code
        $answer.Message = $_.Exception.Message
    }
    return $answer
}

function Get-Signer {
    <# .SYNOPSIS The signer that the host names, when it is the pinned one, or a handover leads to it, or none is pinned yet. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Items, $Pinned)
    $signer = ConvertFrom-Spki -Text ([string](Get-TextOf -Map $Items -Key 'aetherv.signer'))
    if ($null -eq $signer) { Stop-Guest -Code 'Malformed' -Message 'aetherv.signer is missing or no RSA key of 3072 bits' }
    if ($null -eq $Pinned -or $Pinned.Fingerprint -ceq $signer.Fingerprint) { return $signer }
    $old = ConvertFrom-Spki -Text $Pinned.Text
    $header = ConvertTo-Base64UrlText -Text ('{"alg":"RS256","typ":"aetherv-signer","kid":"' + $Pinned.Fingerprint + '","key":"' + $signer.Fingerprint + '"}')
    $body = ConvertTo-Base64UrlText -Text $signer.Fingerprint
    for ($index = 0; $null -ne $old; $index++) {
        $handover = Get-TextOf -Map $Items -Key "aetherv.signer.handover.$index"
        if ($null -eq $handover) { break }
        $parts = $handover.Split('.')
        if ($parts.Count -ne 3 -or $parts[0] -cne $header -or $parts[1] -cne $body) { continue }
        if (Test-Rs256 -Rsa $old.Key -Text "$header.$body" -Signature $parts[2]) { return $signer }
    }
    Stop-Guest -Code 'SignerChanged' -Message "the signer is $($signer.Fingerprint), pinned is $($Pinned.Fingerprint)"
}

function Split-Compact {
    <# .SYNOPSIS The parts of a compact text, when there are as many as there should be. #>
    param([string]$Text, [int]$Count)
    $parts = $Text.Split('.')
    $wrong = @($parts | Where-Object { $_ -cnotmatch '\A[A-Za-z0-9_-]+\z' })
    if ($parts.Count -ne $Count -or $wrong.Count -gt 0) { Stop-Guest -Code 'Malformed' -Message "not $Count parts of base64url" }
    return , $parts
}

function Open-Jwe {
    <# .SYNOPSIS The text inside the JWE. #>
    param([string]$Text, [hashtable]$Guest, [long]$Generation)
    $parts = Split-Compact -Text $Text -Count 5
    $header = '{"alg":"RSA-OAEP-256","enc":"A256CBC-HS512","typ":"aetherv-guest","kid":"' + $Guest.Fingerprint + '","vm":"' + $Guest.VmId + '","gen":' + $Generation + '}'
    if ($parts[0] -cne (ConvertTo-Base64UrlText -Text $header)) { Stop-Guest -Code 'HeaderMismatch' -Message 'the configuration is for another machine, key or generation' }
    try {
        $key = $Guest.Key.Decrypt((ConvertFrom-Base64Url -Text $parts[1]), [System.Security.Cryptography.RSAEncryptionPadding]::OaepSHA256)
        $iv = ConvertFrom-Base64Url -Text $parts[2]
        $ciphertext = ConvertFrom-Base64Url -Text $parts[3]
        $tag = ConvertFrom-Base64Url -Text $parts[4]
    }
    catch { Stop-Guest -Code 'Tampered' -Message 'the configuration was changed on its way, or is not for this key' }
    $plain = Unprotect-Content -Key $key -Aad $parts[0] -Iv $iv -Ciphertext $ciphertext -Tag $tag
    return [System.Text.Encoding]::GetEncoding('iso-8859-1').GetString($plain)
}

function Open-Jws {
    <# .SYNOPSIS The payload of the JWS, its signature verified. #>
    param([string]$Text, [hashtable]$Guest, [long]$Generation, [hashtable]$Signer)
    $parts = Split-Compact -Text $Text -Count 3
    $header = '{"alg":"RS256","typ":"aetherv-guest","kid":"' + $Signer.Fingerprint + '","vm":"' + $Guest.VmId + '","gen":' + $Generation + ',"key":"' + $Guest.Fingerprint + '"}'
    if ($parts[0] -cne (ConvertTo-Base64UrlText -Text $header)) { Stop-Guest -Code 'HeaderMismatch' -Message 'the signed part is for another machine, key or generation, or by another signer' }
    if (-not (Test-Rs256 -Rsa $Signer.Key -Text "$($parts[0]).$($parts[1])" -Signature $parts[2])) { Stop-Guest -Code 'BadSignature' -Message 'the signature does not verify' }
    return ConvertFrom-Utf8 -Base64Url $parts[1]
}

function ConvertFrom-Utf8 {
    <# .SYNOPSIS The text of base64url; what is no base64url or no UTF-8 is `Malformed`. #>
    param([AllowEmptyString()][string]$Base64Url)
    $utf8 = New-Object -TypeName 'System.Text.UTF8Encoding' -ArgumentList $false, $true
    try { return $utf8.GetString((ConvertFrom-Base64Url -Text $Base64Url)) } catch { Stop-Guest -Code 'Malformed' -Message 'a value is no base64url of UTF-8' }
}

function Read-Payload {
    <# .SYNOPSIS Key to value of the lines of section 5. #>
    param([string]$Text, [string]$VmId, [long]$Generation)
    if (-not $Text.EndsWith("`n", [System.StringComparison]::Ordinal)) { Stop-Guest -Code 'Malformed' -Message 'the last line has no end' }
    $values = New-TextMap
    foreach ($line in $Text.Substring(0, $Text.Length - 1).Split([char]10)) {
        if ($line -cnotmatch '\A([A-Za-z0-9.]+) ([A-Za-z0-9_-]*)\z') { Stop-Guest -Code 'Malformed' -Message 'a line has another form' }
        $key = $Matches[1]
        $value = ConvertFrom-Utf8 -Base64Url $Matches[2]
        if ($values.ContainsKey($key)) { Stop-Guest -Code 'Malformed' -Message "the key $key comes twice" }
        $values[$key] = $value
    }
    if ((Get-TextOf -Map $values -Key 'format') -cne '1') {
        $code = if ($values.ContainsKey('format')) { 'UnknownFormat' } else { 'Malformed' }
        Stop-Guest -Code $code -Message 'this agent reads format 1 only'
    }
    if ((Get-TextOf -Map $values -Key 'vm') -cne $VmId -or (Get-TextOf -Map $values -Key 'generation') -cne [string]$Generation) {
        Stop-Guest -Code 'Malformed' -Message 'the payload is for another machine or generation'
    }
    return , $values
}
