$script:KeptInventories = 6

function Invoke-HostInventory {
    <#
    .SYNOPSIS host.inventory: purges the trash, then tells everything, or what changed since a digest.
    .DESCRIPTION Each part is read by itself: one that fails is `unknown` and never absent. The digest names a table of the hash of each
    thing, kept in the state folder, so that any process of the agent can answer.
    #>
    param([hashtable]$Job)
    $layout = $Job.Spec['layout']
    Update-Epoch -Metadata $Job.Metadata
    Invoke-Purge -Job $Job
    $Job.World = New-World -Layout $layout -Whole
    $read = Read-Inventory -World $Job.World -Layout $layout
    $mark = (Get-TextHash -Text (ConvertTo-SortedJson -Value $layout)).Substring(0, 12)
    $before = Get-InventoryTable -Digest $Job.Spec['since'] -Mark $mark
    $hashes = Get-InventoryHash -Read $read
    # What a failed query hid stays as it was told last.
    if ($null -ne $before) { foreach ($entry in @($before.GetEnumerator())) { if ($read.Failed -contains (Get-PartOf -Key $entry.Key)) { $hashes[$entry.Key] = $entry.Value } } }
    $digest = "$mark.$(Get-TableDigest -Table $hashes)"
    $complete = $read.Unknown.Count -eq 0
    if (-not $complete) {
        # Told again by the next one: the digest stays where it was.
        $digest = '0'
        if ($null -ne $before) { $digest = $Job.Spec['since'] }
    }
    elseif ($digest -ne $Job.Spec['since']) { Save-InventoryTable -Digest $digest -Table $hashes }
    Save-HeaderCache -World $Job.World
    return [ordered]@{
        digest = $digest
        full = $null -eq $before
        complete = $complete
        unknown = $read.Unknown.ToArray()
        observed = Get-InventoryDelta -Read $read -Hashes $hashes -Before $before
    }
}

function Read-Inventory {
    <# .SYNOPSIS All parts: @{Items (key -> @{Part; Id; View}); Unknown; Failed; UnknownVms}. #>
    param([hashtable]$World, [System.Collections.IDictionary]$Layout)
    $read = @{
        Items = [ordered]@{}
        Unknown = New-Object -TypeName 'System.Collections.ArrayList'
        Failed = New-Object -TypeName 'System.Collections.ArrayList'
        UnknownVms = New-Object -TypeName 'System.Collections.ArrayList'
        UnknownDisks = New-Object -TypeName 'System.Collections.ArrayList'
    }
    Read-InventoryPart -Read $read -Part 'vms' -Action { Read-VmItem -Read $read -World $World }
    if ($null -eq $World.Index) {
        # Whether a file is in use can't be told without the machines.
        foreach ($part in 'disks', 'trash') { $null = $read.Failed.Add($part); $null = $read.Unknown.Add([ordered]@{ part = $part; message = 'not read, since the machines could not be' }) }
    }
    else {
        Read-InventoryPart -Read $read -Part 'disks' -Action { Read-DiskItem -Read $read -World $World -Layout $Layout }
        Read-InventoryPart -Read $read -Part 'trash' -Action { Read-TrashItem -Read $read -World $World }
    }
    Read-InventoryPart -Read $read -Part 'host' -Action { Add-Item -Read $read -Part 'host' -Id 'host' -View (Get-HostView -World $World -Layout $Layout) }
    if ($null -ne $World.GuestUnknown) { $null = $read.Unknown.Add([ordered]@{ part = 'guest'; message = Get-Cut -Text ([string]$World.GuestUnknown) -Length 1024 }) }
    return $read
}

function Read-InventoryPart {
    <# .SYNOPSIS Runs one part; its failure is noted. #>
    param([hashtable]$Read, [string]$Part, [scriptblock]$Action)
    try { & $Action }
    catch {
        $null = $Read.Failed.Add($Part)
        $null = $Read.Unknown.Add([ordered]@{ part = $Part; message = Get-Cut -Text "$(Resolve-ErrorCode -Record $_): $($_.Exception.Message)" -Length 1024 })
    }
}

function Add-Item {
    param([hashtable]$Read, [string]$Part, [string]$Id, $View)
    $Read.Items["$Part|$(Get-PathKey -Path $Id)"] = @{ Part = $Part; Id = $Id; View = $View }
}

function Read-VmItem {
    <# .SYNOPSIS One machine that vanishes in mid-query fails only itself. #>
    param([hashtable]$Read, [hashtable]$World)
    $null = Get-VmIndex -World $World
    foreach ($class in $script:DetailClasses.Keys) { if ($script:GuestClasses -notcontains $class) { $null = @(Get-DetailRow -World $World -Class $class -Id 'none') } }
    foreach ($id in @((Get-VmIndex -World $World).Keys)) {
        try { Add-Item -Read $Read -Part 'vms' -Id $id -View (Get-VmView -World $World -Id $id) }
        catch { $null = $Read.UnknownVms.Add($id) }
    }
}

function Read-DiskItem {
    <# .SYNOPSIS Disks below a managed path, or in a machine's chain; neither trash nor partial copies. #>
    param([hashtable]$Read, [hashtable]$World, [System.Collections.IDictionary]$Layout)
    $roots = @(Get-ManagedRoot -Layout $Layout)
    foreach ($file in @(Get-AllDisk -World $World -Unreadable $Read.UnknownDisks)) {
        if ((Test-TrashPath -Path $file.Path) -or (Test-PartialPath -Path $file.Path)) { continue }
        $managed = @($roots | Where-Object -FilterScript { Test-UnderPath -Path $file.Path -Folder $_ }).Count -gt 0
        if ($managed -or @(Get-Holder -World $World -Path $file.Path).Count -gt 0) { Add-Item -Read $Read -Part 'disks' -Id $file.Path -View (Get-DiskView -World $World -File $file) }
    }
}

function Read-TrashItem {
    param([hashtable]$Read, [hashtable]$World)
    foreach ($entry in @((Get-FileTable -World $World).Values | Sort-Object -Property @{ Expression = { $_.Path } })) {
        if (-not (Test-TrashPath -Path $entry.Path) -or -not (Test-DiskPath -Path $entry.Path)) { continue }
        $item = Get-TrashView -World $World -File (Get-KnownDisk -World $World -Path $entry.Path)
        if ($null -ne $item) { Add-Item -Read $Read -Part 'trash' -Id $entry.Path -View $item }
    }
}

function Get-PartOf { param([string]$Key) return $Key.Split('|')[0] }

function Get-InventoryHash {
    <# .SYNOPSIS The hash of each thing. Numbers that waver by themselves count roughly, so that a quiet host has a quiet digest. #>
    param([hashtable]$Read)
    $table = New-JsonMap
    foreach ($key in @($Read.Items.Keys)) {
        $text = ConvertTo-AgentJson -Value $Read.Items[$key].View
        $text = [regex]::Replace($text, '"(availableBytes|freeBytes|assignedBytes)":(\d+)', { param($found) '"' + $found.Groups[1].Value + '":' + [string][Math]::Floor([double]$found.Groups[2].Value / 1073741824) })
        if ($text.Contains('"busy":')) { $text = [regex]::Replace($text, '"fileSize":(\d+)', { param($found) '"fileSize":' + [string][Math]::Floor([double]$found.Groups[1].Value / 1073741824) }) }
        $table[$key] = (Get-TextHash -Text $text).Substring(0, 16)
    }
    return $table
}

function Get-TableDigest {
    param([hashtable]$Table)
    $lines = @($Table.GetEnumerator() | ForEach-Object -Process { "$($_.Key)=$($_.Value)" })
    [Array]::Sort($lines, [System.StringComparer]::Ordinal)
    return (Get-TextHash -Text ($lines -join "`n")).Substring(0, 40)
}

function Get-InventoryPath { param([string]$Digest) return Join-Path -Path (Join-Path -Path $script:Agent.State -ChildPath 'inventory') -ChildPath "$Digest.json" }

function Get-InventoryTable {
    <# .SYNOPSIS The table of a digest; $null for one of another layout, or that nobody keeps any more. #>
    param($Digest, [string]$Mark)
    if ($Digest -isnot [string] -or $Digest -cnotmatch '\A[0-9a-f]{12}\.[0-9a-f]{40}\z' -or -not $Digest.StartsWith("$Mark.", [System.StringComparison]::Ordinal)) { return $null }
    $path = Get-InventoryPath -Digest $Digest
    if (-not (Test-Path -LiteralPath $path)) { return $null }
    try { return Read-JsonFile -Path $path } catch { return $null }
}

function Save-InventoryTable {
    <# .SYNOPSIS Keeps the table, and the last few others for callers that are behind. #>
    param([string]$Digest, [hashtable]$Table)
    Write-JsonFile -Path (Get-InventoryPath -Digest $Digest) -Value $Table
    $files = @(Get-ChildItem -LiteralPath (Join-Path -Path $script:Agent.State -ChildPath 'inventory') -Filter '*.json' | Sort-Object -Property 'LastWriteTimeUtc' -Descending)
    if ($files.Count -le $script:KeptInventories) { return }
    foreach ($file in $files[$script:KeptInventories..($files.Count - 1)]) { Remove-StateFile -Path $file.FullName }
}

function Get-InventoryDelta {
    <# .SYNOPSIS Everything, or what differs from the table before. #>
    param([hashtable]$Read, [hashtable]$Hashes, $Before)
    $delta = [ordered]@{}
    foreach ($part in 'vms', 'disks', 'trash') {
        if ($Read.Failed -contains $part) { continue }
        $upsert = @(foreach ($key in @($Read.Items.Keys)) { if ($Read.Items[$key].Part -eq $part -and ($null -eq $Before -or $Before[$key] -cne $Hashes[$key])) { $Read.Items[$key].View } })
        $unknown = @()
        if ($part -eq 'vms') { $unknown = $Read.UnknownVms.ToArray() }
        if ($part -eq 'disks') { $unknown = $Read.UnknownDisks.ToArray() }
        $keys = @($unknown | ForEach-Object -Process { "$part|$(Get-PathKey -Path $_)" })
        $gone = @()
        if ($null -ne $Before) { $gone = @($Before.GetEnumerator() | Where-Object -FilterScript { (Get-PartOf -Key $_.Key) -eq $part -and -not $Hashes.ContainsKey($_.Key) -and $keys -notcontains $_.Key } | ForEach-Object -Process { $_.Key.Substring($part.Length + 1) } | Sort-Object) }
        $value = New-DeltaPart -Upsert $upsert -Remove $gone -Unknown $unknown
        if ($null -eq $Before -and -not $value.Contains('upsert')) { $value['upsert'] = @() }
        if ($value.Count -gt 0) { $delta[$part] = $value }
    }
    if ($Read.Items.Contains('host|host') -and ($null -eq $Before -or $Before['host|host'] -cne $Hashes['host|host'])) { $delta['host'] = $Read.Items['host|host'].View }
    return $delta
}
