# Put beside the agent's own files by the conformance tests: what goes wrong is read from a file.
function Get-TestFault {
    param([hashtable]$Job)
    $path = [System.Environment]::GetEnvironmentVariable('AETHERV_TEST_FAULT')
    if (-not [System.IO.File]::Exists($path)) { return $null }
    $utf8 = New-Object -TypeName 'System.Text.UTF8Encoding' -ArgumentList $false
    $fault = ConvertFrom-AgentJson -Text ([System.IO.File]::ReadAllText($path, $utf8))
    if ($fault['operation'] -ne $Job.Operation) { return $null }
    return $fault
}

function Enter-Operation {
    param([hashtable]$Job)
    Write-JobLog -Job $Job -Level 'debug' -Text "begins: $($Job.Operation)"
    $fault = Get-TestFault -Job $Job
    if ($null -ne $fault -and $fault['type'] -eq 'error') {
        [System.IO.File]::Delete([System.Environment]::GetEnvironmentVariable('AETHERV_TEST_FAULT'))
        Stop-Operation -Code $fault['code'] -Message "made to fail with $($fault['code'])"
    }
}

function Complete-Effect {
    param([hashtable]$Job, [string]$Point)
    Write-JobLog -Job $Job -Level 'debug' -Text "done: $Point"
    $fault = Get-TestFault -Job $Job
    if ($null -eq $fault) { return }
    $file = [System.Environment]::GetEnvironmentVariable('AETHERV_TEST_FAULT')
    if ($fault['type'] -eq 'crash' -and $Job.Effects -eq $fault['after']) {
        [System.IO.File]::Delete($file)
        [System.Diagnostics.Process]::GetCurrentProcess().Kill()
        [System.Threading.Thread]::Sleep(60000)
    }
    if ($fault['type'] -eq 'written' -and $Point -eq $fault['after']) {
        [System.IO.File]::Delete($file)
        [System.IO.File]::SetLastWriteTimeUtc((Resolve-HostPath -Path $fault['path']), [DateTime]::UtcNow)
    }
    if ($fault['type'] -eq 'taken' -and $Point -eq $fault['after']) {
        [System.IO.File]::Delete($file)
        [System.IO.File]::WriteAllText((Resolve-HostPath -Path $fault['path']), 'of somebody else')
    }
    if ($fault['type'] -eq 'partial' -or ($fault['type'] -eq 'broken' -and $Point -eq $fault['after'])) {
        [System.IO.File]::Delete($file)
        Stop-Operation -Code 'HyperVError' -Message "the job broke off after $Point"
    }
}

# Copies so slow that a test can do something meanwhile: milliseconds for each piece.
function Complete-Piece {
    param([hashtable]$Job)
    Assert-JobAlive -Job $Job
    $slow = [System.Environment]::GetEnvironmentVariable('AETHERV_TEST_PIECE_MS')
    if ($null -ne $slow) { [System.Threading.Thread]::Sleep([int]$slow) }
}
if ($null -ne [System.Environment]::GetEnvironmentVariable('AETHERV_TEST_WORKER_BYTES')) {
    $script:WorkerBytes = [long][System.Environment]::GetEnvironmentVariable('AETHERV_TEST_WORKER_BYTES')
}

# Many emulated hosts share this machine, and the cases' uids are all the same.
function Get-MutexName {
    param([string]$Key)
    return "Global\AetherV-$((Get-TextHash -Text "$([System.Environment]::GetEnvironmentVariable('AETHERV_RIG_ROOT')) $Key").Substring(0, 40))"
}
