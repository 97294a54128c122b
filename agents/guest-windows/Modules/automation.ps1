function Set-GuestAutomation {
    <# .SYNOPSIS An administrator for automation that logs on by key: nobody knows its password. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Values)
    $name = Get-TextOf -Map $Values -Key 'automation.user'
    if ($null -eq $name) { return }
    # All four kinds of characters, whatever the policy asks for.
    $random = [System.Convert]::ToBase64String((New-RandomByte -Count 48)) + 'aA1!'
    Set-Administrator -Name $name -Password (ConvertTo-SecureString -String $random -AsPlainText -Force)
    $real = Resolve-HostPath -Path $script:AuthorizedKeys
    $lines = @()
    if ([System.IO.File]::Exists($real)) { $lines = @([System.IO.File]::ReadAllLines($real) | Where-Object { $_ -ne '' }) }
    $key = $Values['automation.publicKey']
    if ($key -cnotin $lines) { Set-AuthorizedKey -Line ($lines + $key) }
}
