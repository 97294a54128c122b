# Files that are whole or not there.

function Resolve-HostPath {
    <# .SYNOPSIS The path for .NET calls. #>
    param([string]$Path)
    return $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
}

function Protect-Path {
    <# .SYNOPSIS SYSTEM and administrators alone, nothing inherited; by SID, since names are translated. #>
    param([string]$Path, [switch]$Folder)
    $rights = if ($Folder) { '(OI)(CI)F' } else { 'F' }
    $null = icacls.exe $Path '/inheritance:r' '/grant:r' "*S-1-5-18:$rights" "*S-1-5-32-544:$rights"
    if ($LASTEXITCODE -ne 0) { Stop-Guest -Code 'ModuleFailed' -Message "icacls failed on $Path with $LASTEXITCODE" }
}

function New-Folder {
    param([string]$Path)
    if ($Path -ne '' -and -not (Test-Path -LiteralPath $Path -PathType 'Container')) { $null = New-Item -Path $Path -ItemType 'Directory' -Force }
}

function Write-WholeFile {
    <# .SYNOPSIS Writes beside, flushes to the disk, renames over. Private: the rights are set before a byte of the contents is written. #>
    param([string]$Path, [byte[]]$Bytes, [switch]$Private)
    New-Folder -Path (Split-Path -Path $Path -Parent)
    $target = Resolve-HostPath -Path $Path
    $beside = "$target.aetherv-new"
    [System.IO.File]::WriteAllBytes($beside, (New-Object -TypeName 'byte[]' -ArgumentList 0))
    if ($Private) { Protect-Path -Path "$Path.aetherv-new" }
    $stream = New-Object -TypeName 'System.IO.FileStream' -ArgumentList $beside, ([System.IO.FileMode]::Create), ([System.IO.FileAccess]::Write)
    try {
        $stream.Write($Bytes, 0, $Bytes.Length)
        $stream.Flush($true)
    }
    finally { $stream.Dispose() }
    if (-not [System.IO.File]::Exists($target)) { [System.IO.File]::Move($beside, $target); return }
    # Replace keeps the rights of the file that was there: they are set before, so that no kill leaves new contents under old rights.
    if ($Private) { Protect-Path -Path $Path }
    [System.IO.File]::Replace($beside, $target, [System.Management.Automation.Language.NullString]::Value)
}

function Set-WholeFile {
    <# .SYNOPSIS Writes a file that does not hold these very bytes. One that does loses what a killed write left beside it; a private one gets its rights again. #>
    param([string]$Path, [byte[]]$Bytes, [switch]$Private)
    if (-not (Test-SameContent -Path $Path -Bytes $Bytes)) { Write-WholeFile -Path $Path -Bytes $Bytes -Private:$Private; return }
    [System.IO.File]::Delete("$(Resolve-HostPath -Path $Path).aetherv-new")
    if ($Private) { Protect-Path -Path $Path }
}

function Test-SameContent {
    <# .SYNOPSIS Whether a file holds these very bytes. #>
    param([string]$Path, [byte[]]$Bytes)
    $real = Resolve-HostPath -Path $Path
    if (-not [System.IO.File]::Exists($real)) { return $false }
    $have = [System.IO.File]::ReadAllBytes($real)
    return $have.Length -eq $Bytes.Length -and (ConvertTo-Hex -Bytes (Get-Sha256 -Bytes $have)) -ceq (ConvertTo-Hex -Bytes (Get-Sha256 -Bytes $Bytes))
}
