# RSA keys of 3072 bits. .NET Framework knows no ImportFromPem and no SubjectPublicKeyInfo: its DER is put together by fixed places.
$script:SpkiPrefix = '308201a2300d06092a864886f70d01010105000382018f003082018a0282018100'
$script:KeyParts = 'Modulus', 'Exponent', 'D', 'P', 'Q', 'DP', 'DQ', 'InverseQ'

function New-RsaEngine {
    <# .SYNOPSIS An RSA object that can do OAEP with SHA-256: .NET Framework's default (RSACryptoServiceProvider) cannot, RSACng can. #>
    param()
    $rsa = [System.Security.Cryptography.RSA]::Create()
    if ($rsa -isnot [System.Security.Cryptography.RSACryptoServiceProvider]) { return $rsa }
    $rsa.Dispose()
    return New-Object -TypeName 'System.Security.Cryptography.RSACng'
}

function New-RsaKey {
    <# .SYNOPSIS A new private key of 3072 bits, public exponent 65537. #>
    param()
    $rsa = New-RsaEngine
    $rsa.KeySize = 3072
    return $rsa
}

function ConvertTo-Spki {
    <# .SYNOPSIS The DER SubjectPublicKeyInfo (422 bytes) of a key. #>
    param([System.Security.Cryptography.RSA]$Rsa)
    $parts = $Rsa.ExportParameters($false)
    if ($parts.Modulus.Length -ne 384 -or (ConvertTo-Hex -Bytes $parts.Exponent) -cne '010001') { Stop-Guest -Code 'ModuleFailed' -Message 'the key is not RSA 3072 with exponent 65537' }
    $prefix = New-Object -TypeName 'byte[]' -ArgumentList 33
    for ($at = 0; $at -lt 33; $at++) { $prefix[$at] = [System.Convert]::ToByte($script:SpkiPrefix.Substring(2 * $at, 2), 16) }
    return , (Join-Byte -Part @($prefix, $parts.Modulus, [byte[]](2, 3, 1, 0, 1)))
}

function ConvertFrom-Spki {
    <# .SYNOPSIS The public key of a DER SubjectPublicKeyInfo in base64; $null when it has another shape. #>
    param([AllowEmptyString()][string]$Text)
    try { $der = [System.Convert]::FromBase64String($Text) } catch { return $null }
    if ($der.Length -ne 422 -or [System.Convert]::ToBase64String($der) -cne $Text) { return $null }
    $hex = ConvertTo-Hex -Bytes $der
    if (-not $hex.StartsWith($script:SpkiPrefix, [System.StringComparison]::Ordinal) -or -not $hex.EndsWith('0203010001', [System.StringComparison]::Ordinal)) { return $null }
    if ($der[33] -lt 128) { return $null }
    $parts = [System.Activator]::CreateInstance([System.Security.Cryptography.RSAParameters])
    $parts.Modulus = Get-ByteRange -Bytes $der -Start 33 -Count 384
    $parts.Exponent = [byte[]](1, 0, 1)
    $rsa = New-RsaEngine
    $rsa.ImportParameters($parts)
    return @{ Key = $rsa; Text = $Text; Fingerprint = (ConvertTo-Hex -Bytes (Get-Sha256 -Bytes $der)) }
}

function Export-RsaKey {
    <# .SYNOPSIS The private key as one line: its eight numbers in base64, joined by blanks. #>
    param([System.Security.Cryptography.RSA]$Rsa)
    $parts = $Rsa.ExportParameters($true)
    return (@($script:KeyParts | ForEach-Object { [System.Convert]::ToBase64String($parts.$_) }) -join ' ')
}

function Import-RsaKey {
    <# .SYNOPSIS The private key of such a line. #>
    param([string]$Text)
    $texts = $Text.Split(' ')
    if ($texts.Count -ne $script:KeyParts.Count) { Stop-Guest -Code 'ModuleFailed' -Message 'the kept private key has another form' }
    # A structure: boxed by PowerShell, so it is changed in place.
    $parts = [System.Activator]::CreateInstance([System.Security.Cryptography.RSAParameters])
    for ($at = 0; $at -lt $texts.Count; $at++) { $parts.($script:KeyParts[$at]) = [System.Convert]::FromBase64String($texts[$at]) }
    $rsa = New-RsaEngine
    $rsa.ImportParameters($parts)
    return $rsa
}

function Test-Rs256 {
    <# .SYNOPSIS Whether a base64url signature is that of the ASCII text (RSASSA-PKCS1-v1_5 with SHA-256). #>
    param([System.Security.Cryptography.RSA]$Rsa, [string]$Text, [AllowEmptyString()][string]$Signature)
    try {
        $bytes = ConvertFrom-Base64Url -Text $Signature
        $sha256 = [System.Security.Cryptography.HashAlgorithmName]::SHA256
        return $Rsa.VerifyData([System.Text.Encoding]::ASCII.GetBytes($Text), $bytes, $sha256, [System.Security.Cryptography.RSASignaturePadding]::Pkcs1)
    }
    catch { return $false }
}
