$script:NameRoot = 'HKLM:\SYSTEM\CurrentControlSet\Control\ComputerName'

function Get-ComputerNames {
    <# .SYNOPSIS The name that is in force, and the one after the next restart. #>
    param()
    $pending = Get-RegistryText -Path "$script:NameRoot\ComputerName" -Name 'ComputerName'
    return @{ Active = (Get-RegistryText -Path "$script:NameRoot\ActiveComputerName" -Name 'ComputerName'); Pending = $pending }
}

function Set-GuestName {
    <# .SYNOPSIS Renames the computer; a restart follows, unless a domain is to be joined: that comes with one restart for both. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Values)
    $want = Get-TextOf -Map $Values -Key 'hostname'
    if ($null -eq $want) { return }
    $names = Get-ComputerNames
    if ($names.Pending -ne $want) {
        $rename = @{ NewName = $want; Force = $true }
        $credential = Get-DomainCredential -Values $Values
        # A member of a domain is renamed there, too.
        if ((Get-CimInstance -ClassName 'Win32_ComputerSystem').PartOfDomain -and $null -ne $credential) { $rename.DomainCredential = $credential }
        Rename-Computer @rename
        $names = Get-ComputerNames
    }
    if ($names.Active -ne $want -and -not (Test-JoinPending -Values $Values)) { return 'Restart' }
}
