# Bytes and texts.

function ConvertTo-Hex {
    param([byte[]]$Bytes)
    return [System.BitConverter]::ToString($Bytes).Replace('-', '').ToLowerInvariant()
}

function Get-Sha256 {
    <# .SYNOPSIS SHA-256 of bytes, as bytes. #>
    param([byte[]]$Bytes)
    $hash = [System.Security.Cryptography.SHA256]::Create()
    try { return , $hash.ComputeHash($Bytes) } finally { $hash.Dispose() }
}

function Get-Sha256Text {
    <# .SYNOPSIS Hexadecimal SHA-256 of a text's UTF-8 bytes. #>
    param([string]$Text)
    return ConvertTo-Hex -Bytes (Get-Sha256 -Bytes ([System.Text.Encoding]::UTF8.GetBytes($Text)))
}

function ConvertTo-Base64Url {
    param([byte[]]$Bytes)
    return [System.Convert]::ToBase64String($Bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_')
}

function ConvertTo-Base64UrlText {
    <# .SYNOPSIS base64url of a text's UTF-8 bytes. #>
    param([string]$Text)
    return ConvertTo-Base64Url -Bytes ([System.Text.Encoding]::UTF8.GetBytes($Text))
}

function ConvertFrom-Base64Url {
    <# .SYNOPSIS The bytes of base64url without padding; throws FormatException for anything else. #>
    param([AllowEmptyString()][string]$Text)
    if ($Text -cnotmatch '\A[A-Za-z0-9_-]*\z') { throw (New-Object -TypeName 'System.FormatException' -ArgumentList 'no base64url') }
    $plain = $Text.Replace('-', '+').Replace('_', '/')
    $plain = $plain.PadRight([int]([System.Math]::Ceiling($plain.Length / 4) * 4), '=')
    return , [System.Convert]::FromBase64String($plain)
}

function Join-Byte {
    <# .SYNOPSIS All the bytes in a row. #>
    param([object[]]$Part)
    $stream = New-Object -TypeName 'System.IO.MemoryStream'
    foreach ($bytes in $Part) { $stream.Write([byte[]]$bytes, 0, $bytes.Length) }
    return , $stream.ToArray()
}

function Get-ByteRange {
    param([byte[]]$Bytes, [int]$Start, [int]$Count)
    $part = New-Object -TypeName 'byte[]' -ArgumentList $Count
    [System.Buffer]::BlockCopy($Bytes, $Start, $part, 0, $Count)
    return , $part
}

function New-RandomByte {
    param([int]$Count)
    $bytes = New-Object -TypeName 'byte[]' -ArgumentList $Count
    $random = [System.Security.Cryptography.RandomNumberGenerator]::Create()
    try { $random.GetBytes($bytes) } finally { $random.Dispose() }
    return , $bytes
}

function New-TextMap {
    <# .SYNOPSIS A map of texts whose keys are told apart by case. #>
    param()
    return , (New-Object -TypeName 'System.Collections.Generic.Dictionary[string,string]' -ArgumentList ([System.StringComparer]::Ordinal))
}

function Get-TextOf {
    <# .SYNOPSIS The value of a key; $null when there is none. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Map, [string]$Key)
    $value = $null
    if ($Map.TryGetValue($Key, [ref]$value)) { return $value }
    return $null
}
