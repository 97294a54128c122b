$script:Day = [TimeSpan]::FromDays(1)

function Get-PurgePath { param() return Join-Path -Path $script:Agent.State -ChildPath 'purge.json' }

function Read-PurgeClock {
    <# .SYNOPSIS When the purge looked last, and before which time nothing is purged (ticks). #>
    param()
    if (-not (Test-Path -LiteralPath (Get-PurgePath))) { return $null }
    try { return Read-JsonFile -Path (Get-PurgePath) } catch { return $null }
}

function Invoke-Purge {
    <#
    .SYNOPSIS Removes what lay in the trash long enough, by the manifest's time; part of each inventory.
    .DESCRIPTION A jump of the clock by more than a day defers it by a day, so that nobody loses a disk to a wrong clock. A stale control plane
    purges nothing. Partial copies whose job is gone go after a day.
    #>
    param([hashtable]$Job)
    if ($Job.DryRun -or -not (Test-MayPurge -Job $Job)) { return }
    try {
        $table = Get-FileTable -World (Get-World -Job $Job)
        $waste = @($table.Values | Where-Object -FilterScript { (Test-TrashPath -Path $_.Path) -or (Test-PartialPath -Path $_.Path) })
        if ($waste.Count -eq 0) { return }
        $now = [DateTime]::UtcNow
        if (-not (Test-PurgeClock -Job $Job -Now $now)) { return }
        foreach ($entry in $waste) { if (Test-TrashPath -Path $entry.Path) { Remove-ExpiredTrash -Job $Job -Entry $entry -Now $now } }
        Remove-AbandonedPartial -Job $Job -Entry @($waste | Where-Object -FilterScript { Test-PartialPath -Path $_.Path }) -Now $now
    }
    # What can't be purged now is told by the parts of the inventory, and tried again by the next one.
    catch { Write-JobLog -Job $Job -Level 'warn' -Text "the trash could not be purged: $($_.Exception.Message)" }
}

function Test-MayPurge {
    param([hashtable]$Job)
    if ([long]$Job.Metadata['epoch'] -eq 0) { return $false }
    try { $null = Assert-Epoch -Metadata $Job.Metadata; return $true } catch { return $false }
}

function Test-PurgeClock {
    param([hashtable]$Job, [DateTime]$Now)
    $clock = Read-PurgeClock
    $notBefore = [long]0
    $jumped = $false
    if ($null -ne $clock) {
        $notBefore = [long]$clock['notBefore']
        $jumped = [Math]::Abs($Now.Ticks - [long]$clock['seenAt']) -gt $script:Day.Ticks
    }
    if ($jumped) { $notBefore = $Now.Ticks + $script:Day.Ticks }
    if ($null -eq $clock -or $jumped -or $Now.Ticks - [long]$clock['seenAt'] -gt [TimeSpan]::FromHours(1).Ticks) {
        Write-JsonFile -Path (Get-PurgePath) -Value ([ordered]@{ seenAt = $Now.Ticks; notBefore = $notBefore })
    }
    return $Now.Ticks -ge $notBefore
}

function Remove-ExpiredTrash {
    <# .SYNOPSIS The folder of a trashed disk, or of a manifest whose disk went back, when its time is over. #>
    param([hashtable]$Job, [hashtable]$Entry, [DateTime]$Now)
    if ((Get-FileNameOf -Path $Entry.Path) -ne $script:ManifestName) { return }
    $world = Get-World -Job $Job
    $manifest = Get-Manifest -World $world -Path $Entry.Path
    $until = [DateTimeOffset]::MaxValue
    if ($null -eq $manifest -or -not [DateTimeOffset]::TryParse([string]$manifest['purgeAt'], [Globalization.CultureInfo]::InvariantCulture, [Globalization.DateTimeStyles]::AssumeUniversal, [ref]$until)) { return }
    if ($until.UtcDateTime -gt $Now) { return }
    $folder = Get-FolderOf -Path $Entry.Path
    $disks = @($world.Files.Values | Where-Object -FilterScript { (Test-DiskPath -Path $_.Path) -and (Test-UnderPath -Path $_.Path -Folder $folder) })
    foreach ($disk in $disks) {
        $file = Get-KnownDisk -World $world -Path $disk.Path
        if (-not (Test-Unused -World $world -Path $file.Path)) {
            Write-JobLog -Job $Job -Level 'warn' -Text "$($file.Path) is still in use and stays in the trash"
            return
        }
    }
    Invoke-Effect -Job $Job -Point 'purged' -Action { Remove-TrashFolder -Path $Entry.Path }
    foreach ($disk in $disks) { Write-JobLog -Job $Job -Level 'info' -Text "purged $($disk.Path) from $script:TrashFolder" }
}

function Remove-AbandonedPartial {
    param([hashtable]$Job, [object[]]$Entry, [DateTime]$Now)
    if ($Entry.Count -eq 0) { return }
    $running = @(Get-Run | ForEach-Object -Process { $_['correlation_id'] })
    foreach ($one in $Entry) {
        if ($Now.Ticks - $one.Changed -lt $script:Day.Ticks) { continue }
        if (@($running | Where-Object -FilterScript { $one.Path.Contains(".$_.") }).Count -gt 0) { continue }
        Invoke-Effect -Job $Job -Point 'purged' -Action { Remove-FileNow -Path $one.Path }
    }
}
