# Microsoft.PowerShell.LocalAccounts.

function Get-LocalUser {
    [CmdletBinding()]
    param()
    foreach ($user in (Get-Machine).users) { [pscustomobject]@{ Name = $user.name; Enabled = $user.enabled } }
}

function Find-LocalUser {
    param($Machine, [string]$Name)
    $found = @($Machine.users | Where-Object { $_.name -eq $Name })
    if ($found.Count -eq 0) { Stop-Cmdlet -Id 'UserNotFound' -Category 'ObjectNotFound' -Message "User $Name was not found." }
    return $found[0]
}

function New-LocalUser {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name, [Parameter(Mandatory = $true)][System.Security.SecureString]$Password, [switch]$PasswordNeverExpires, [switch]$AccountNeverExpires)
    Add-Call -Name 'New-LocalUser' -At 'before'
    $machine = Get-Machine
    if (@($machine.users | Where-Object { $_.name -eq $Name }).Count -gt 0) { Stop-Cmdlet -Id 'UserExists' -Category 'ResourceExists' -Message "User $Name already exists." }
    $plain = ConvertFrom-Secret -Secret $Password
    if ($plain.Length -lt 8) { Stop-Cmdlet -Id 'InvalidPassword' -Category 'InvalidArgument' -Message 'The password does not meet the password policy requirements.' }
    $user = [pscustomobject]@{ name = $Name; enabled = $true; password = $plain }
    $machine.users = @($machine.users) + $user
    Save-Machine -Machine $machine
    Add-Call -Name 'New-LocalUser' -At 'after'
    return [pscustomobject]@{ Name = $Name; Enabled = $true }
}

function Set-LocalUser {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name, [Parameter(Mandatory = $true)][System.Security.SecureString]$Password)
    Add-Call -Name 'Set-LocalUser' -At 'before'
    $machine = Get-Machine
    (Find-LocalUser -Machine $machine -Name $Name).password = ConvertFrom-Secret -Secret $Password
    Save-Machine -Machine $machine
    Add-Call -Name 'Set-LocalUser' -At 'after'
}

function Enable-LocalUser {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name)
    Add-Call -Name 'Enable-LocalUser' -At 'before'
    $machine = Get-Machine
    (Find-LocalUser -Machine $machine -Name $Name).enabled = $true
    Save-Machine -Machine $machine
}

function Add-LocalGroupMember {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$SID, [Parameter(Mandatory = $true)][string[]]$Member)
    Add-Call -Name 'Add-LocalGroupMember' -At 'before'
    $machine = Get-Machine
    $group = @($machine.groups | Where-Object { $_.sid -eq $SID })
    if ($group.Count -eq 0) { Stop-Cmdlet -Id 'GroupNotFound' -Category 'ObjectNotFound' -Message "Group $SID was not found." }
    foreach ($name in $Member) {
        $null = Find-LocalUser -Machine $machine -Name $name
        if ($name -in $group[0].members) { Stop-Cmdlet -Id 'MemberExists' -Category 'ResourceExists' -Message "$name is already a member of group $($group[0].name)." }
        $group[0].members = @($group[0].members) + $name
    }
    Save-Machine -Machine $machine
    Add-Call -Name 'Add-LocalGroupMember' -At 'after'
}
