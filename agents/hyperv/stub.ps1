<#
.SYNOPSIS
Starts AetherV's agent of a named version, and takes new versions over STDIN.

.DESCRIPTION
Lies at the root of AetherV's folder (C:\ProgramData\AetherV), outside the version folders agents\<sha256>, and is put there once by
`aetherv host prepare`. It understands a few words only, as arguments or, as a forced command of sshd, in
SSH_ORIGINAL_COMMAND (a whole command line that ends in "stub.ps1 WORDS" is read as its words):

  hello             one JSON line about this host
  session SHA256    runs that version's agent.ps1 -Session
  oneshot SHA256    runs that version's agent.ps1
  upload SHA256     reads a bundle from STDIN, checks its hash, and puts it into agents\SHA256
  prune SHA256      removes all other versions that no agent runs
  kill PID          ends that agent, if it was started here and is still the same process
  fence ID EPOCH    makes EPOCH the highest of control plane ID, by an operator's hand (aetherv host take-over)

The first line on STDERR is "AETHERV-STUB ready PID" or "AETHERV-STUB refused CODE TEXT" (exit code 1); STDOUT belongs to the agent.
Exit code 78 without such a line: PowerShell is not in FullLanguage mode.
#>
[CmdletBinding()]
param(
    [ValidatePattern('^[a-z]*$')][string]$Word = '',
    [ValidatePattern('^[0-9a-f-]*$')][string]$Argument = '',
    [ValidatePattern('^[0-9]*$')][string]$Epoch = ''
)

# Restricted by a policy, PowerShell refuses the very calls that would tell so: the exit code does.
if ([string]$ExecutionContext.SessionState.LanguageMode -cne 'FullLanguage') { exit 78 }

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$ConfirmPreference = 'None'

$agents = Join-Path -Path $PSScriptRoot -ChildPath 'agents'
$state = Join-Path -Path $PSScriptRoot -ChildPath 'state'
$sessions = Join-Path -Path $state -ChildPath 'sessions'
$longestBundle = 33554432

function Resolve-StubPath {
    <# .SYNOPSIS The path as .NET wants it. #>
    param([string]$Path)
    return $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
}

function Write-StubLine {
    param([string]$Text)
    $bytes = [System.Text.Encoding]::UTF8.GetBytes("AETHERV-STUB $Text`n")
    $stream = [Console]::OpenStandardError()
    $stream.Write($bytes, 0, $bytes.Length)
    $stream.Flush()
}

function Stop-Stub {
    <# .SYNOPSIS Ends with a refusal; the code is one of the control plane's catalog. #>
    param([string]$Code, [string]$Text)
    Write-StubLine -Text "refused $Code $($Text -replace '[\r\n]+', ' ')"
    exit 1
}

function Get-BundleHash {
    param([byte[]]$Bytes)
    $sha = [System.Security.Cryptography.SHA256]::Create()
    try { return ([System.BitConverter]::ToString($sha.ComputeHash($Bytes)) -replace '-', '').ToLowerInvariant() }
    finally { $sha.Dispose() }
}

function Get-BundleEntry {
    <# .SYNOPSIS The files of a bundle: lines "PATH BASE64" between a first and a last line. Throws on anything else. #>
    param([string]$Text)
    $lines = $Text.Split("`n")
    if ($lines.Length -lt 3 -or $lines[0] -cne 'AETHERV-BUNDLE 1' -or $lines[$lines.Length - 2] -cne 'END') { throw 'the bundle is cut off, or of another format' }
    for ($at = 1; $at -lt $lines.Length - 2; $at++) {
        $words = $lines[$at].Split(' ')
        if ($words.Length -ne 2 -or $words[0] -cnotmatch '^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)?$') { throw "line $($at + 1) of the bundle is malformed" }
        [pscustomobject]@{ Path = $words[0].Replace('/', '\'); Base64 = $words[1] }
    }
}

function Test-Version {
    <# .SYNOPSIS Whether a version's folder holds exactly what its bundle says. #>
    param([string]$Folder, [string]$Hash)
    $kept = Join-Path -Path $Folder -ChildPath 'bundle.txt'
    if (-not (Test-Path -LiteralPath $kept)) { return $false }
    try {
        $bytes = [System.IO.File]::ReadAllBytes((Resolve-StubPath -Path $kept))
        if ((Get-BundleHash -Bytes $bytes) -cne $Hash) { return $false }
        foreach ($entry in @(Get-BundleEntry -Text ([System.Text.Encoding]::ASCII.GetString($bytes)))) {
            $file = [System.IO.File]::ReadAllBytes((Resolve-StubPath -Path (Join-Path -Path $Folder -ChildPath $entry.Path)))
            if ([Convert]::ToBase64String($file) -cne $entry.Base64) { return $false }
        }
        return $true
    }
    catch { return $false }
}

function Get-SessionEntry {
    <# .SYNOPSIS The agents started here that still run: PID and hash. Forgets those that ended. #>
    param()
    if (-not (Test-Path -LiteralPath $sessions)) { return }
    foreach ($file in @(Get-ChildItem -LiteralPath $sessions -Filter '*.txt')) {
        $id = $file.Name -replace '\.txt$', ''
        $live = $false
        try {
            $words = [System.IO.File]::ReadAllText((Resolve-StubPath -Path $file.FullName)).Trim().Split(' ')
            $process = Get-Process -Id ([int]$id)
            # Not to the tick: on some systems two processes read a start time a little differently.
            $live = $words.Length -eq 2 -and [Math]::Abs($process.StartTime.ToUniversalTime().Ticks - [long]$words[1]) -lt 20000000
        }
        catch { $live = $false }
        if ($live) { [pscustomobject]@{ Id = [int]$id; Hash = $words[0] } }
        else { Remove-Item -LiteralPath $file.FullName -Force -ErrorAction 'SilentlyContinue' }
    }
}

function Add-SessionEntry {
    param([string]$Hash)
    if (-not (Test-Path -LiteralPath $sessions)) { $null = New-Item -ItemType 'Directory' -Path $sessions -Force }
    $file = Resolve-StubPath -Path (Join-Path -Path $sessions -ChildPath "$PID.txt")
    [System.IO.File]::WriteAllText($file, "$Hash $((Get-Process -Id $PID).StartTime.ToUniversalTime().Ticks)")
    return $file
}

function Write-Hello {
    param()
    $identity = [System.Environment]::UserName
    $versions = @()
    if (Test-Path -LiteralPath $agents) {
        $versions = @(foreach ($folder in @(Get-ChildItem -LiteralPath $agents)) { if ($folder.Name -cmatch '^[0-9a-f]{64}$') { $folder.Name } })
    }
    $own = [System.IO.File]::ReadAllBytes((Resolve-StubPath -Path (Join-Path -Path $PSScriptRoot -ChildPath 'stub.ps1')))
    $hello = [ordered]@{
        stub = Get-BundleHash -Bytes $own
        powershell = [string]$PSVersionTable.PSVersion
        edition = [string]$PSVersionTable.PSEdition
        language = [string]$ExecutionContext.SessionState.LanguageMode
        user = $identity
        time = [DateTime]::UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", [Globalization.CultureInfo]::InvariantCulture)
        hyperv = @(Get-Module -Name 'Hyper-V' -ListAvailable).Count -gt 0
        agents = $versions
        running = @(foreach ($one in @(Get-SessionEntry)) { $one.Id })
    }
    Write-StubLine -Text "ready $PID"
    [Console]::Out.WriteLine((ConvertTo-Json -InputObject $hello -Compress))
}

function Read-Bundle {
    <# .SYNOPSIS STDIN up to the line END, or its end, as ASCII text. #>
    param()
    $reader = New-Object -TypeName 'System.IO.StreamReader' -ArgumentList ([Console]::OpenStandardInput()), ([System.Text.Encoding]::ASCII)
    $text = New-Object -TypeName 'System.Text.StringBuilder'
    while ($null -ne ($line = $reader.ReadLine())) {
        $null = $text.Append($line).Append("`n")
        if ($line -ceq 'END') { break }
        if ($text.Length -gt $longestBundle) { Stop-Stub -Code 'InvalidRequest' -Text "the bundle is longer than $longestBundle bytes" }
    }
    return $text.ToString()
}

function Save-Version {
    <# .SYNOPSIS Writes a bundle's files beside, then renames the folder: a version is there whole or not at all. #>
    param([string]$Text, [byte[]]$Bytes, [string]$Hash)
    $target = Join-Path -Path $agents -ChildPath $Hash
    if (Test-Version -Folder $target -Hash $Hash) { return }
    $making = Join-Path -Path $agents -ChildPath "$Hash.$PID.partial"
    $null = New-Item -ItemType 'Directory' -Path $making -Force
    try {
        foreach ($entry in @(Get-BundleEntry -Text $Text)) {
            $path = Join-Path -Path $making -ChildPath $entry.Path
            $folder = Split-Path -Path $path -Parent
            if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType 'Directory' -Path $folder -Force }
            [System.IO.File]::WriteAllBytes((Resolve-StubPath -Path $path), [Convert]::FromBase64String($entry.Base64))
        }
        [System.IO.File]::WriteAllBytes((Resolve-StubPath -Path (Join-Path -Path $making -ChildPath 'bundle.txt')), $Bytes)
        if (-not (Test-Version -Folder $making -Hash $Hash)) { throw 'what was written reads back otherwise' }
        if (Test-Path -LiteralPath $target) { Rename-Item -LiteralPath $target -NewName "$Hash.$PID.old" }
        Rename-Item -LiteralPath $making -NewName $Hash
    }
    catch {
        Remove-Item -LiteralPath $making -Recurse -Force -ErrorAction 'SilentlyContinue'
        # Another upload of the same may have come first.
        if (-not (Test-Version -Folder $target -Hash $Hash)) { throw }
    }
}

function Invoke-Upload {
    param([string]$Hash)
    Write-StubLine -Text "ready $PID"
    $text = Read-Bundle
    $bytes = [System.Text.Encoding]::ASCII.GetBytes($text)
    $found = Get-BundleHash -Bytes $bytes
    if ($found -cne $Hash) { Stop-Stub -Code 'InvalidRequest' -Text "what arrived has the hash $found, not $Hash" }
    Save-Version -Text $text -Bytes $bytes -Hash $Hash
}

function Invoke-Prune {
    <# .SYNOPSIS Removes other versions that nothing runs, and what cut uploads left an hour ago. #>
    param([string]$Hash)
    $used = @($Hash) + @(foreach ($one in @(Get-SessionEntry)) { $one.Hash })
    foreach ($folder in @(Get-ChildItem -LiteralPath $agents)) {
        if ($used -ccontains $folder.Name) { continue }
        $fresh = $folder.LastWriteTimeUtc -gt [DateTime]::UtcNow.AddHours(-1)
        if ($folder.Name -cmatch '^[0-9a-f]{64}\.\d+\.partial$' -and $fresh) { continue }
        if ($folder.Name -cnotmatch '^[0-9a-f]{64}(\.\d+\.(partial|old))?$') { continue }
        Remove-Item -LiteralPath $folder.FullName -Recurse -Force -ErrorAction 'SilentlyContinue'
    }
    Write-StubLine -Text "ready $PID"
}

function Invoke-Kill {
    param([int]$Id)
    foreach ($one in @(Get-SessionEntry)) {
        if ($one.Id -eq $Id) { Stop-Process -Id $Id -Force -ErrorAction 'SilentlyContinue' }
    }
    Write-StubLine -Text "ready $PID"
}

function Set-Fence {
    <# .SYNOPSIS Writes the fence anew where it is lost or unreadable, else only that control plane's epoch. What was unreadable is kept aside. #>
    param([string]$Id, [long]$Epoch)
    if (-not (Test-Path -LiteralPath $state)) { $null = New-Item -ItemType 'Directory' -Path $state -Force }
    $path = Join-Path -Path $state -ChildPath 'fence.json'
    $lock = [System.IO.File]::Open((Resolve-StubPath -Path (Join-Path -Path $state -ChildPath 'state.lock')), [System.IO.FileMode]::OpenOrCreate, [System.IO.FileAccess]::ReadWrite, [System.IO.FileShare]::None)
    try {
        $table = [ordered]@{}
        if (Test-Path -LiteralPath $path) {
            try {
                $known = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText((Resolve-StubPath -Path $path)))
                foreach ($entry in @($known.PSObject.Properties)) { $table[$entry.Name] = [long]$entry.Value }
            }
            catch {
                $table = [ordered]@{}
                Rename-Item -LiteralPath $path -NewName "fence.$([DateTime]::UtcNow.Ticks).unreadable"
            }
        }
        $table[$Id] = $Epoch
        $next = Join-Path -Path $state -ChildPath "fence.$PID.next"
        $bytes = [System.Text.Encoding]::ASCII.GetBytes((ConvertTo-Json -InputObject $table -Compress))
        [System.IO.File]::WriteAllBytes((Resolve-StubPath -Path $next), $bytes)
        Move-Item -LiteralPath $next -Destination $path -Force
    }
    finally { $lock.Dispose() }
    Write-StubLine -Text "ready $PID"
}

function Get-StubWord {
    <# .SYNOPSIS The words asked for: of the client's command line under a forced command, else the arguments. #>
    param([string]$Given)
    if ($Given -cnotmatch '^(?:.*\\stub\.ps1 )?(hello|(?:session|oneshot|upload|prune) [0-9a-f]{64}|kill [0-9]{1,9}|fence [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12} [0-9]{1,15})$') {
        Stop-Stub -Code 'InvalidRequest' -Text 'allowed are: hello, session SHA256, oneshot SHA256, upload SHA256, prune SHA256, kill PID, fence ID EPOCH'
    }
    return $Matches[1].Split(' ')
}

function Get-FailureCode {
    param([System.Exception]$Failure)
    while ($null -ne $Failure.InnerException) { $Failure = $Failure.InnerException }
    if ($Failure -is [System.UnauthorizedAccessException]) { return 'PermissionDenied' }
    # ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL; ENOSPC is what .NET tells where it is not on Windows.
    if ($Failure -is [System.IO.IOException] -and ($Failure.HResult -band 0xFFFF) -in @(112, 39, 28)) { return 'InsufficientStorage' }
    return 'InternalError'
}

$words = @(Get-StubWord -Given $(if ("$env:SSH_ORIGINAL_COMMAND" -ne '') { $env:SSH_ORIGINAL_COMMAND.Trim() } else { "$Word $Argument $Epoch".Trim() }))
try {
    switch -CaseSensitive ($words[0]) {
        'hello' { Write-Hello; exit 0 }
        'upload' { Invoke-Upload -Hash $words[1]; exit 0 }
        'prune' { Invoke-Prune -Hash $words[1]; exit 0 }
        'fence' { Set-Fence -Id $words[1] -Epoch ([long]$words[2]); exit 0 }
        'kill' { Invoke-Kill -Id ([int]$words[1]); exit 0 }
    }
    $folder = Join-Path -Path $agents -ChildPath $words[1]
    if (-not (Test-Version -Folder $folder -Hash $words[1])) { Stop-Stub -Code 'VersionMismatch' -Text "version $($words[1]) of the agent is not on the host, or not whole" }
    $entry = Add-SessionEntry -Hash $words[1]
}
catch {
    Stop-Stub -Code (Get-FailureCode -Failure $_.Exception) -Text $_.Exception.Message
}

# From here on the agent speaks.
Write-StubLine -Text "ready $PID"
try {
    $script = Join-Path -Path $folder -ChildPath 'agent.ps1'
    if ($words[0] -ceq 'session') { & $script -Session -Sha256 $words[1] } else { & $script -Sha256 $words[1] }
}
finally {
    Remove-Item -LiteralPath $entry -Force -ErrorAction 'SilentlyContinue'
}
exit $LASTEXITCODE
