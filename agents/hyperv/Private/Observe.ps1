function Get-DiskView {
    <# .SYNOPSIS A disk's file as the protocol shows it (DiskState). #>
    param([hashtable]$World, [hashtable]$File)
    $view = [ordered]@{ path = $File.Path }
    $sidecar = Get-Sidecar -World $World -Path $File.Path
    $uid = Get-NameUid -Path $File.Path
    if ($null -ne $uid -and ($uid -match $script:UuidPattern -or ($null -ne $sidecar -and $sidecar['uid'] -ceq $uid))) { $view['uid'] = $uid }
    if ($null -ne $sidecar) { $view['sidecar'] = $sidecar }
    if ($File.DiskId -match $script:UuidPattern) { $view['diskId'] = $File.DiskId }
    $view['size'] = $File.Size
    $view['fileSize'] = $File.FileSize
    $view['diskType'] = $File.DiskType
    $view['format'] = $File.Format
    $view['logicalSectorBytes'] = $File.Sector
    $view['blockSize'] = $File.BlockSize
    if ($File.ParentPath -ne '') { $view['parentPath'] = $File.ParentPath }
    $view['readOnly'] = $File.ReadOnly
    $busy = Get-BusyReason -World $World -File $File
    if ($busy -ne '') { $view['busy'] = Get-Cut -Text $busy -Length 256 }
    elseif ($File.ParentPath -ne '') {
        $broken = Get-ChainProblem -World $World -File $File
        if ($broken -ne '') { $view['unusable'] = Get-Cut -Text $broken -Length 1024 }
    }
    return $view
}

$script:ChainProblems = @{}

function Get-ChainProblem {
    <#
    .SYNOPSIS Why the chain of a differencing disk that nobody has open can't be opened; '' when it can.
    .DESCRIPTION Test-VHD reads the whole chain, so it is asked again only after a file of it changed.
    #>
    param([hashtable]$World, [hashtable]$File)
    $next = $File.Path
    $mark = ''
    for ($depth = 0; $depth -lt 64 -and $next -ne ''; $depth++) {
        $entry = Get-FileEntry -World $World -Path $next
        if ($null -eq $entry) { return "the parent $next is missing" }
        $mark += "$($entry.Length):$($entry.Changed)|"
        try { $next = (Get-Header -Entry $entry)['parent'] } catch { return "$next can't be read: $($_.Exception.Message)" }
    }
    $key = Get-PathKey -Path $File.Path
    if ($script:ChainProblems.ContainsKey($key) -and $script:ChainProblems[$key].Mark -eq $mark) { return $script:ChainProblems[$key].Text }
    $text = ''
    try { if (-not (Hyper-V\Test-VHD -Path $File.Path -ErrorAction 'Stop')) { $text = "its chain does not pass Test-VHD" } }
    catch {
        # Opened by somebody in this moment: nothing is known against it.
        if ((Resolve-ErrorCode -Record $_) -ne 'HyperVError') { return '' }
        $text = $_.Exception.Message
    }
    $script:ChainProblems[$key] = @{ Mark = $mark; Text = $text }
    return $text
}

function Get-BusyReason {
    <# .SYNOPSIS Why the file can't be opened alone now; '' when it can. #>
    param([hashtable]$World, [hashtable]$File)
    foreach ($holder in @(Get-Holder -World $World -Path $File.Path)) {
        if ($holder.Vm.Merging) { return "a checkpoint of $($holder.Vm.Name) is being merged" }
        if ($holder.Vm.State -ne 'Off') { return "attached to $($holder.Vm.Name), which is $($holder.Vm.State)" }
    }
    if (-not (Test-OpenAlone -Path $File.Path)) { return 'open by another program (a backup?)' }
    return ''
}

function Get-TrashView {
    <# .SYNOPSIS A file in the trash (TrashItem); $null when it has no manifest. #>
    param([hashtable]$World, [hashtable]$File)
    $manifest = Get-Manifest -World $World -Path $File.Path
    if ($null -eq $manifest) { return $null }
    $owner = [ordered]@{}
    foreach ($field in 'kind', 'namespace', 'name', 'uid') { $owner[$field] = $manifest['owner'][$field] }
    $view = [ordered]@{ path = $File.Path; originalPath = $manifest['originalPath']; owner = $owner }
    if ([string]$manifest['diskId'] -match $script:UuidPattern) { $view['diskId'] = $manifest['diskId'] }
    $view['deletedAt'] = $manifest['deletedAt']
    $view['purgeAt'] = $manifest['purgeAt']
    $view['size'] = $File.Size
    $view['fileSize'] = $File.FileSize
    return $view
}

function Get-VmDiskPath {
    <# .SYNOPSIS Every file of a machine's disks, with their chains. #>
    param([hashtable]$World, [string]$Id)
    $vm = Find-Vm -World $World -Id $Id
    if ($null -eq $vm) { return }
    foreach ($disk in $vm.Disks) { foreach ($part in @(Get-DiskChain -World $World -Path $disk.Path)) { $part.Path } }
}

function New-DeltaPart {
    param([object[]]$Upsert, [object[]]$Remove, [object[]]$Unknown = @())
    $part = [ordered]@{}
    if ($Upsert.Count -gt 0) { $part['upsert'] = $Upsert }
    if ($Remove.Count -gt 0) { $part['remove'] = $Remove }
    if ($Unknown.Count -gt 0) { $part['unknown'] = $Unknown }
    return $part
}

function Get-Observed {
    <# .SYNOPSIS The present state of what the job touched (Delta); what is surely gone is in `remove`. #>
    param([hashtable]$Job)
    $Job.World = $null
    $world = Get-World -Job $Job
    $delta = [ordered]@{}
    if ($Job.Vms.Count -gt 0) {
        $there = @($Job.Vms | Where-Object -FilterScript { $null -ne (Find-Vm -World $world -Id $_) })
        $delta['vms'] = New-DeltaPart -Upsert @(foreach ($id in $there) { Get-VmView -World $world -Id $id }) -Remove @($Job.Vms | Where-Object -FilterScript { $there -notcontains $_ })
    }
    if ($Job.Disks.Count -gt 0) {
        $files = @(foreach ($path in $Job.Disks) { $file = Find-Disk -World $world -Path $path; if ($null -ne $file) { Get-DiskView -World $world -File $file } })
        $gone = @($Job.Disks | Where-Object -FilterScript { $null -eq (Get-FileEntry -World $world -Path $_) })
        $delta['disks'] = New-DeltaPart -Upsert $files -Remove $gone
    }
    if ($Job.Trash.Count -gt 0) {
        $items = @(foreach ($path in $Job.Trash) {
                $file = Find-Disk -World $world -Path $path
                if ($null -ne $file) { $item = Get-TrashView -World $world -File $file; if ($null -ne $item) { $item } }
            })
        $shown = @($items | ForEach-Object -Process { $_['path'] })
        $delta['trash'] = New-DeltaPart -Upsert $items -Remove @($Job.Trash | Where-Object -FilterScript { $shown -notcontains $_ })
    }
    return $delta
}
