# Key-value pairs in the registry, as Hyper-V's data exchange service keeps them.
$script:KvpRoot = 'HKLM:\SOFTWARE\Microsoft\Virtual Machine'

function Get-RegistryText {
    <# .SYNOPSIS A value of a registry key as text; '' when the key or the value is missing. #>
    param([string]$Path, [string]$Name)
    $row = Get-ItemProperty -LiteralPath $Path -Name $Name -ErrorAction 'SilentlyContinue'
    if ($null -eq $row) { return '' }
    return [string]$row.$Name
}

function Get-KvpItem {
    <# .SYNOPSIS The texts of `External` or `Guest` whose names begin with aetherv. #>
    param([string]$Pool)
    $items = New-TextMap
    $row = Get-ItemProperty -LiteralPath "$script:KvpRoot\$Pool" -ErrorAction 'SilentlyContinue'
    if ($null -eq $row) { return , $items }
    foreach ($property in $row.PSObject.Properties) {
        if ($property.Name.StartsWith('aetherv.', [System.StringComparison]::Ordinal)) { $items[$property.Name] = [string]$property.Value }
    }
    return , $items
}

function Set-KvpItem {
    <# .SYNOPSIS Writes what differs, the manifest last; removes slots that are no more. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Items)
    $path = "$script:KvpRoot\Guest"
    $have = Get-KvpItem -Pool 'Guest'
    foreach ($key in @($have.Keys)) {
        if ($key -clike 'aetherv.guest.*' -and -not $Items.ContainsKey($key)) { Remove-ItemProperty -LiteralPath $path -Name $key }
    }
    $last = 'aetherv.guest.manifest'
    foreach ($key in @($Items.Keys | Where-Object { $_ -cne $last }) + $last) {
        if ((Get-TextOf -Map $have -Key $key) -cne $Items[$key]) { $null = New-ItemProperty -LiteralPath $path -Name $key -Value $Items[$key] -PropertyType 'String' -Force }
    }
}

function Get-VmId {
    <# .SYNOPSIS Hyper-V's id of this machine, lower case; '' while it is not known. #>
    param()
    $id = (Get-RegistryText -Path "$script:KvpRoot\Guest\Parameters" -Name 'VirtualMachineId').Trim('{', '}').ToLowerInvariant()
    if ($id -cmatch '\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\z') { return $id }
    return ''
}

function Test-SetupComplete {
    <# .SYNOPSIS Whether Windows Setup is done with this installation: before, sysprep's own passes would undo changes. #>
    param()
    return (Get-RegistryText -Path 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State' -Name 'ImageState') -ceq 'IMAGE_STATE_COMPLETE'
}
