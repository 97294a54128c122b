# Name, domain, time zone, restart, CIM rows about the computer.

function Get-CimInstance {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][ValidateSet('Win32_OperatingSystem', 'Win32_ComputerSystem', 'Win32_LogicalDisk')][string]$ClassName, [string]$Filter)
    $machine = Get-Machine
    switch ($ClassName) {
        'Win32_OperatingSystem' { return [pscustomobject]@{ Caption = 'Microsoft Windows Server 2022 Standard'; Version = '10.0.20348'; LastBootUpTime = ([datetime]'2026-01-01T00:00:00Z').AddHours($machine.boots) } }
        'Win32_ComputerSystem' { return [pscustomobject]@{ Name = $machine.name; PartOfDomain = $machine.domain -ne ''; Domain = $(if ($machine.domain -ne '') { $machine.domain } else { 'WORKGROUP' }) } }
        'Win32_LogicalDisk' {
            if ($Filter -eq 'DriveType = 5') {
                if ($machine.medium -ne '') { return [pscustomobject]@{ DeviceID = $machine.medium } }
                return
            }
            return [pscustomobject]@{ DeviceID = 'C:'; Size = @($machine.disk.partitions | Where-Object { $_.letter -eq 'C' })[0].size }
        }
    }
}

function Rename-Computer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$NewName, [pscredential]$DomainCredential, [switch]$Force)
    Add-Call -Name 'Rename-Computer' -At 'before'
    $machine = Get-Machine
    if ($machine.domain -ne '' -and $null -eq $DomainCredential) { Stop-Cmdlet -Id 'FailToRenameComputer' -Category 'OperationStopped' -Message 'Access is denied.' }
    if ($NewName.Length -gt 15 -or $NewName -eq $machine.name) { Stop-Cmdlet -Id 'FailToRenameComputer' -Category 'OperationStopped' -Message "Skip computer with new name '$NewName'." }
    $machine.registry.'HKLM:\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName'.ComputerName = $NewName.ToUpperInvariant()
    Save-Machine -Machine $machine
    Add-Call -Name 'Rename-Computer' -At 'after'
}

function Add-Computer {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$DomainName, [Parameter(Mandatory = $true)][pscredential]$Credential, [string]$OUPath, [ValidateSet('JoinWithNewName', 'AccountCreate')][string[]]$Options, [switch]$Force)
    Add-Call -Name 'Add-Computer' -At 'before'
    $machine = Get-Machine
    $known = $machine.directory
    if ($DomainName -ne $known.name -or $Credential.UserName -ne $known.user -or $Credential.GetNetworkCredential().Password -cne $known.password) {
        Stop-Cmdlet -Id 'FailToJoinDomainFromWorkgroup' -Category 'OperationStopped' -Message "failed to join domain '$DomainName': the user name or password is incorrect."
    }
    $pending = $machine.registry.'HKLM:\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName'.ComputerName
    $machine.domain = $DomainName
    $known.computers = @($known.computers) + $(if ($Options -contains 'JoinWithNewName') { $pending } else { $machine.name })
    $known.ou = $OUPath
    Save-Machine -Machine $machine
    Add-Call -Name 'Add-Computer' -At 'after'
}

function Restart-Computer {
    [CmdletBinding()]
    param([switch]$Force)
    Add-Call -Name 'Restart-Computer' -At 'before'
    $machine = Get-Machine
    $machine.boots = $machine.boots + 1
    $pending = $machine.registry.'HKLM:\SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName'.ComputerName
    $machine.registry.'HKLM:\SYSTEM\CurrentControlSet\Control\ComputerName\ActiveComputerName'.ComputerName = $pending
    $machine.name = $pending
    Save-Machine -Machine $machine
}

function Get-TimeZone { [CmdletBinding()] param() return [pscustomobject]@{ Id = (Get-Machine).timeZone } }

function Set-TimeZone {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Id)
    Add-Call -Name 'Set-TimeZone' -At 'before'
    if ($Id -notin 'W. Europe Standard Time', 'UTC', 'Pacific Standard Time') { Stop-Cmdlet -Id 'TimeZoneNotFound' -Category 'ObjectNotFound' -Message "The time zone ID '$Id' was not found on the local computer." }
    $machine = Get-Machine
    $machine.timeZone = $Id
    Save-Machine -Machine $machine
    Add-Call -Name 'Set-TimeZone' -At 'after'
}
