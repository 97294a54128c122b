# NetAdapter, NetTCPIP and DnsClient.

function Find-Family {
    <# .SYNOPSIS A family ('v4', 'v6') of an adapter. #>
    param($Machine, [int]$Index, [string]$AddressFamily)
    $adapter = @($Machine.adapters | Where-Object { $_.index -eq $Index })
    if ($adapter.Count -eq 0) { Stop-Cmdlet -Id 'CmdletizationQuery_NotFound_InterfaceIndex' -Category 'ObjectNotFound' -Message "No MSFT_NetIPInterface objects found with property 'InterfaceIndex' equal to '$Index'." }
    if ($AddressFamily -eq 'IPv6') { return $adapter[0].v6 }
    return $adapter[0].v4
}

function Get-NetAdapter {
    [CmdletBinding()]
    param()
    foreach ($one in (Get-Machine).adapters) { [pscustomobject]@{ Name = $one.name; ifIndex = $one.index; MacAddress = $one.mac; InterfaceGuid = $one.guid; Status = 'Up' } }
}

function Get-NetIPInterface {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][uint32]$InterfaceIndex, [Parameter(Mandatory = $true)][ValidateSet('IPv4', 'IPv6')][string]$AddressFamily)
    $family = Find-Family -Machine (Get-Machine) -Index $InterfaceIndex -AddressFamily $AddressFamily
    return [pscustomobject]@{ InterfaceIndex = $InterfaceIndex; Dhcp = $(if ($family.dhcp) { 'Enabled' } else { 'Disabled' }); RouterDiscovery = $family.discovery }
}

function Set-NetIPInterface {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][uint32]$InterfaceIndex, [Parameter(Mandatory = $true)][ValidateSet('IPv4', 'IPv6')][string]$AddressFamily, [ValidateSet('Enabled', 'Disabled')][string]$Dhcp, [ValidateSet('Enabled', 'Disabled')][string]$RouterDiscovery)
    Add-Call -Name 'Set-NetIPInterface' -At 'before'
    $machine = Get-Machine
    $family = Find-Family -Machine $machine -Index $InterfaceIndex -AddressFamily $AddressFamily
    if ($RouterDiscovery) { $family.discovery = $RouterDiscovery }
    if ($Dhcp -eq 'Enabled' -and -not $family.dhcp) {
        $family.dhcp = $true
        $family.addresses = @($family.served.address)
        $family.gateways = @($family.served.gateway)
    }
    if ($Dhcp -eq 'Disabled') { $family.dhcp = $false }
    Save-Machine -Machine $machine
    Add-Call -Name 'Set-NetIPInterface' -At 'after'
}

function Get-NetIPAddress {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][uint32]$InterfaceIndex, [Parameter(Mandatory = $true)][ValidateSet('IPv4', 'IPv6')][string]$AddressFamily)
    $family = Find-Family -Machine (Get-Machine) -Index $InterfaceIndex -AddressFamily $AddressFamily
    foreach ($one in $family.addresses) {
        $parts = $one.Split('/')
        [pscustomobject]@{ IPAddress = $parts[0]; PrefixLength = [byte]$parts[1]; InterfaceIndex = $InterfaceIndex; PrefixOrigin = $(if ($family.dhcp -and $one -eq $family.served.address) { 'Dhcp' } else { 'Manual' }) }
    }
}

function New-NetIPAddress {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][uint32]$InterfaceIndex, [Parameter(Mandatory = $true)][ValidateSet('IPv4', 'IPv6')][string]$AddressFamily, [Parameter(Mandatory = $true)][string]$IPAddress, [byte]$PrefixLength)
    Add-Call -Name 'New-NetIPAddress' -At 'before'
    $machine = Get-Machine
    $family = Find-Family -Machine $machine -Index $InterfaceIndex -AddressFamily $AddressFamily
    if (@($family.addresses | Where-Object { $_.Split('/')[0] -eq $IPAddress }).Count -gt 0) { Stop-Cmdlet -Id 'Windows System Error 5010' -Category 'InvalidArgument' -Message 'Instance MSFT_NetIPAddress already exists' }
    $family.addresses = @($family.addresses) + "$IPAddress/$PrefixLength"
    Save-Machine -Machine $machine
    Add-Call -Name 'New-NetIPAddress' -At 'after'
}

function Remove-NetIPAddress {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)][uint32]$InterfaceIndex, [Parameter(Mandatory = $true)][string]$IPAddress)
    Add-Call -Name 'Remove-NetIPAddress' -At 'before'
    $machine = Get-Machine
    $family = Find-Family -Machine $machine -Index $InterfaceIndex -AddressFamily $(if ($IPAddress.Contains(':')) { 'IPv6' } else { 'IPv4' })
    $family.addresses = @($family.addresses | Where-Object { $_.Split('/')[0] -ne $IPAddress })
    Save-Machine -Machine $machine
    Add-Call -Name 'Remove-NetIPAddress' -At 'after'
}

function Get-NetRoute {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][uint32]$InterfaceIndex, [Parameter(Mandatory = $true)][ValidateSet('0.0.0.0/0', '::/0')][string]$DestinationPrefix)
    $family = Find-Family -Machine (Get-Machine) -Index $InterfaceIndex -AddressFamily $(if ($DestinationPrefix -eq '::/0') { 'IPv6' } else { 'IPv4' })
    foreach ($one in $family.gateways) { [pscustomobject]@{ DestinationPrefix = $DestinationPrefix; NextHop = $one } }
}

function New-NetRoute {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][uint32]$InterfaceIndex, [Parameter(Mandatory = $true)][ValidateSet('0.0.0.0/0', '::/0')][string]$DestinationPrefix, [Parameter(Mandatory = $true)][string]$NextHop)
    Add-Call -Name 'New-NetRoute' -At 'before'
    $machine = Get-Machine
    $family = Find-Family -Machine $machine -Index $InterfaceIndex -AddressFamily $(if ($DestinationPrefix -eq '::/0') { 'IPv6' } else { 'IPv4' })
    $family.gateways = @($family.gateways) + $NextHop
    Save-Machine -Machine $machine
    Add-Call -Name 'New-NetRoute' -At 'after'
}

function Remove-NetRoute {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)][uint32]$InterfaceIndex, [Parameter(Mandatory = $true)][string]$DestinationPrefix, [Parameter(Mandatory = $true)][string]$NextHop)
    Add-Call -Name 'Remove-NetRoute' -At 'before'
    $machine = Get-Machine
    $family = Find-Family -Machine $machine -Index $InterfaceIndex -AddressFamily $(if ($DestinationPrefix -eq '::/0') { 'IPv6' } else { 'IPv4' })
    $family.gateways = @($family.gateways | Where-Object { $_ -ne $NextHop })
    Save-Machine -Machine $machine
}

function Get-NetNeighbor {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][uint32]$InterfaceIndex, [Parameter(Mandatory = $true)][string]$IPAddress)
    $machine = Get-Machine
    $state = if ($IPAddress -in $machine.answers -or $IPAddress -in $machine.answersArp) { 'Reachable' } else { 'Unreachable' }
    return [pscustomobject]@{ IPAddress = $IPAddress; State = $state }
}

function Test-Connection {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$ComputerName, [int]$Count, [switch]$Quiet)
    return $ComputerName -in (Get-Machine).answers
}

function Set-DnsClientServerAddress {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][uint32]$InterfaceIndex, [string[]]$ServerAddresses, [switch]$ResetServerAddresses)
    Add-Call -Name 'Set-DnsClientServerAddress' -At 'before'
    $machine = Get-Machine
    $v4 = Find-Family -Machine $machine -Index $InterfaceIndex -AddressFamily 'IPv4'
    $v6 = Find-Family -Machine $machine -Index $InterfaceIndex -AddressFamily 'IPv6'
    if ($ResetServerAddresses) {
        $v4.dns = @()
        $v6.dns = @()
    }
    else {
        $six = @($ServerAddresses | Where-Object { $_.Contains(':') })
        $four = @($ServerAddresses | Where-Object { -not $_.Contains(':') })
        if ($six.Count -gt 0) { $v6.dns = $six }
        if ($four.Count -gt 0) { $v4.dns = $four }
    }
    Save-Machine -Machine $machine
    Add-Call -Name 'Set-DnsClientServerAddress' -At 'after'
}

function Get-DnsClientGlobalSetting { [CmdletBinding()] param() return [pscustomobject]@{ SuffixSearchList = @((Get-Machine).searchList) } }

function Set-DnsClientGlobalSetting {
    [CmdletBinding()]
    param([string[]]$SuffixSearchList)
    Add-Call -Name 'Set-DnsClientGlobalSetting' -At 'before'
    $machine = Get-Machine
    $machine.searchList = $SuffixSearchList
    Save-Machine -Machine $machine
    Add-Call -Name 'Set-DnsClientGlobalSetting' -At 'after'
}
