# Windows paths as text. [IO.Path] is left out where it would depend on the machine.
$script:SidecarSuffix = '.aetherv.json'
$script:TrashFolder = 'AetherV.Trash'
$script:ManifestName = 'manifest.json'
$script:UuidPattern = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'

function Resolve-HostPath {
    <# .SYNOPSIS The path that .NET calls take: the same one for a full path on Windows. #>
    param([string]$Path)
    return $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Path)
}

function Get-PathKey {
    <# .SYNOPSIS Equal for two spellings of a path that differ by case or a last backslash. #>
    param([string]$Path)
    return $Path.TrimEnd('\').ToLowerInvariant()
}

function Test-SamePath {
    param([string]$Path, [string]$Other)
    return (Get-PathKey -Path $Path) -ceq (Get-PathKey -Path $Other)
}

function Join-HostPath {
    param([string]$Folder, [string]$Name)
    return $Folder.TrimEnd('\') + '\' + $Name
}

function Get-FolderOf {
    param([string]$Path)
    $at = $Path.LastIndexOf('\')
    if ($at -lt 0) { return '' }
    return $Path.Substring(0, $at)
}

function Get-FileNameOf {
    param([string]$Path)
    return $Path.Substring($Path.LastIndexOf('\') + 1)
}

function Get-StemOf {
    <# .SYNOPSIS File name without its extension. #>
    param([string]$Path)
    return (Get-FileNameOf -Path $Path) -replace '\.[^.]*$', ''
}

function Test-UnderPath {
    param([string]$Path, [string]$Folder)
    return $Path.StartsWith($Folder.TrimEnd('\') + '\', [System.StringComparison]::OrdinalIgnoreCase)
}

function Test-PathPart {
    <# .SYNOPSIS Whether the text may be one part of a path. #>
    param([string]$Text)
    return -not ($Text -match '[\\/:*?"<>|\x00-\x1f]' -or $Text -match '\A\.*\z' -or $Text -match '[. ]\z')
}

function Test-LocalPath {
    <# .SYNOPSIS Whether it is a full path with a drive letter and no step up. #>
    param([string]$Path)
    return $Path -match '\A[A-Za-z]:\\' -and @($Path.Split('\')) -notcontains '..' -and $Path -notmatch '[/*?"<>|\x00-\x1f]'
}

function Test-PartialPath { param([string]$Path) return $Path -match '\.partial\.vhdx?\z' }
function Test-CheckpointPath { param([string]$Path) return $Path -match '\.avhdx?\z' }
function Test-TrashPath { param([string]$Path) return $Path.IndexOf("\$script:TrashFolder\", [System.StringComparison]::OrdinalIgnoreCase) -ge 0 }
function Test-DiskPath { param([string]$Path) return $Path -match '\.(a?vhdx?|vhds)\z' }

function Get-NameUid {
    <# .SYNOPSIS The uid in a disk file's name (<name>.<uid>.vhdx); $null when it has none. #>
    param([string]$Path)
    if ((Get-FileNameOf -Path $Path) -match '\.([^.\\]+)\.vhdx?\z') { return $Matches[1] }
    return $null
}

function Assert-PathPart {
    param([string[]]$Text)
    foreach ($part in $Text) {
        if (-not (Test-PathPart -Text $part)) { Stop-Operation -Code 'InvalidRequest' -Message "`"$part`" can't be part of a file's name" }
    }
}
