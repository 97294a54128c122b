# When each machine's boot began, as it was told first: shared by all processes through a file.
$script:Starts = $null

function Get-StartsPath { param() return Join-Path -Path $script:Agent.State -ChildPath 'starts.json' }

function Get-KeptStart {
    param([string]$Id)
    if ($null -eq $script:Starts -or -not $script:Starts.ContainsKey($Id)) {
        $script:Starts = New-JsonMap
        if (Test-Path -LiteralPath (Get-StartsPath)) { try { $script:Starts = Read-JsonFile -Path (Get-StartsPath) } catch { $script:Starts = New-JsonMap } }
    }
    if (-not $script:Starts.ContainsKey($Id)) { return $null }
    return New-Object -TypeName 'System.DateTime' -ArgumentList ([long]$script:Starts[$Id]), ([System.DateTimeKind]::Utc)
}

function Set-KeptStart {
    param([string]$Id, [DateTime]$At)
    $script:Starts[$Id] = $At.Ticks
    Write-JsonFile -Path (Get-StartsPath) -Value $script:Starts
}
