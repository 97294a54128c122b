# Where the host does not tell its own limits: those of Windows Server 2016.
$script:MaximumProcessors = 240
$script:MaximumMemory = [long]12 * 1099511627776
# Windows 10 and Server 2016.
$script:HotAddVersion = [version]'10.0.14393'

function Get-HyperVHost {
    <# .SYNOPSIS Get-VMHost's answer. #>
    param([hashtable]$World)
    if ($null -eq $World.Host) { $World.Host = Hyper-V\Get-VMHost -ErrorAction 'Stop' }
    return $World.Host
}

function Get-HostSwitch {
    <# .SYNOPSIS The virtual switches: @{Id; Name; Type; BandwidthMode}. #>
    param([hashtable]$World)
    if ($null -eq $World.Switches) {
        $World.Switches = @(Hyper-V\Get-VMSwitch -ErrorAction 'Stop' | ForEach-Object -Process {
                $mode = [string]$_.BandwidthReservationMode
                if ($mode -eq 'Default') { $mode = 'Weight' }
                if ($mode -notin 'Weight', 'Absolute') { $mode = 'None' }
                @{ Id = ([string]$_.Id).ToLowerInvariant(); Name = [string]$_.Name; Type = [string]$_.SwitchType; BandwidthMode = $mode }
            } | Sort-Object -Property @{ Expression = { $_.Name } })
    }
    return $World.Switches
}

function Get-HostVolume {
    <# .SYNOPSIS Volumes with a mount point, cluster shared volumes and mounted folders included: @{Root; Total; Free}. #>
    param([hashtable]$World)
    if ($null -eq $World.Volumes) {
        $World.Volumes = @(foreach ($row in @(Get-CimRow -Class 'Win32_Volume' -Namespace 'root\cimv2')) {
                $root = [string](Get-RowValue -Row $row -Name 'Name' -Default '')
                if ($root -notmatch '\A[A-Za-z]:\\') { continue }
                @{ Root = $root.TrimEnd('\') + '\'; Total = [long](Get-RowValue -Row $row -Name 'Capacity' -Default 0); Free = [long](Get-RowValue -Row $row -Name 'FreeSpace' -Default 0) }
            })
    }
    return $World.Volumes
}

function Get-VolumeOf {
    <# .SYNOPSIS The volume of the longest mount point that the path lies under; $null when on none. #>
    param([hashtable]$World, [string]$Path)
    $best = $null
    foreach ($volume in @(Get-HostVolume -World $World)) {
        $fits = (Test-UnderPath -Path $Path -Folder $volume.Root) -or (Test-SamePath -Path $Path -Other $volume.Root)
        if ($fits -and ($null -eq $best -or $volume.Root.Length -gt $best.Root.Length)) { $best = $volume }
    }
    return $best
}

function Get-AvailableMemory {
    <# .SYNOPSIS Bytes of memory that machines may still get. #>
    param()
    $os = @(Get-CimRow -Class 'Win32_OperatingSystem' -Namespace 'root\cimv2')[0]
    return [long](Get-RowValue -Row $os -Name 'FreePhysicalMemory' -Default 0) * 1024
}

function Get-HostView {
    <# .SYNOPSIS The host itself (HostState). #>
    param([hashtable]$World, [System.Collections.IDictionary]$Layout)
    $vmHost = Get-HyperVHost -World $World
    $os = @(Get-CimRow -Class 'Win32_OperatingSystem' -Namespace 'root\cimv2')[0]
    $computer = @(Get-CimRow -Class 'Win32_ComputerSystem' -Namespace 'root\cimv2')[0]
    $processors = [long]$vmHost.LogicalProcessorCount
    $view = [ordered]@{
        computerName = [string](Get-RowValue -Row $computer -Name 'Name' -Default $vmHost.ComputerName)
        os = "$(Get-RowValue -Row $os -Name 'Caption' -Default 'Windows') $(Get-RowValue -Row $os -Name 'Version' -Default '')".Trim()
    }
    $cluster = Get-ClusterName
    if ($cluster -ne '') { $view['cluster'] = $cluster }
    $view['cpu'] = [ordered]@{ logicalProcessors = $processors }
    $view['memory'] = [ordered]@{
        totalBytes = [long]$vmHost.MemoryCapacity
        availableBytes = [long](Get-RowValue -Row $os -Name 'FreePhysicalMemory' -Default 0) * 1024
    }
    $view['storage'] = @(Get-StorageView -World $World -Layout $Layout)
    $view['switches'] = @(foreach ($one in @(Get-HostSwitch -World $World)) { [ordered]@{ id = $one.Id; name = $one.Name; type = $one.Type; bandwidthMode = $one.BandwidthMode } })
    $view['images'] = @(Get-ImageView -World $World -Layout $Layout)
    $view['capabilities'] = Get-CapabilityView -Os $os -Processors $processors
    $view['macPool'] = [ordered]@{ minimum = ConvertTo-Mac -Text $vmHost.MacAddressMinimum; maximum = ConvertTo-Mac -Text $vmHost.MacAddressMaximum }
    return $view
}

function Get-CapabilityView {
    <# .SYNOPSIS What machines of this host can have. A machine's configuration version may allow less, which its host then says. #>
    param($Os, [long]$Processors)
    $version = [version]'0.0'
    $known = [version]::TryParse([string](Get-RowValue -Row $Os -Name 'Version' -Default ''), [ref]$version)
    return [ordered]@{
        maximumVmProcessors = [Math]::Min((Get-DefinedMaximum -Class 'Msvm_ProcessorSettingData' -Default $script:MaximumProcessors), $Processors)
        maximumVmMemoryBytes = (Get-DefinedMaximum -Class 'Msvm_MemorySettingData' -Default ($script:MaximumMemory / $script:MiB)) * $script:MiB
        hotAddMemory = $known -and $version -ge $script:HotAddVersion
        tpm = $null -ne (Get-Command -Name 'Hyper-V\Enable-VMTPM' -ErrorAction 'SilentlyContinue')
    }
}

function Get-DefinedMaximum {
    <# .SYNOPSIS The most that Hyper-V defines for a resource, in the class's own unit. #>
    param([string]$Class, [long]$Default)
    $rows = @(Get-CimRow -Class $Class -Filter "InstanceID LIKE 'Microsoft:Definition%Maximum'")
    if ($rows.Count -eq 0) { return $Default }
    return [long](Get-RowValue -Row $rows[0] -Name 'VirtualQuantity' -Default $Default)
}

function ConvertTo-Mac {
    param([string]$Text)
    return $Text.ToUpperInvariant() -replace '[^0-9A-F]', ''
}

function Get-StorageView {
    param([hashtable]$World, [System.Collections.IDictionary]$Layout)
    $seen = @{}
    $disks = @(Get-AllDisk -World $World)
    foreach ($path in @($Layout['virtualMachinePath']) + @(foreach ($one in @($Layout['storageClasses'])) { $one['path'] })) {
        if ($seen.ContainsKey($path)) { continue }
        $seen[$path] = $true
        $volume = Get-VolumeOf -World $World -Path $path
        if ($null -eq $volume) { continue }
        $provisioned = [long]0
        foreach ($file in $disks) { if ((Get-VolumeOf -World $World -Path $file.Path).Root -eq $volume.Root) { $provisioned += $file.Size } }
        [ordered]@{ path = $path; volume = $volume.Root; totalBytes = $volume.Total; freeBytes = $volume.Free; provisionedBytes = $provisioned }
    }
}

function Get-OsFamily {
    <# .SYNOPSIS A hint from an image's name; '' when it tells nothing. #>
    param([string]$Name)
    if ($Name -match 'windows|win(?=-|\d)') { return 'Windows' }
    if ($Name -match 'debian|ubuntu|linux|fedora|centos|rhel|suse|alma|rocky|alpine') { return 'Linux' }
    return ''
}

function Get-ImageView {
    <# .SYNOPSIS Disks and installation media that lie directly in an image folder. #>
    param([hashtable]$World, [System.Collections.IDictionary]$Layout)
    $files = @((Get-FileTable -World $World).Values | Sort-Object -Property @{ Expression = { $_.Path } })
    foreach ($entry in $files) {
        if ($entry.Path -notmatch '\.(vhdx?|iso)\z' -or (Test-PartialPath -Path $entry.Path)) { continue }
        $format = $Matches[1].ToUpperInvariant()
        $folder = Get-FolderOf -Path $entry.Path
        if (@(@($Layout['imagePaths']) | Where-Object -FilterScript { Test-SamePath -Path $_ -Other $folder }).Count -eq 0) { continue }
        $size = $entry.Length
        $fileSize = $entry.Length
        if ($format -ne 'ISO') {
            try { $file = Find-Disk -World $World -Path $entry.Path } catch { continue }
            $size = $file.Size
            $fileSize = $file.FileSize
        }
        $view = [ordered]@{ name = Get-StemOf -Path $entry.Path; path = $entry.Path; format = $format; size = $size; fileSize = $fileSize }
        $family = Get-OsFamily -Name $view['name']
        if ($family -ne '') { $view['osFamily'] = $family }
        $view
    }
}
