$script:AdministratorsSid = 'S-1-5-32-544'
$script:AuthorizedKeys = 'C:\ProgramData\ssh\administrators_authorized_keys'

function Set-GuestAccount {
    <#
    .SYNOPSIS
    The local administrator with its password, and the administrators' ssh keys.
    .DESCRIPTION
    The password is set with each configuration: finding out whether it differs would be a log-on that may lock the account, or a kept hash that may be guessed.
    #>
    param([System.Collections.Generic.Dictionary[string, string]]$Values)
    $name = Get-TextOf -Map $Values -Key 'admin.name'
    if ($null -ne $name) {
        $password = ConvertTo-SecureString -String $Values['admin.password'] -AsPlainText -Force
        Set-Administrator -Name $name -Password $password -Reset
    }
    $keys = @(Get-ListOf -Values $Values -Prefix 'admin.sshKey')
    if ($keys.Count -eq 0) { return }
    # sshd reads one file for all administrators: the automation user's key stays in it.
    $automation = Get-TextOf -Map $Values -Key 'automation.publicKey'
    if ($null -ne $automation -and $automation -cnotin $keys) { $keys += $automation }
    Set-AuthorizedKey -Line $keys
}

function Set-Administrator {
    <# .SYNOPSIS A local user among the administrators, enabled. -Reset: the password of one that exists is set, too. #>
    param([string]$Name, [System.Security.SecureString]$Password, [switch]$Reset)
    $user = @(Get-LocalUser | Where-Object { $_.Name -eq $Name })
    if ($user.Count -eq 0) { $null = New-LocalUser -Name $Name -Password $Password -PasswordNeverExpires -AccountNeverExpires }
    elseif ($Reset) { Set-LocalUser -Name $Name -Password $Password }
    if ($user.Count -gt 0 -and -not $user[0].Enabled) { Enable-LocalUser -Name $Name }
    # Not looked up before: Get-LocalGroupMember fails on a group with a member of a lost domain.
    try { Add-LocalGroupMember -SID $script:AdministratorsSid -Member $Name }
    catch { if ($_.FullyQualifiedErrorId -notlike 'MemberExists*') { throw } }
}

function Set-AuthorizedKey {
    <# .SYNOPSIS The whole of the administrators' authorized keys, with the rights that sshd asks for. #>
    param([string[]]$Line)
    $bytes = [System.Text.Encoding]::UTF8.GetBytes(($Line -join "`r`n") + "`r`n")
    Set-WholeFile -Path $script:AuthorizedKeys -Bytes $bytes -Private
}
