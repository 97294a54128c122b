# Addresses by MAC. A plan is what a family (IPv4, IPv6) of an adapter is to be: @{Index; Family; Method; Address; Prefix; Gateway; Dns}; the old configuration is a plan, too.

function Set-GuestNetwork {
    <#
    .SYNOPSIS
    Brings the declared families of the declared adapters to their plans; where the gateway stays silent, the old configuration comes back.
    .DESCRIPTION
    The old plans are kept in the file `oldnetwork` before the first change, so that a kill in the midst of it loses nothing.
    #>
    param([hashtable]$Agent, [System.Collections.Generic.Dictionary[string, string]]$Values)
    $plans = @(Get-DeclaredPlan -Values $Values)
    if ($plans.Count -eq 0) { return }
    $kept = Read-State -Agent $Agent -Name 'oldnetwork'
    $old = if ($kept -ne '') { @(ConvertFrom-PlanText -Text $kept) } else { @($plans | ForEach-Object { Get-PresentPlan -Index $_.Index -Family $_.Family }) }
    $pending = @($plans | Where-Object { Test-PlanChange -Plan $_ })
    if ($pending.Count -gt 0) {
        if ($kept -eq '') { Write-State -Agent $Agent -Name 'oldnetwork' -Text (ConvertTo-PlanText -Plan $old) }
        foreach ($plan in $pending) { Set-Plan -Plan $plan }
    }
    if ($pending.Count -gt 0 -or $kept -ne '') {
        $silent = @($plans | Where-Object { $_.Gateway -ne '' -and -not (Test-Gateway -Index $_.Index -Gateway $_.Gateway) })
        if ($silent.Count -gt 0) {
            foreach ($plan in @($old | Where-Object { Test-PlanChange -Plan $_ })) { Set-Plan -Plan $plan }
            Remove-State -Agent $Agent -Name 'oldnetwork'
            Stop-Guest -Code 'NetworkUnreachable' -Message "the gateway $($silent[0].Gateway) is silent; the old configuration is back"
        }
    }
    Set-SearchList -Values $Values
    Remove-State -Agent $Agent -Name 'oldnetwork'
}

function Get-DeclaredPlan {
    <# .SYNOPSIS The plans that the configuration asks for. An adapter that is not there fails before anything is changed. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Values)
    $adapters = @(Get-NetAdapter)
    foreach ($entry in @(Get-EntryOf -Values $Values -Kind 'adapter' -Field 'mac')) {
        $mac = $Values["$entry.mac"]
        $found = @($adapters | Where-Object { ([string]$_.MacAddress).Replace('-', '') -eq $mac })
        if ($found.Count -eq 0) { Stop-Guest -Code 'ModuleFailed' -Message "no adapter has the MAC address $mac ($($Values["$entry.name"]))" }
        foreach ($family in 'IPv4', 'IPv6') {
            $prefix = "$entry.$($family.ToLowerInvariant())"
            if (-not $Values.ContainsKey("$prefix.method")) { continue }
            $plan = New-Plan -Index $found[0].ifIndex -Family $family -Method $Values["$prefix.method"]
            $plan.Dns = @(Get-ListOf -Values $Values -Prefix "$prefix.dns")
            if ($plan.Method -ceq 'Static') {
                $plan.Address = ConvertTo-Address -Text $Values["$prefix.address"]
                $plan.Prefix = [int]$Values["$prefix.prefixLength"]
                if ($Values.ContainsKey("$prefix.gateway")) { $plan.Gateway = ConvertTo-Address -Text $Values["$prefix.gateway"] }
            }
            $plan
        }
    }
}

function New-Plan {
    param([int]$Index, [string]$Family, [string]$Method)
    return @{ Index = $Index; Family = $Family; Method = $Method; Address = ''; Prefix = 0; Gateway = ''; Dns = @() }
}

function ConvertTo-Address {
    <# .SYNOPSIS One way to write an address, without its zone. #>
    param([string]$Text)
    return ([System.Net.IPAddress]::Parse($Text.Split('%')[0])).ToString()
}

function Get-OwnAddress {
    <# .SYNOPSIS The addresses of a family but link-local ones, which Windows makes itself. #>
    param([int]$Index, [string]$Family)
    return @(Get-NetIPAddress -InterfaceIndex $Index -AddressFamily $Family -ErrorAction 'SilentlyContinue' | Where-Object { $_.IPAddress -notlike 'fe80:*' -and $_.IPAddress -notlike '169.254.*' })
}

function Get-DefaultRoute {
    param([int]$Index, [string]$Family)
    $prefix = if ($Family -eq 'IPv6') { '::/0' } else { '0.0.0.0/0' }
    return @(Get-NetRoute -InterfaceIndex $Index -DestinationPrefix $prefix -ErrorAction 'SilentlyContinue')
}

function Get-OwnDns {
    <# .SYNOPSIS The servers that were set on the adapter itself; the cmdlet would show those that DHCP served, too. #>
    param([int]$Index, [string]$Family)
    $service = if ($Family -eq 'IPv6') { 'Tcpip6' } else { 'Tcpip' }
    $guid = [string](Get-NetAdapter | Where-Object { $_.ifIndex -eq $Index }).InterfaceGuid
    $text = Get-RegistryText -Path "HKLM:\SYSTEM\CurrentControlSet\Services\$service\Parameters\Interfaces\$guid" -Name 'NameServer'
    return @($text.Split([char[]]', ') | Where-Object { $_ -ne '' })
}

function Test-Dhcp {
    param([int]$Index, [string]$Family)
    return [string](Get-NetIPInterface -InterfaceIndex $Index -AddressFamily $Family).Dhcp -eq 'Enabled'
}

function Get-PresentPlan {
    <# .SYNOPSIS What a family is now. Of several static addresses the first one. #>
    param([int]$Index, [string]$Family)
    $plan = New-Plan -Index $Index -Family $Family -Method 'DHCP'
    $plan.Dns = @(Get-OwnDns -Index $Index -Family $Family)
    if (Test-Dhcp -Index $Index -Family $Family) { return $plan }
    $plan.Method = 'Static'
    $addresses = @(Get-OwnAddress -Index $Index -Family $Family)
    if ($addresses.Count -gt 0) {
        $plan.Address = ConvertTo-Address -Text $addresses[0].IPAddress
        $plan.Prefix = [int]$addresses[0].PrefixLength
    }
    $routes = @(Get-DefaultRoute -Index $Index -Family $Family)
    if ($routes.Count -gt 0) { $plan.Gateway = ConvertTo-Address -Text $routes[0].NextHop }
    return $plan
}

function Test-PlanChange {
    <# .SYNOPSIS Whether a family is not as planned. #>
    param([hashtable]$Plan)
    $at = @{ Index = $Plan.Index; Family = $Plan.Family }
    $dhcp = Test-Dhcp @at
    if ($dhcp -ne ($Plan.Method -ceq 'DHCP')) { return $true }
    if ((@(Get-OwnDns @at) -join ' ') -cne ($Plan.Dns -join ' ')) { return $true }
    $addresses = @(Get-OwnAddress @at)
    if ($dhcp) { return @($addresses | Where-Object { [string]$_.PrefixOrigin -eq 'Manual' }).Count -gt 0 }
    $texts = @($addresses | ForEach-Object { Format-Address -Address $_ })
    $gateways = @(Get-DefaultRoute @at | ForEach-Object { ConvertTo-Address -Text $_.NextHop })
    return ($texts -join ' ') -cne "$($Plan.Address)/$($Plan.Prefix)" -or ($gateways -join ' ') -cne $Plan.Gateway
}

function Format-Address {
    param($Address)
    return "$(ConvertTo-Address -Text $Address.IPAddress)/$($Address.PrefixLength)"
}

function Set-Plan {
    <# .SYNOPSIS Brings a family to its plan: what is foreign goes before what is missing comes. #>
    param([hashtable]$Plan)
    $at = @{ InterfaceIndex = $Plan.Index; AddressFamily = $Plan.Family }
    $static = $Plan.Method -ceq 'Static'
    $served = Test-Dhcp -Index $Plan.Index -Family $Plan.Family
    $settings = @{ Dhcp = $(if ($static) { 'Disabled' } else { 'Enabled' }) }
    # A router's advertisements would bring a foreign default route.
    if ($Plan.Family -eq 'IPv6') { $settings.RouterDiscovery = $(if ($static) { 'Disabled' } else { 'Enabled' }) }
    if ($static) { Set-NetIPInterface @at @settings }
    Remove-ForeignRoute -Plan $Plan -Served ($served -and -not $static)
    foreach ($address in @(Get-OwnAddress -Index $Plan.Index -Family $Plan.Family)) {
        $foreign = if ($static) { (Format-Address -Address $address) -cne "$($Plan.Address)/$($Plan.Prefix)" } else { [string]$address.PrefixOrigin -eq 'Manual' }
        if ($foreign) { Remove-NetIPAddress -InterfaceIndex $Plan.Index -IPAddress $address.IPAddress -Confirm:$false }
    }
    if ($static) { Add-PlannedAddress -Plan $Plan } else { Set-NetIPInterface @at @settings }
    Set-PlannedDns -Plan $Plan
}

function Remove-ForeignRoute {
    <# .SYNOPSIS Default routes but the planned one; those of an adapter that is served by DHCP already are its own. #>
    param([hashtable]$Plan, [bool]$Served)
    if ($Served) { return }
    foreach ($route in @(Get-DefaultRoute -Index $Plan.Index -Family $Plan.Family)) {
        if ($Plan.Method -ceq 'Static' -and (ConvertTo-Address -Text $route.NextHop) -ceq $Plan.Gateway) { continue }
        Remove-NetRoute -InterfaceIndex $Plan.Index -DestinationPrefix $route.DestinationPrefix -NextHop $route.NextHop -Confirm:$false
    }
}

function Add-PlannedAddress {
    param([hashtable]$Plan)
    if ($Plan.Address -ne '' -and @(Get-OwnAddress -Index $Plan.Index -Family $Plan.Family).Count -eq 0) {
        $null = New-NetIPAddress -InterfaceIndex $Plan.Index -AddressFamily $Plan.Family -IPAddress $Plan.Address -PrefixLength $Plan.Prefix
    }
    if ($Plan.Gateway -ne '' -and @(Get-DefaultRoute -Index $Plan.Index -Family $Plan.Family).Count -eq 0) {
        $prefix = if ($Plan.Family -eq 'IPv6') { '::/0' } else { '0.0.0.0/0' }
        $null = New-NetRoute -InterfaceIndex $Plan.Index -DestinationPrefix $prefix -NextHop $Plan.Gateway
    }
}

function Set-PlannedDns {
    <# .SYNOPSIS The servers of one family. A reset clears both families: the other one's own are set again. #>
    param([hashtable]$Plan)
    if ((@(Get-OwnDns -Index $Plan.Index -Family $Plan.Family) -join ' ') -ceq ($Plan.Dns -join ' ')) { return }
    $servers = @($Plan.Dns)
    if ($servers.Count -eq 0) {
        $other = if ($Plan.Family -eq 'IPv6') { 'IPv4' } else { 'IPv6' }
        $servers = @(Get-OwnDns -Index $Plan.Index -Family $other)
        Set-DnsClientServerAddress -InterfaceIndex $Plan.Index -ResetServerAddresses
    }
    if ($servers.Count -gt 0) { Set-DnsClientServerAddress -InterfaceIndex $Plan.Index -ServerAddresses $servers }
}

function Test-Gateway {
    <# .SYNOPSIS Whether a gateway answers, within half a minute: an echo, or its link address alone where echoes are filtered. #>
    param([int]$Index, [string]$Gateway)
    for ($try = 0; $try -lt 5; $try++) {
        if (Test-Connection -ComputerName $Gateway -Count 1 -Quiet) { return $true }
        $neighbor = @(Get-NetNeighbor -InterfaceIndex $Index -IPAddress $Gateway -ErrorAction 'SilentlyContinue')
        if ($neighbor.Count -gt 0 -and [string]$neighbor[0].State -in 'Reachable', 'Stale', 'Delay', 'Probe', 'Permanent') { return $true }
        Start-Sleep -Seconds 2
    }
    return $false
}

function Set-SearchList {
    <# .SYNOPSIS The search domains of all adapters, in their order: Windows keeps one list for the computer. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Values)
    $list = @(foreach ($entry in @(Get-EntryOf -Values $Values -Kind 'adapter' -Field 'mac')) {
            Get-ListOf -Values $Values -Prefix "$entry.ipv4.search"
            Get-ListOf -Values $Values -Prefix "$entry.ipv6.search"
        })
    $list = @($list | Where-Object { $_ } | Select-Object -Unique)
    if ($list.Count -eq 0) { return }
    if ((@((Get-DnsClientGlobalSetting).SuffixSearchList) -join ' ') -cne ($list -join ' ')) { Set-DnsClientGlobalSetting -SuffixSearchList $list }
}

function ConvertTo-PlanText {
    <# .SYNOPSIS Plans as lines. #>
    param([hashtable[]]$Plan)
    return (@($Plan | ForEach-Object { @([string]$_.Index, $_.Family, $_.Method, $_.Address, [string]$_.Prefix, $_.Gateway, ($_.Dns -join ' ')) -join ',' }) -join "`n")
}

function ConvertFrom-PlanText {
    param([string]$Text)
    foreach ($line in $Text.Split([char]10)) {
        $parts = $line.Split(',')
        $plan = New-Plan -Index ([int]$parts[0]) -Family $parts[1] -Method $parts[2]
        $plan.Address = $parts[3]
        $plan.Prefix = [int]$parts[4]
        $plan.Gateway = $parts[5]
        $plan.Dns = @($parts[6].Split(' ') | Where-Object { $_ -ne '' })
        $plan
    }
}
