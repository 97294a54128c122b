function Get-DomainCredential {
    <# .SYNOPSIS Who joins; $null where no domain is declared. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Values)
    if (-not $Values.ContainsKey('domain.username')) { return $null }
    $password = ConvertTo-SecureString -String $Values['domain.password'] -AsPlainText -Force
    return New-Object -TypeName 'System.Management.Automation.PSCredential' -ArgumentList $Values['domain.username'], $password
}

function Test-JoinPending {
    <# .SYNOPSIS Whether a declared domain is still to be joined. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Values)
    return $Values.ContainsKey('domain.name') -and -not (Get-CimInstance -ClassName 'Win32_ComputerSystem').PartOfDomain
}

function Join-GuestDomain {
    <#
    .SYNOPSIS
    Joins the domain under the computer's new name. A member of another domain is not moved.
    .DESCRIPTION
    The boot in which it joins is kept in the file `joining`: a kill before the restart is found by it.
    #>
    param([hashtable]$Agent, [System.Collections.Generic.Dictionary[string, string]]$Values)
    $domain = Get-TextOf -Map $Values -Key 'domain.name'
    if ($null -eq $domain) { return }
    $computer = Get-CimInstance -ClassName 'Win32_ComputerSystem'
    if ($computer.PartOfDomain) {
        if ($computer.Domain -ne $domain) { Stop-Guest -Code 'ModuleFailed' -Message "the computer is a member of $($computer.Domain); it is not moved to $domain" }
        if ((Read-State -Agent $Agent -Name 'joining') -ceq (Get-BootId)) { return 'Restart' }
        Remove-State -Agent $Agent -Name 'joining'
        return
    }
    $join = @{ DomainName = $domain; Credential = (Get-DomainCredential -Values $Values); Options = @('JoinWithNewName', 'AccountCreate'); Force = $true }
    if ($Values.ContainsKey('domain.ou')) { $join.OUPath = $Values['domain.ou'] }
    Write-State -Agent $Agent -Name 'joining' -Text (Get-BootId)
    Add-Computer @join
    return 'Restart'
}
