# A256CBC-HS512 (RFC 7518, 5.2.5).

function Test-SameSecret {
    <# .SYNOPSIS Compares by SHA-256(nonce || text) of both sides with a fresh nonce: the time it takes tells nothing of where they differ. #>
    param([byte[]]$Left, [byte[]]$Right)
    $nonce = New-RandomByte -Count 32
    $one = ConvertTo-Hex -Bytes (Get-Sha256 -Bytes (Join-Byte -Part @($nonce, $Left)))
    $two = ConvertTo-Hex -Bytes (Get-Sha256 -Bytes (Join-Byte -Part @($nonce, $Right)))
    return $one -ceq $two
}

function Get-ContentTag {
    <# .SYNOPSIS The tag (32 bytes) of AAD, IV and ciphertext under the MAC key. #>
    param([byte[]]$MacKey, [string]$Aad, [byte[]]$Iv, [byte[]]$Ciphertext)
    $associated = [System.Text.Encoding]::ASCII.GetBytes($Aad)
    $bits = [System.BitConverter]::GetBytes([long]($associated.Length * 8))
    if ([System.BitConverter]::IsLittleEndian) { [System.Array]::Reverse($bits) }
    $hmac = New-Object -TypeName 'System.Security.Cryptography.HMACSHA512' -ArgumentList @(, $MacKey)
    try { $full = $hmac.ComputeHash((Join-Byte -Part @($associated, $Iv, $Ciphertext, $bits))) } finally { $hmac.Dispose() }
    return , (Get-ByteRange -Bytes $full -Start 0 -Count 32)
}

function Unprotect-Content {
    <# .SYNOPSIS The plaintext's bytes. Verifies the tag before anything is decrypted: `Tampered`; wrong padding behind a right tag: `Malformed`. #>
    param([byte[]]$Key, [string]$Aad, [byte[]]$Iv, [byte[]]$Ciphertext, [byte[]]$Tag)
    if ($Key.Length -ne 64 -or $Iv.Length -ne 16 -or $Tag.Length -ne 32) { Stop-Guest -Code 'Tampered' -Message 'the configuration was changed on its way, or is not for this key' }
    $expected = Get-ContentTag -MacKey (Get-ByteRange -Bytes $Key -Start 0 -Count 32) -Aad $Aad -Iv $Iv -Ciphertext $Ciphertext
    if (-not (Test-SameSecret -Left $expected -Right $Tag)) { Stop-Guest -Code 'Tampered' -Message 'the configuration was changed on its way, or is not for this key' }
    $aes = [System.Security.Cryptography.Aes]::Create()
    try {
        $aes.Mode = [System.Security.Cryptography.CipherMode]::CBC
        $aes.Padding = [System.Security.Cryptography.PaddingMode]::PKCS7
        $decryptor = $aes.CreateDecryptor((Get-ByteRange -Bytes $Key -Start 32 -Count 32), $Iv)
        try { return , $decryptor.TransformFinalBlock($Ciphertext, 0, $Ciphertext.Length) }
        catch { Stop-Guest -Code 'Malformed' -Message 'the padding of the plaintext is wrong' }
        finally { $decryptor.Dispose() }
    }
    finally { $aes.Dispose() }
}
