function Invoke-DiskClone {
    <# .SYNOPSIS disk.clone: <uid>.<correlation>.partial.vhdx, new identifier, grown, tested, renamed last. A repeat starts the copy anew, or finds the finished file. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $world = Get-World -Job $Job
    $finished = Find-FinishedFile -World $world -Layout $spec['layout'] -Uid $spec['owner']['uid']
    if ($finished -ne '') {
        Write-Sidecar -Job $Job -Path $finished -Uid $spec['owner']['uid']
        return Get-Created -Job $Job -Path $finished
    }
    $source = Get-NamedFile -World $world -Layout $spec['layout'] -Named $spec['source'] -Field 'source'
    Assert-ClosedSource -World $world -File $source
    $format = Get-First -Of @($spec['format'], $source.Format)
    $size = [long](Get-First -Of @($spec['size'], $source.Size))
    if ($size -lt $source.Size) { Stop-Operation -Code 'InvalidRequest' -Message "size: $size is below the source's $($source.Size)" }
    Assert-DiskSize -Size $size -Format $format
    $target = Get-DiskPathFor -Folder (Get-TargetFolder -World $world -Spec $spec) -Owner $spec['owner'] -Format $format
    Assert-NotTaken -Path $target
    $type = Get-First -Of @($spec['diskType'], 'Dynamic')
    Assert-Space -World $world -Path $target -Bytes (Get-CopyBytes -World $world -Source $source -Type $type -Size $size)
    Remove-Partial -Job $Job -Uid $spec['owner']['uid']
    $partial = Get-PartialPath -Job $Job -Target $target -Uid $spec['owner']['uid']
    try {
        Copy-Disk -Job $Job -Source $source -Partial $partial -Type $type -Format $format
        Complete-Copy -Job $Job -Partial $partial -Target $target -Size $size
    }
    catch {
        Remove-Unfinished -Job $Job -Path $partial
        throw
    }
    Write-Sidecar -Job $Job -Path $target -Uid $spec['owner']['uid']
    return Get-Created -Job $Job -Path $target
}

function Assert-ClosedSource {
    <# .SYNOPSIS Its machine off, no checkpoints, open nowhere. A parent is read only, so children in use don't matter. #>
    param([hashtable]$World, [hashtable]$File)
    Assert-NotShared -File $File
    foreach ($holder in @(Get-Holder -World $World -Path $File.Path)) {
        if ($holder.Direct -and $holder.Vm.State -ne 'Off') { Stop-Operation -Code 'DiskInUse' -Message "$($File.Path) is attached to $($holder.Vm.Name), which is $($holder.Vm.State)" }
    }
    Assert-NotOpen -World $World -File $File
    Assert-NoCheckpoint -World $World -File $File
}

function Get-CopyBytes {
    <# .SYNOPSIS Bytes that the copy takes: the whole chain's, since a source with parents is flattened; all of it when fixed. #>
    param([hashtable]$World, [hashtable]$Source, [string]$Type, [long]$Size)
    if ($Type -eq 'Fixed') { return $Size }
    $sum = [long]0
    foreach ($part in @(Get-DiskChain -World $World -Path $Source.Path)) { $sum += $part.FileSize }
    return [Math]::Min($Size, $sum)
}

function Copy-Disk {
    <#
    .SYNOPSIS Copies a file as it is where type, format and block size stay; else converts, which flattens parents too.
    .DESCRIPTION A VHD is always converted: that makes a new identifier, which can't be reset in a VHD.
    #>
    param([hashtable]$Job, [hashtable]$Source, [string]$Partial, [string]$Type, [string]$Format)
    $block = $Job.Spec['blockSize']
    $same = $Format -eq 'VHDX' -and $Source.DiskType -eq $Type -and $Source.Format -eq $Format -and ($null -eq $block -or $block -eq $Source.BlockSize)
    Write-JobProgress -Job $Job -Percent 1 -Text "copying $(Get-FileNameOf -Path $Source.Path)"
    Invoke-Effect -Job $Job -Point 'copying' -Action {
        Confirm-Folder -Path $Partial
        if ($same) { $null = Copy-InPiece -Job $Job -From $Source.Path -To $Partial -Begin 1 -End 90 }
        else {
            $options = @{ Path = $Source.Path; DestinationPath = $Partial; VHDType = $Type }
            if ($null -ne $block -and $Type -eq 'Dynamic' -and $Format -eq 'VHDX') { $options['BlockSizeBytes'] = [UInt32]$block }
            Hyper-V\Convert-VHD @options -ErrorAction 'Stop'
        }
    }
    Write-JobProgress -Job $Job -Percent 90 -Text "copied $(Get-FileNameOf -Path $Source.Path)"
}

function Complete-Copy {
    <# .SYNOPSIS Writable, of its own identifier (copies share the page-83 id otherwise), grown, tested, renamed. #>
    param([hashtable]$Job, [string]$Partial, [string]$Target, [long]$Size)
    if ($Job.DryRun) { return }
    $file = Get-KnownDisk -World (Get-World -Job $Job) -Path $Partial
    if ($file.ReadOnly) { Invoke-Effect -Job $Job -Point 'writable' -Action { Set-ReadOnly -Path $Partial -Value $false } }
    if ($file.Format -eq 'VHDX') { Invoke-Effect -Job $Job -Point 'identity' -Action { Hyper-V\Set-VHD -Path $Partial -ResetDiskIdentifier -Force -ErrorAction 'Stop' } }
    if ($file.Size -lt $Size) { Invoke-Effect -Job $Job -Point 'resized' -Action { Hyper-V\Resize-VHD -Path $Partial -SizeBytes ([UInt64]$Size) -ErrorAction 'Stop' } }
    if (-not (Hyper-V\Test-VHD -Path $Partial -ErrorAction 'Stop')) { Stop-Operation -Code 'HyperVError' -Message "the copy $Partial does not pass Test-VHD" }
    Rename-Finished -Job $Job -Partial $Partial -Target $Target
}
