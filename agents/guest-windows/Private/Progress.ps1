# How far a configuration is: `generation hash module restarts` in the file `progress`.

function Read-Progress {
    <# .SYNOPSIS The kept progress of this configuration; one at its beginning when the kept one is of another. #>
    param([hashtable]$Agent, [long]$Generation, [string]$Hash)
    $parts = (Read-State -Agent $Agent -Name 'progress').Split(' ')
    if ($parts.Count -eq 4 -and $parts[0] -ceq [string]$Generation -and $parts[1] -ceq $Hash) {
        return @{ Generation = $Generation; Hash = $Hash; Module = $parts[2]; Restarts = [int]$parts[3] }
    }
    return @{ Generation = $Generation; Hash = $Hash; Module = ''; Restarts = 0 }
}

function Save-Progress {
    param([hashtable]$Agent, [hashtable]$Progress)
    Write-State -Agent $Agent -Name 'progress' -Text "$($Progress.Generation) $($Progress.Hash) $($Progress.Module) $($Progress.Restarts)"
}
