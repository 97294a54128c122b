# Values of registry keys: HKLM:\... in the machine's `registry`. Keys are made by tests alone.

function Find-RegistryKey {
    param($Machine, [string]$LiteralPath)
    if ($LiteralPath -match '\\Services\\(Tcpip6?)\\Parameters\\Interfaces\\(\{.+\})$') {
        $service = $Matches[1]
        $adapter = @($Machine.adapters | Where-Object { $_.guid -eq $Matches[2] })[0]
        $family = if ($service -eq 'Tcpip6') { $adapter.v6 } else { $adapter.v4 }
        return [pscustomobject]@{ NameServer = (@($family.dns) -join ',') }
    }
    $key = $Machine.registry.PSObject.Properties[$LiteralPath]
    if ($null -eq $key) { Stop-Cmdlet -Id 'PathNotFound' -Category 'ObjectNotFound' -Message "Cannot find path '$LiteralPath' because it does not exist." }
    return $key.Value
}

function Get-ItemProperty {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$LiteralPath, [string]$Name)
    try {
        $key = Find-RegistryKey -Machine (Get-Machine) -LiteralPath $LiteralPath
        if ($Name -eq '') { return $key }
        if ($null -eq $key.PSObject.Properties[$Name]) { Stop-Cmdlet -Id 'System.Management.Automation.PSArgumentException' -Category 'InvalidArgument' -Message "Property $Name does not exist at path $LiteralPath." }
        return $key
    }
    catch { $PSCmdlet.WriteError($_) }
}

function New-ItemProperty {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$LiteralPath, [Parameter(Mandatory = $true)][string]$Name, $Value, [ValidateSet('String', 'DWord')][string]$PropertyType, [switch]$Force)
    Add-Call -Name 'New-ItemProperty' -At 'before'
    $machine = Get-Machine
    $key = Find-RegistryKey -Machine $machine -LiteralPath $LiteralPath
    if ($null -ne $key.PSObject.Properties[$Name]) {
        if (-not $Force) { Stop-Cmdlet -Id 'System.IO.IOException' -Category 'WriteError' -Message 'The property already exists.' }
        $key.PSObject.Properties.Remove($Name)
    }
    Add-Member -InputObject $key -MemberType 'NoteProperty' -Name $Name -Value $Value
    Save-Machine -Machine $machine
}

function Remove-ItemProperty {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$LiteralPath, [Parameter(Mandatory = $true)][string]$Name)
    $machine = Get-Machine
    (Find-RegistryKey -Machine $machine -LiteralPath $LiteralPath).PSObject.Properties.Remove($Name)
    Save-Machine -Machine $machine
}
