# Copies of whole files, in pieces: so they tell how far they are, and end with the deadline or when the job is cancelled.
$script:PieceBytes = 4194304

function Copy-InPiece {
    <#
    .SYNOPSIS Copies a file and answers the SHA-256 of what was read. Inside an effect. The target must not exist.
    .DESCRIPTION Copy-Item can be neither watched nor stopped. A file that could not be finished is removed.
    #>
    param([hashtable]$Job, [string]$From, [string]$To, [int]$Begin, [int]$End)
    $name = Get-FileNameOf -Path $From
    $hash = New-Object -TypeName 'System.Security.Cryptography.SHA256CryptoServiceProvider'
    $source = Open-Sequential -Path $From
    $whole = $false
    try {
        $target = New-Object -TypeName 'System.IO.FileStream' -ArgumentList (Resolve-HostPath -Path $To), ([System.IO.FileMode]::CreateNew), ([System.IO.FileAccess]::Write), ([System.IO.FileShare]::None), 1
        try {
            # A full volume shows at once.
            $target.SetLength($source.Length)
            Step-Piece -Job $Job -Source $source -Begin $Begin -End $End -Text "copying $name" -Action { param($Bytes, $Count) $target.Write($Bytes, 0, $Count); $null = $hash.TransformBlock($Bytes, 0, $Count, $null, 0) }
            $target.Flush($true)
        }
        finally { $target.Dispose() }
        $null = $hash.TransformFinalBlock((New-Object -TypeName 'byte[]' -ArgumentList 0), 0, 0)
        # A differencing child knows its parent by this time.
        [System.IO.File]::SetLastWriteTimeUtc((Resolve-HostPath -Path $To), [System.IO.File]::GetLastWriteTimeUtc((Resolve-HostPath -Path $From)))
        $whole = $true
        return [BitConverter]::ToString($hash.Hash)
    }
    finally {
        $source.Dispose()
        $hash.Dispose()
        if (-not $whole) { Remove-FileNow -Path $To }
    }
}

function Get-PieceHash {
    <# .SYNOPSIS SHA-256 of a file, as Copy-InPiece answers it. #>
    param([hashtable]$Job, [string]$Path, [int]$Begin, [int]$End)
    $hash = New-Object -TypeName 'System.Security.Cryptography.SHA256CryptoServiceProvider'
    $source = Open-Sequential -Path $Path
    try {
        Step-Piece -Job $Job -Source $source -Begin $Begin -End $End -Text "verifying $(Get-FileNameOf -Path $Path)" -Action { param($Bytes, $Count) $null = $hash.TransformBlock($Bytes, 0, $Count, $null, 0) }
        $null = $hash.TransformFinalBlock((New-Object -TypeName 'byte[]' -ArgumentList 0), 0, 0)
        return [BitConverter]::ToString($hash.Hash)
    }
    finally {
        $source.Dispose()
        $hash.Dispose()
    }
}

function Open-Sequential {
    param([string]$Path)
    return New-Object -TypeName 'System.IO.FileStream' -ArgumentList (Resolve-HostPath -Path $Path), ([System.IO.FileMode]::Open), ([System.IO.FileAccess]::Read), ([System.IO.FileShare]::Read), 1, ([System.IO.FileOptions]::SequentialScan)
}

function Step-Piece {
    <# .SYNOPSIS Reads a stream piece by piece, and tells each further percent between Begin and End. #>
    param([hashtable]$Job, [System.IO.Stream]$Source, [int]$Begin, [int]$End, [string]$Text, [scriptblock]$Action)
    $bytes = New-Object -TypeName 'byte[]' -ArgumentList $script:PieceBytes
    $done = [long]0
    $told = -1
    while (($count = $Source.Read($bytes, 0, $bytes.Length)) -gt 0) {
        & $Action $bytes $count
        $done += $count
        $percent = $Begin + [int][Math]::Floor(($End - $Begin) * $done / [Math]::Max($done, $Source.Length))
        if ($percent -ne $told) { Write-JobProgress -Job $Job -Percent $percent -Text $Text; $told = $percent }
        Complete-Piece -Job $Job
    }
}

function Complete-Piece {
    <# .SYNOPSIS Called after each piece of a copy. #>
    param([hashtable]$Job)
    Assert-JobAlive -Job $Job
}
