# Microsoft.PowerShell.Security's two for secure strings. The emulated "DPAPI" hides nothing: rig:<base64>.

function ConvertTo-SecureString {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$String, [switch]$AsPlainText, [switch]$Force)
    $text = $String
    if ($AsPlainText -and -not $Force) { Stop-Cmdlet -Id 'ImportSecureString_ForceRequired' -Category 'InvalidArgument' -Message 'The system cannot protect plain text input: give Force.' }
    if (-not $AsPlainText) {
        if (-not $String.StartsWith('rig:')) { Stop-Cmdlet -Id 'ImportSecureString_InvalidArgument_CryptographicError' -Category 'InvalidArgument' -Message 'Key not valid for use in specified state.' }
        $text = [System.Text.Encoding]::UTF8.GetString([System.Convert]::FromBase64String($String.Substring(4)))
    }
    $secure = New-Object -TypeName 'System.Security.SecureString'
    foreach ($char in $text.ToCharArray()) { $secure.AppendChar($char) }
    $secure.MakeReadOnly()
    return $secure
}

function ConvertFrom-SecureString {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][System.Security.SecureString]$SecureString)
    return 'rig:' + [System.Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes((ConvertFrom-Secret -Secret $SecureString)))
}
