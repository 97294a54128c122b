# Windows paths as text. [IO.Path] is left out where it would depend on the machine.
$script:SidecarSuffix = '.aetherv.json'
# Change tracking (backups): files that belong to a disk's file and go where it goes.
$script:Companions = @('.rct', '.mrt')
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

# What Windows takes for a device in any folder and with any extension.
$script:DeviceNames = '\A(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00B9\u00B2\u00B3]) *(\.|\z)'

function Test-PathPart {
    <# .SYNOPSIS Whether the text may be one part of a path: no separators, streams, wildcards, dots alone, devices, nor what Windows cuts off at the end. #>
    param([string]$Text)
    return -not ($Text -match '[\\/:*?"<>|\x00-\x1f]' -or $Text -match '\A\.*\z' -or $Text -match '[. ]\z' -or $Text -match $script:DeviceNames -or $Text.Length -gt 255)
}

function Test-LocalPath {
    <# .SYNOPSIS Whether it is a full path with a drive letter whose parts mean what they say. #>
    param([string]$Path)
    if ($Path -notmatch '\A[A-Za-z]:\\') { return $false }
    $rest = $Path.Substring(3)
    if ($rest.EndsWith('\', [System.StringComparison]::Ordinal)) { $rest = $rest.Substring(0, $rest.Length - 1) }
    if ($rest -eq '') { return $true }
    return @($rest.Split('\') | Where-Object -FilterScript { -not (Test-PathPart -Text $_) }).Count -eq 0
}

function Test-PartialPath { param([string]$Path) return $Path -match '\.partial\.vhdx?(\.rct|\.mrt)?\z' }
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
        if (-not (Test-PathPart -Text $part)) { Stop-Operation -Code 'InvalidRequest' -Message "`"$(Get-ShownText -Text $part)`" can't be part of a file's name" }
    }
}
