# Storage: one disk with its partitions.

function Update-HostStorageCache { [CmdletBinding()] param() $null = Get-Machine }

function Get-Disk {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][uint32]$Number)
    return [pscustomobject]@{ Number = $Number; Size = [uint64](Get-Machine).disk.size }
}

function Get-Partition {
    [CmdletBinding()]
    param([char]$DriveLetter, [uint32]$DiskNumber)
    foreach ($one in (Get-Machine).disk.partitions) {
        if ($PSBoundParameters.ContainsKey('DriveLetter') -and $one.letter -ne $DriveLetter) { continue }
        [pscustomobject]@{ DiskNumber = 0; PartitionNumber = $one.number; DriveLetter = $one.letter; Offset = [uint64]$one.offset; Size = [uint64]$one.size; Type = $one.type }
    }
}

function Get-PartitionSupportedSize {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][char]$DriveLetter)
    $machine = Get-Machine
    $mine = @($machine.disk.partitions | Where-Object { $_.letter -eq $DriveLetter })[0]
    $end = [uint64]$machine.disk.size - 1MB
    foreach ($one in $machine.disk.partitions) { if ($one.offset -gt $mine.offset -and $one.offset -lt $end) { $end = [uint64]$one.offset } }
    return [pscustomobject]@{ SizeMin = [uint64]1GB; SizeMax = [uint64]($end - $mine.offset) }
}

function Resize-Partition {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][char]$DriveLetter, [Parameter(Mandatory = $true)][uint64]$Size)
    Add-Call -Name 'Resize-Partition' -At 'before'
    if ($Size -gt (Get-PartitionSupportedSize -DriveLetter $DriveLetter).SizeMax) { Stop-Cmdlet -Id 'StorageWMI 4097' -Category 'InvalidArgument' -Message 'Size Not Supported' }
    $machine = Get-Machine
    @($machine.disk.partitions | Where-Object { $_.letter -eq $DriveLetter })[0].size = $Size
    Save-Machine -Machine $machine
    Add-Call -Name 'Resize-Partition' -At 'after'
}
