# Fence, locks, runs and kept results: shared by all processes of the agent on this host.
$script:KeptLimit = 200

function Use-StateLock {
    <# .SYNOPSIS Runs a block while this process alone holds a lock file of the host: the state folder's, or one of another name. #>
    param([scriptblock]$Action, [string]$LockFile = 'state.lock')
    $path = Resolve-HostPath -Path (Join-Path -Path $script:Agent.State -ChildPath $LockFile)
    $until = [DateTime]::UtcNow.AddSeconds(20)
    $stream = $null
    while ($null -eq $stream) {
        try { $stream = [System.IO.File]::Open($path, [System.IO.FileMode]::OpenOrCreate, [System.IO.FileAccess]::ReadWrite, [System.IO.FileShare]::None) }
        catch [System.IO.IOException] {
            if ([DateTime]::UtcNow -gt $until) { Stop-Operation -Code 'Busy' -Message "$path is held by another process of the agent for over 20 s" }
            [System.Threading.Thread]::Sleep(20)
        }
    }
    try { return & $Action }
    finally { $stream.Dispose() }
}

function Get-EpochTable {
    <# .SYNOPSIS Highest epoch of each control plane. A file that is there and can't be read, or that vanished, is StaleController. #>
    param()
    $path = Join-Path -Path $script:Agent.State -ChildPath 'fence.json'
    $mark = Join-Path -Path $script:Agent.State -ChildPath 'fence.made'
    if (-not (Test-Path -LiteralPath $path)) {
        if (Test-Path -LiteralPath $mark) { Stop-Operation -Code 'StaleController' -Message "$path is gone; set it by hand with aetherv host take-over" }
        return New-JsonMap
    }
    try {
        $table = Read-JsonFile -Path $path
        foreach ($entry in @($table.GetEnumerator())) { $table[$entry.Key] = [long]$entry.Value }
        return $table
    }
    catch { Stop-Operation -Code 'StaleController' -Message "$path can't be read: $($_.Exception.Message)" }
}

function Assert-Epoch {
    <# .SYNOPSIS StaleController unless the request's epoch is the highest seen of its control plane. Asked before each change. #>
    param([System.Collections.IDictionary]$Metadata)
    $epochs = Get-EpochTable
    $highest = [long]0
    if ($epochs.ContainsKey($Metadata['control_plane'])) { $highest = $epochs[$Metadata['control_plane']] }
    if ([long]$Metadata['epoch'] -lt $highest) {
        Stop-Operation -Code 'StaleController' -Message "epoch $($Metadata['epoch']) is older than $highest, the highest seen on this host"
    }
    return $highest
}

function Set-Epoch {
    <# .SYNOPSIS Writes the epoch if it is a new highest. Only inside Use-StateLock. #>
    param([System.Collections.IDictionary]$Metadata)
    if ([long]$Metadata['epoch'] -le (Assert-Epoch -Metadata $Metadata)) { return }
    $epochs = Get-EpochTable
    $epochs[$Metadata['control_plane']] = [long]$Metadata['epoch']
    Write-JsonFile -Path (Join-Path -Path $script:Agent.State -ChildPath 'fence.json') -Value $epochs
    $mark = Join-Path -Path $script:Agent.State -ChildPath 'fence.made'
    if (-not (Test-Path -LiteralPath $mark)) { Write-JsonFile -Path $mark -Value @{ made = Get-AgentTime } }
}

function Update-Epoch {
    <#
    .SYNOPSIS Keeps the epoch of an inventory's sender if it is the highest.
    .DESCRIPTION From the first look of a new control plane process on, jobs of the one before it are refused, be there something to change or
    not. A stale sender, an observer (epoch 0) and a fence that can't be read change nothing: looks are answered all the same.
    #>
    param([System.Collections.IDictionary]$Metadata)
    if ([long]$Metadata['epoch'] -eq 0 -or $Metadata['dry_run']) { return }
    try {
        if ([long]$Metadata['epoch'] -gt (Assert-Epoch -Metadata $Metadata)) { Use-StateLock -Action { Set-Epoch -Metadata $Metadata } }
    }
    catch { if ((Resolve-ErrorCode -Record $_) -ne 'StaleController') { throw } }
}

function Get-ProcessMark {
    <# .SYNOPSIS Tells a process from a later one with the same id; '' when it does not live. #>
    param([int]$Id)
    try {
        $process = [System.Diagnostics.Process]::GetProcessById($Id)
        if ($process.HasExited) { return '' }
        return "$Id`:$($process.StartTime.ToUniversalTime().Ticks.ToString([Globalization.CultureInfo]::InvariantCulture))"
    }
    catch { return '' }
}

function Test-ProcessMark {
    <# .SYNOPSIS Whether the process of a mark lives. Start times are compared to the second: Linux rounds them by process. #>
    param([string]$Mark)
    $parts = $Mark.Split(':')
    if ($parts.Count -ne 2) { return $false }
    $now = Get-ProcessMark -Id ([int]$parts[0])
    if ($now -eq '') { return $false }
    return [Math]::Abs([long]$now.Split(':')[1] - [long]$parts[1]) -lt 20000000
}

function Get-LockKey {
    <# .SYNOPSIS What the job holds alone: metadata.locks and the owners' uids, sorted. #>
    param([System.Collections.IDictionary]$Request)
    $keys = @($Request['metadata']['locks'])
    foreach ($field in 'owner', 'vmOwner') {
        if ($null -ne $Request['resource_spec'][$field]) { $keys += $Request['resource_spec'][$field]['uid'] }
    }
    return @($keys | Where-Object -FilterScript { $null -ne $_ -and $_ -ne '' } | Sort-Object -Unique)
}

function Get-MutexName {
    param([string]$Key)
    if ($Key -cmatch '\A[A-Za-z0-9.-]{1,64}\z') { return "Global\AetherV-$Key" }
    return "Global\AetherV-h$((Get-TextHash -Text $Key).Substring(0, 40))"
}

function Get-TextHash {
    <# .SYNOPSIS SHA-256 of a text as UTF-8, lower-case hexadecimal. #>
    param([string]$Text)
    $hash = [System.Security.Cryptography.SHA256]::Create()
    try { return [BitConverter]::ToString($hash.ComputeHash([System.Text.Encoding]::UTF8.GetBytes($Text))).Replace('-', '').ToLowerInvariant() }
    finally { $hash.Dispose() }
}

function Get-RunPath { param([string]$Id, [string]$Suffix = '.json') return Join-Path -Path (Join-Path -Path $script:Agent.State -ChildPath 'runs') -ChildPath "$Id$Suffix" }
function Get-ResultPath { param([string]$Id) return Join-Path -Path (Join-Path -Path $script:Agent.State -ChildPath 'results') -ChildPath "$Id.json" }

function Get-Run {
    <# .SYNOPSIS The jobs in progress of all living processes; what dead ones left is removed. #>
    param()
    $found = New-Object -TypeName 'System.Collections.ArrayList'
    $files = @(Get-ChildItem -LiteralPath (Join-Path -Path $script:Agent.State -ChildPath 'runs') -Filter '*.json' | Sort-Object -Property 'Name')
    foreach ($file in $files) {
        try { $run = Read-JsonFile -Path $file.FullName } catch { continue }
        if (Test-ProcessMark -Mark $run['process']) { $null = $found.Add($run); continue }
        foreach ($suffix in '.json', '.cancel', '.percent') { Remove-StateFile -Path (Get-RunPath -Id $run['correlation_id'] -Suffix $suffix) }
    }
    return $found.ToArray()
}

function Remove-StateFile {
    param([string]$Path)
    [System.IO.File]::Delete((Resolve-HostPath -Path $Path))
}

function Enter-Job {
    <#
    .SYNOPSIS Takes the job's locks, passes the fence and notes the run, in one step. Answers the mutexes held.
    .DESCRIPTION A mutex ends with its process, so a killed agent holds nothing.
    #>
    param([System.Collections.IDictionary]$Request)
    $metadata = $Request['metadata']
    if ([long]$metadata['epoch'] -eq 0) { Stop-Operation -Code 'StaleController' -Message 'epoch 0 is for operations that change nothing' }
    $keys = @(Get-LockKey -Request $Request)
    $held = New-Object -TypeName 'System.Collections.ArrayList'
    try {
        Use-StateLock -Action {
            $null = Assert-Epoch -Metadata $metadata
            foreach ($key in $keys) { $null = $held.Add((Lock-Key -Key $key)) }
            Set-Epoch -Metadata $metadata
            $run = [ordered]@{
                correlation_id = $Request['correlation_id']
                operation = $Request['operation']
                startedAt = Get-AgentTime
                locks = $keys
                process = Get-ProcessMark -Id $PID
            }
            Write-JsonFile -Path (Get-RunPath -Id $Request['correlation_id']) -Value $run
        }
    }
    catch {
        foreach ($mutex in $held) { $mutex.ReleaseMutex(); $mutex.Dispose() }
        throw
    }
    return , $held.ToArray()
}

function Lock-Key {
    <# .SYNOPSIS The named mutex of a uid, taken. Busy names the job that has it. #>
    param([string]$Key)
    $mutex = New-Object -TypeName 'System.Threading.Mutex' -ArgumentList $false, (Get-MutexName -Key $Key)
    $taken = $false
    try { $taken = $mutex.WaitOne(0) }
    # Its process ended without freeing it; what it left is repeatable.
    catch [System.Threading.AbandonedMutexException] { $taken = $true }
    if ($taken) { return $mutex }
    $mutex.Dispose()
    $run = @(Get-Run | Where-Object -FilterScript { @($_['locks']) -contains $Key })
    if ($run.Count -gt 0) { Stop-Locked -Run $run[0] -Key $Key }
    Stop-Operation -Code 'Busy' -Message "another process of the agent is at work on $Key"
}

function Stop-Locked {
    param([System.Collections.IDictionary]$Run, [string]$Key)
    Stop-Operation -Code 'Busy' -Message "$($Run['operation']) $($Run['correlation_id']) is at work on $Key since $($Run['startedAt'])"
}

function Exit-Job {
    <# .SYNOPSIS Keeps the result for repeats, removes the run, frees the locks. #>
    param([System.Collections.IDictionary]$Request, [System.Collections.IDictionary]$Result, [object[]]$Held)
    try {
        $kept = [ordered]@{}
        foreach ($key in $Result.Keys) { $kept[$key] = $Result[$key] }
        $kept['logs'] = @()
        $entry = [ordered]@{ operation = $Request['operation']; finishedAt = Get-AgentTime; result = $kept }
        Write-JsonFile -Path (Get-ResultPath -Id $Request['correlation_id']) -Value $entry
        foreach ($suffix in '.json', '.cancel', '.percent') { Remove-StateFile -Path (Get-RunPath -Id $Request['correlation_id'] -Suffix $suffix) }
        Remove-OldResult
    }
    finally {
        foreach ($mutex in $Held) { $mutex.ReleaseMutex(); $mutex.Dispose() }
    }
}

function Remove-OldResult {
    <# .SYNOPSIS Keeps the last 200 results. #>
    param()
    $folder = Join-Path -Path $script:Agent.State -ChildPath 'results'
    $files = @(Get-ChildItem -LiteralPath $folder -Filter '*.json')
    if ($files.Count -le $script:KeptLimit) { return }
    $old = @($files | Sort-Object -Property 'LastWriteTimeUtc' | Select-Object -First ($files.Count - $script:KeptLimit))
    foreach ($file in $old) { Remove-StateFile -Path $file.FullName }
}

function Get-KeptResult {
    <# .SYNOPSIS The kept entry of a job; $null when there is none. #>
    param([string]$Id)
    $path = Get-ResultPath -Id $Id
    if (-not (Test-Path -LiteralPath $path)) { return $null }
    try { return Read-JsonFile -Path $path } catch { return $null }
}
