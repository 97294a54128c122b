$script:Slack = 1MB

function Expand-GuestDisk {
    <# .SYNOPSIS The system partition follows its grown disk. A partition behind it (recovery) is reported as fact growBlocked, never deleted. #>
    param([hashtable]$Agent, [System.Collections.Generic.Dictionary[string, string]]$Values)
    if ((Get-TextOf -Map $Values -Key 'growFilesystems') -cne 'true') { return }
    Update-HostStorageCache
    $system = Get-Partition -DriveLetter 'C'
    $disk = Get-Disk -Number $system.DiskNumber
    $declared = Get-TextOf -Map $Values -Key 'rootDisk.bytes'
    # Looked at again by the retry: the host grows the disk at its own time.
    if ($null -ne $declared -and [long]$disk.Size -lt [long]$declared) { Stop-Guest -Code 'ModuleFailed' -Message "the disk of C: has $($disk.Size) bytes, $declared are declared" }
    $limits = Get-PartitionSupportedSize -DriveLetter 'C'
    if ([long]$limits.SizeMax -gt [long]$system.Size + $script:Slack) { Resize-Partition -DriveLetter 'C' -Size $limits.SizeMax }
    Set-GrowBlocked -Agent $Agent -Disk $disk
}

function Set-GrowBlocked {
    <# .SYNOPSIS Keeps why C: does not reach the end of its disk; empty when it does. #>
    param([hashtable]$Agent, $Disk)
    $text = ''
    $partitions = @(Get-Partition -DiskNumber $Disk.Number | Sort-Object -Property 'Offset')
    $last = $partitions[-1]
    $system = @($partitions | Where-Object { $_.DriveLetter -eq 'C' })[0]
    $free = [long]$Disk.Size - [long]$last.Offset - [long]$last.Size
    # The end of a GPT disk holds its second table.
    if ($last.PartitionNumber -ne $system.PartitionNumber -and $free -gt 2 * $script:Slack) {
        $text = "$free bytes are free behind partition $($last.PartitionNumber) ($($last.Type)), which lies behind C:"
    }
    if ((Read-State -Agent $Agent -Name 'growblocked') -cne $text) { Write-State -Agent $Agent -Name 'growblocked' -Text $text }
}
