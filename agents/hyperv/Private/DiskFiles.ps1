$script:EmptyBytes = [long]4194304

function Get-Extension { param([string]$Format) if ($Format -eq 'VHD') { return 'vhd' } return 'vhdx' }

function Get-DiskPathFor {
    <# .SYNOPSIS <class path>\<namespace>\<name>.<uid>.vhdx #>
    param([string]$Folder, [System.Collections.IDictionary]$Owner, [string]$Format)
    $name = "$($Owner['name']).$($Owner['uid']).$(Get-Extension -Format $Format)"
    # The longest name beside it is the hint's.
    Assert-PathPart -Text @($Owner['namespace'], $Owner['name'], $Owner['uid'], "$name$script:SidecarSuffix")
    return Join-HostPath -Folder (Join-HostPath -Folder $Folder -Name $Owner['namespace']) -Name $name
}

function Get-TargetFolder {
    param([hashtable]$World, [System.Collections.IDictionary]$Spec)
    if ($null -eq $Spec['storageClass']) { Stop-Operation -Code 'InvalidRequest' -Message 'storageClass is required' }
    return Get-ClassPath -World $World -Layout $Spec['layout'] -Name $Spec['storageClass']
}

function Find-FinishedFile {
    <# .SYNOPSIS The path of the owner's finished file under the layout's folders; '' when there is none. Two are OwnershipAmbiguous. #>
    param([hashtable]$World, [System.Collections.IDictionary]$Layout, [string]$Uid)
    $roots = @($Layout['virtualMachinePath']) + @(foreach ($one in @($Layout['storageClasses'])) { $one['path'] })
    $found = @(foreach ($entry in (Get-FileTable -World $World).Values) {
            if ((Get-NameUid -Path $entry.Path) -cne $Uid -or (Test-TrashPath -Path $entry.Path) -or (Test-PartialPath -Path $entry.Path)) { continue }
            if (@($roots | Where-Object -FilterScript { Test-UnderPath -Path $entry.Path -Folder $_ }).Count -gt 0) { $entry.Path }
        })
    if ($found.Count -gt 1) { Stop-Operation -Code 'OwnershipAmbiguous' -Message "uid $Uid is in the name of $(@($found | Sort-Object) -join ' and ')" }
    if ($found.Count -eq 0) { return '' }
    return $found[0]
}

function Get-NamedFile {
    <# .SYNOPSIS The disk that a source or parent names: an image by name, or a path. #>
    param([hashtable]$World, [System.Collections.IDictionary]$Layout, $Named, [string]$Field)
    if ($null -eq $Named) { $Named = New-JsonMap }
    if (($null -eq $Named['image']) -eq ($null -eq $Named['path'])) { Stop-Operation -Code 'InvalidRequest' -Message "$Field`: expected exactly one of image and path" }
    if ($null -ne $Named['path']) { return Get-KnownDisk -World $World -Path $Named['path'] }
    return Get-KnownDisk -World $World -Path (Find-Image -World $World -Layout $Layout -Name $Named['image'] -Extension @('vhdx', 'vhd'))
}

function Assert-NotTaken {
    param([string]$Path)
    if (Test-Path -LiteralPath $Path) { Stop-Operation -Code 'NameConflict' -Message "$Path exists already" }
}

function Confirm-Folder {
    <# .SYNOPSIS Makes the folder of a file. Inside an effect. #>
    param([string]$Path)
    $folder = Get-FolderOf -Path $Path
    if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType 'Directory' -Path $folder -Force }
}

function Write-Sidecar {
    <# .SYNOPSIS Writes the hint beside the file, unless it says so already. #>
    param([hashtable]$Job, [string]$Path, [string]$Uid)
    if ($Job.DryRun) { return }
    $world = Get-World -Job $Job
    $file = Get-KnownDisk -World $world -Path $Path
    $now = Get-Sidecar -World $world -Path $file.Path
    if ($null -ne $now -and $now['uid'] -ceq $Uid -and $now['diskId'] -ceq $file.DiskId -and $now['controlPlaneId'] -ceq $Job.ControlPlane) { return }
    $hint = [ordered]@{ uid = $Uid; diskId = $file.DiskId; controlPlaneId = $Job.ControlPlane }
    Invoke-Effect -Job $Job -Point 'sidecar' -Action { Write-JsonFile -Path ($file.Path + $script:SidecarSuffix) -Value $hint }
}

function Get-Created {
    <# .SYNOPSIS The answer of what makes a disk. A dry run tells no identifier. #>
    param([hashtable]$Job, [string]$Path)
    Add-Touched -Job $Job -Disk @($Path)
    $file = Find-Disk -World (Get-World -Job $Job) -Path $Path
    if ($null -eq $file -and $Job.DryRun) { return [ordered]@{ path = $Path; diskId = $script:NilGuid } }
    if ($null -eq $file) { Stop-Operation -Code 'NotFound' -Message "$Path does not exist" }
    return [ordered]@{ path = $file.Path; diskId = $file.DiskId }
}

function Remove-Partial {
    <# .SYNOPSIS Removes what interrupted copies of the owner left, wherever they lie. #>
    param([hashtable]$Job, [string]$Uid)
    if ($Job.DryRun) { return }
    $left = @(foreach ($entry in (Get-FileTable -World (Get-World -Job $Job)).Values) {
            if ((Test-PartialPath -Path $entry.Path) -and (Get-FileNameOf -Path $entry.Path).StartsWith("$Uid.", [System.StringComparison]::OrdinalIgnoreCase)) { $entry.Path }
        })
    foreach ($path in $left) { Invoke-Effect -Job $Job -Point 'partialRemoved' -Action { Remove-FileNow -Path $path } }
}

function Remove-Unfinished {
    <# .SYNOPSIS The partial file of a job that failed or was cancelled: it alone writes it. What can't be removed now is by the next try. #>
    param([hashtable]$Job, [string]$Path)
    if ($Job.DryRun) { return }
    try { foreach ($suffix in @('') + $script:Companions) { Remove-FileNow -Path ($Path + $suffix) } }
    catch { Write-JobLog -Job $Job -Level 'warn' -Text "$Path is left over: $($_.Exception.Message)" }
}

function Remove-FileNow {
    <# .SYNOPSIS Deletes a file, read only or not; absent is fine. Inside an effect. #>
    param([string]$Path)
    if (Test-Path -LiteralPath $Path) { Remove-Item -LiteralPath $Path -Force }
}

function Get-PartialPath {
    param([hashtable]$Job, [string]$Target, [string]$Uid)
    return Join-HostPath -Folder (Get-FolderOf -Path $Target) -Name "$Uid.$($Job.Id).partial.$($Target.Substring($Target.LastIndexOf('.') + 1))"
}

function Rename-Finished {
    <#
    .SYNOPSIS Gives the finished partial file its name; never overwrites. What can't be named is removed.
    .DESCRIPTION Change tracking files at the target without a disk are of a job that was killed between two renames: they tell nothing of this file.
    #>
    param([hashtable]$Job, [string]$Partial, [string]$Target)
    try {
        Invoke-Effect -Job $Job -Point 'renamed' -Action {
            Assert-NotTaken -Path $Target
            foreach ($suffix in $script:Companions) { Remove-FileNow -Path ($Target + $suffix) }
            Move-Companion -Path $Partial -Target $Target
            Move-Item -LiteralPath $Partial -Destination $Target
        }
    }
    catch {
        Remove-Unfinished -Job $Job -Path $Partial
        throw
    }
}

function Move-Companion {
    <#
    .SYNOPSIS Renames what belongs to a disk's file, before the file itself: a repeat finds the rest. Inside an effect.
    .DESCRIPTION No disk may lie at the target. What lies there beside none gives way to what comes; where nothing comes, it may be what an earlier try brought.
    #>
    param([string]$Path, [string]$Target)
    foreach ($suffix in $script:Companions) {
        if (-not (Test-Path -LiteralPath ($Path + $suffix))) { continue }
        Remove-FileNow -Path ($Target + $suffix)
        Move-Item -LiteralPath ($Path + $suffix) -Destination ($Target + $suffix)
    }
}

function Set-ReadOnly {
    param([string]$Path, [bool]$Value)
    Set-ItemProperty -LiteralPath $Path -Name 'IsReadOnly' -Value $Value
}
