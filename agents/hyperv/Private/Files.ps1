# Files under the managed folders. Headers of disks and small texts are cached by (path, size, time of change).
$script:HeaderCache = $null
$script:HeaderCacheChanged = $false
$script:TextCache = @{}

function Get-KnownLayout {
    <# .SYNOPSIS Every layout that a control plane has named, the world's own first. #>
    param([hashtable]$World)
    if ($null -ne $World.Layout) { $World.Layout }
    $path = Join-Path -Path $script:Agent.State -ChildPath 'layout.json'
    if (-not (Test-Path -LiteralPath $path)) { return }
    foreach ($entry in @((Read-JsonFile -Path $path).GetEnumerator())) { $entry.Value }
}

function Save-Layout {
    <# .SYNOPSIS Keeps a control plane's layout for operations that name none: children of a disk may lie anywhere in it. #>
    param([string]$ControlPlane, [System.Collections.IDictionary]$Layout)
    $path = Join-Path -Path $script:Agent.State -ChildPath 'layout.json'
    $known = New-JsonMap
    if (Test-Path -LiteralPath $path) { try { $known = Read-JsonFile -Path $path } catch { $known = New-JsonMap } }
    $text = ConvertTo-SortedJson -Value $Layout
    if ($known.ContainsKey($ControlPlane) -and (ConvertTo-SortedJson -Value $known[$ControlPlane]) -ceq $text) { return }
    $known[$ControlPlane] = $Layout
    Write-JsonFile -Path $path -Value $known
}

function ConvertTo-SortedJson {
    <# .SYNOPSIS JSON whose keys come in order at every level, so that equal values give equal text. #>
    param($Value)
    return ConvertTo-AgentJson -Value (ConvertTo-Sorted -Value $Value)
}

function ConvertTo-Sorted {
    param($Value)
    if ($Value -is [System.Collections.IDictionary]) {
        $sorted = [ordered]@{}
        foreach ($entry in @($Value.GetEnumerator() | Sort-Object -Property 'Key' -CaseSensitive)) { $sorted[[string]$entry.Key] = ConvertTo-Sorted -Value $entry.Value }
        return $sorted
    }
    if ($Value -is [System.Array]) { return , @($Value | ForEach-Object -Process { ConvertTo-Sorted -Value $_ }) }
    return $Value
}

function Get-ManagedRoot {
    <# .SYNOPSIS Folders whose disks are managed, of one layout. #>
    param([System.Collections.IDictionary]$Layout)
    $Layout['virtualMachinePath']
    foreach ($one in @($Layout['storageClasses'])) { $one['path'] }
    foreach ($one in @($Layout['adoptionPaths'])) { if ($null -ne $one) { $one } }
}

function Get-FileTable {
    <# .SYNOPSIS Every file under the managed folders, in the image folders and in the trash, by path key. #>
    param([hashtable]$World)
    if ($null -ne $World.Files) { return $World.Files }
    $World.Files = @{}
    $deep = @(Get-KnownLayout -World $World | ForEach-Object -Process { Get-ManagedRoot -Layout $_ } | Where-Object -FilterScript { Test-LocalPath -Path $_ })
    $flat = @(Get-KnownLayout -World $World | ForEach-Object -Process { @($_['imagePaths']) } | Where-Object -FilterScript { Test-LocalPath -Path $_ })
    $volumes = @($deep | ForEach-Object -Process { Get-VolumeOf -World $World -Path $_ } | Where-Object -FilterScript { $null -ne $_ })
    $trash = @($volumes | ForEach-Object -Process { Join-HostPath -Folder $_.Root -Name $script:TrashFolder } | Sort-Object -Unique)
    $done = New-Object -TypeName 'System.Collections.ArrayList'
    foreach ($root in @($deep + $trash | Sort-Object -Property @{ Expression = { $_.Length } }, @{ Expression = { $_ } } -Unique)) {
        if (@($done | Where-Object -FilterScript { (Test-SamePath -Path $root -Other $_) -or (Test-UnderPath -Path $root -Folder $_) }).Count -gt 0) { continue }
        $null = $done.Add($root)
        Add-FolderEntry -World $World -Folder $root -Deep
    }
    foreach ($root in $flat) { Add-FolderEntry -World $World -Folder $root }
    return $World.Files
}

function Add-FolderEntry {
    param([hashtable]$World, [string]$Folder, [switch]$Deep)
    if (-not (Test-Path -LiteralPath $Folder -PathType 'Container')) { return }
    foreach ($item in @(Get-ChildItem -LiteralPath $Folder -File -Force -Recurse:$Deep)) {
        $entry = New-FileEntry -Item $item
        $World.Files[(Get-PathKey -Path $entry.Path)] = $entry
        $World.Entries[(Get-PathKey -Path $entry.Path)] = $entry
    }
}

function New-FileEntry {
    param($Item)
    return @{ Path = [string]$Item.FullName; Length = [long]$Item.Length; Changed = [long]$Item.LastWriteTimeUtc.Ticks; ReadOnly = [bool]$Item.IsReadOnly }
}

function Get-FileEntry {
    <# .SYNOPSIS A file's stored path, size and time of change; $null when there is none. #>
    param([hashtable]$World, [string]$Path)
    $key = Get-PathKey -Path $Path
    if ($World.Entries.ContainsKey($key)) { return $World.Entries[$key] }
    $entry = $null
    $stored = Get-StoredPath -World $World -Path $Path
    if ($stored -ne '' -and (Test-Path -LiteralPath $stored -PathType 'Leaf')) { $entry = New-FileEntry -Item (Get-Item -LiteralPath $stored -Force) }
    $World.Entries[$key] = $entry
    return $entry
}

function Get-StoredPath {
    <# .SYNOPSIS The path in the case in which the volume keeps it; '' when there is no such file. Get-Item would repeat the case it was asked with. #>
    param([hashtable]$World, [string]$Path)
    if (-not (Test-LocalPath -Path $Path)) { return '' }
    $parts = $Path.TrimEnd('\').Split('\')
    $at = $parts[0].ToUpperInvariant() + '\'
    for ($index = 1; $index -lt $parts.Count; $index++) {
        $key = Get-PathKey -Path $at
        if (-not $World.Folders.ContainsKey($key)) { $World.Folders[$key] = Get-NameTable -Folder $at }
        $name = $World.Folders[$key][$parts[$index]]
        if ($null -eq $name) { return '' }
        $at = Join-HostPath -Folder $at -Name $name
    }
    return $at
}

function Get-NameTable {
    <# .SYNOPSIS What lies in a folder, found without regard to case. #>
    param([string]$Folder)
    $table = @{}
    if (Test-Path -LiteralPath $Folder -PathType 'Container') { foreach ($item in @(Get-ChildItem -LiteralPath $Folder -Force)) { $table[[string]$item.Name] = [string]$item.Name } }
    return $table
}

function Get-HeaderPath { param() return Join-Path -Path $script:Agent.State -ChildPath 'headers.json' }

function Get-HeaderCache {
    param()
    if ($null -eq $script:HeaderCache) {
        $script:HeaderCache = New-JsonMap
        if (Test-Path -LiteralPath (Get-HeaderPath)) { try { $script:HeaderCache = Read-JsonFile -Path (Get-HeaderPath) } catch { $script:HeaderCache = New-JsonMap } }
    }
    return $script:HeaderCache
}

function Save-HeaderCache {
    <# .SYNOPSIS Keeps the headers of the files that are still there. #>
    param([hashtable]$World)
    if (-not $script:HeaderCacheChanged) { return }
    $kept = New-JsonMap
    foreach ($entry in @((Get-HeaderCache).GetEnumerator())) { if ($null -ne $World.Entries[$entry.Key]) { $kept[$entry.Key] = $entry.Value } }
    Write-JsonFile -Path (Get-HeaderPath) -Value $kept
    $script:HeaderCacheChanged = $false
}

function Get-Header {
    <# .SYNOPSIS A disk file's header by Get-VHD, or from the cache while size and time of change are the same. #>
    param([hashtable]$Entry)
    $cache = Get-HeaderCache
    $key = Get-PathKey -Path $Entry.Path
    if ($cache.ContainsKey($key) -and $cache[$key]['length'] -eq $Entry.Length -and $cache[$key]['changed'] -eq $Entry.Changed) { return $cache[$key] }
    $vhd = Hyper-V\Get-VHD -Path $Entry.Path -ErrorAction 'Stop'
    $header = New-JsonMap
    $header['length'] = $Entry.Length
    $header['changed'] = $Entry.Changed
    $header['size'] = [long]$vhd.Size
    $header['file'] = [long]$vhd.FileSize
    $header['type'] = [string]$vhd.VhdType
    $header['format'] = [string]$vhd.VhdFormat
    $header['sector'] = [long]$vhd.LogicalSectorSize
    $header['block'] = [long]$vhd.BlockSize
    $header['parent'] = [string]$vhd.ParentPath
    $header['id'] = ([string]$vhd.DiskIdentifier).ToLowerInvariant().Trim('{', '}')
    $cache[$key] = $header
    $script:HeaderCacheChanged = $true
    return $header
}

function Find-Disk {
    <# .SYNOPSIS A disk's file with its header; $null when there is no such file. #>
    param([hashtable]$World, [string]$Path)
    if (-not (Test-DiskPath -Path $Path)) { return $null }
    $entry = Get-FileEntry -World $World -Path $Path
    if ($null -eq $entry) { return $null }
    $header = Get-Header -Entry $entry
    return @{
        Path = $entry.Path
        FileSize = $header['file']
        ReadOnly = $entry.ReadOnly
        Size = $header['size']
        DiskType = $header['type']
        Format = $header['format']
        Sector = $header['sector']
        BlockSize = $header['block']
        ParentPath = $header['parent']
        DiskId = $header['id']
    }
}

function Get-KnownDisk {
    param([hashtable]$World, [string]$Path)
    $file = Find-Disk -World $World -Path $Path
    if ($null -eq $file) { Stop-Operation -Code 'NotFound' -Message "$Path does not exist" }
    return $file
}

function Get-DiskChain {
    <# .SYNOPSIS The file and its parents as far as they exist, leaf first. #>
    param([hashtable]$World, [string]$Path)
    $next = $Path
    for ($depth = 0; $depth -lt 64 -and $next -ne ''; $depth++) {
        $file = Find-Disk -World $World -Path $next
        if ($null -eq $file) { return }
        $file
        $next = $file.ParentPath
    }
}

function Get-AllDisk {
    <# .SYNOPSIS Every disk file that can be seen: of the folders, and attached ones with their chains. Unreadable ones are in the list given. #>
    param([hashtable]$World, [System.Collections.ArrayList]$Unreadable = $null)
    $paths = @{}
    foreach ($entry in (Get-FileTable -World $World).Values) { if (Test-DiskPath -Path $entry.Path) { $paths[(Get-PathKey -Path $entry.Path)] = $entry.Path } }
    foreach ($vm in (Get-VmIndex -World $World).Values) {
        foreach ($disk in $vm.Disks) { foreach ($part in @(Get-DiskChain -World $World -Path $disk.Path)) { $paths[(Get-PathKey -Path $part.Path)] = $part.Path } }
    }
    foreach ($key in @($paths.Keys | Sort-Object)) {
        try { Find-Disk -World $World -Path $paths[$key] }
        catch {
            if ($null -eq $Unreadable) { continue }
            $null = $Unreadable.Add($paths[$key])
        }
    }
}

function Get-Child {
    <# .SYNOPSIS Disk files that name this one as their parent. #>
    param([hashtable]$World, [string]$Path)
    return @(Get-AllDisk -World $World | Where-Object -FilterScript { $_.ParentPath -ne '' -and (Test-SamePath -Path $_.ParentPath -Other $Path) })
}

function Get-Holder {
    <# .SYNOPSIS Machines and drives whose chain, checkpoints included, holds the file: @{Vm; Disk; Direct}. Disk is $null where only a checkpoint does. #>
    param([hashtable]$World, [string]$Path)
    if ($null -eq $World.Holders) {
        $World.Holders = @{}
        foreach ($vm in (Get-VmIndex -World $World).Values) { Add-VmHolder -World $World -Vm $vm }
    }
    $key = Get-PathKey -Path $Path
    if ($World.Holders.ContainsKey($key)) { return $World.Holders[$key].ToArray() }
}

function Add-VmHolder {
    <# .SYNOPSIS Notes which files a machine holds. #>
    param([hashtable]$World, [hashtable]$Vm)
    $noted = @{}
    foreach ($disk in $Vm.Disks) {
        $paths = @($disk.Path) + @(Get-DiskChain -World $World -Path $disk.Path | ForEach-Object -Process { $_.Path })
        foreach ($path in @($paths | Sort-Object -Unique)) {
            $noted[(Get-PathKey -Path $path)] = $true
            Add-Holder -World $World -Path $path -Holder @{ Vm = $Vm; Disk = $disk; Direct = (Test-SamePath -Path $disk.Path -Other $path) }
        }
    }
    foreach ($path in $Vm.CheckpointPaths) {
        if (-not $noted.ContainsKey((Get-PathKey -Path $path))) { Add-Holder -World $World -Path $path -Holder @{ Vm = $Vm; Disk = $null; Direct = $false } }
    }
}

function Add-Holder {
    param([hashtable]$World, [string]$Path, [hashtable]$Holder)
    $key = Get-PathKey -Path $Path
    if (-not $World.Holders.ContainsKey($key)) { $World.Holders[$key] = New-Object -TypeName 'System.Collections.ArrayList' }
    $null = $World.Holders[$key].Add($Holder)
}

function Test-OpenAlone {
    <# .SYNOPSIS Whether nobody has the file open. #>
    param([string]$Path)
    try {
        $stream = [System.IO.File]::Open((Resolve-HostPath -Path $Path), [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, [System.IO.FileShare]::None)
        $stream.Dispose()
        return $true
    }
    catch [System.IO.IOException] { return $false }
}

function Test-Unused {
    <# .SYNOPSIS Whether no machine, no checkpoint, no child and no program has the file. #>
    param([hashtable]$World, [string]$Path)
    return @(Get-Holder -World $World -Path $Path).Count -eq 0 -and @(Get-Child -World $World -Path $Path).Count -eq 0 -and (Test-OpenAlone -Path $Path)
}

function Read-SmallText {
    <# .SYNOPSIS A small JSON file's content, cached; $null when it is not there or no JSON object. #>
    param([hashtable]$World, [string]$Path)
    $entry = Get-FileEntry -World $World -Path $Path
    if ($null -eq $entry -or $entry.Length -gt 65536) { return $null }
    $mark = "$($entry.Length):$($entry.Changed)"
    $key = Get-PathKey -Path $Path
    if ($script:TextCache.ContainsKey($key) -and $script:TextCache[$key].Mark -eq $mark) { return $script:TextCache[$key].Value }
    $value = $null
    try { $value = Read-JsonFile -Path $entry.Path } catch { $value = $null }
    if ($value -isnot [System.Collections.IDictionary]) { $value = $null }
    $script:TextCache[$key] = @{ Mark = $mark; Value = $value }
    return $value
}

function Get-Sidecar {
    <# .SYNOPSIS The hint beside a disk's file; $null when there is none that makes sense. #>
    param([hashtable]$World, [string]$Path)
    $value = Read-SmallText -World $World -Path ($Path + $script:SidecarSuffix)
    if ($null -eq $value -or $value['uid'] -isnot [string] -or $value['uid'] -eq '' -or $value['diskId'] -notmatch $script:UuidPattern) { return $null }
    $shown = [ordered]@{ uid = $value['uid']; diskId = ([string]$value['diskId']).ToLowerInvariant() }
    if ($value['controlPlaneId'] -is [string]) { $shown['controlPlaneId'] = $value['controlPlaneId'] }
    return $shown
}

function Get-Manifest {
    <# .SYNOPSIS The manifest beside a file in the trash; $null when there is none that makes sense. #>
    param([hashtable]$World, [string]$Path)
    $value = Read-SmallText -World $World -Path (Join-HostPath -Folder (Get-FolderOf -Path $Path) -Name $script:ManifestName)
    if ($null -eq $value -or $value['owner'] -isnot [System.Collections.IDictionary] -or $value['originalPath'] -isnot [string]) { return $null }
    return $value
}
