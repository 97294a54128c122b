# What may take long is done by a process of its own, which Windows' WMI service starts: it outlives the channel and the session that asked for it.
# The worker is this agent with -Work: it takes the locks, notes the run and keeps the result as any other process does, so that later sessions find
# it by its correlation id. Three files in <state>\work: NAME.json (the request), NAME.lines (log and progress), NAME.result.json.

# Starting a process takes a second or two, which less than this is not worth.
$script:WorkerBytes = [long]268435456

function Get-WorkPath { param([string]$Name, [string]$Suffix) return Join-Path -Path (Join-Path -Path $script:Agent.State -ChildPath 'work') -ChildPath "$Name$Suffix" }

function Test-LongWork {
    <# .SYNOPSIS Whether the job writes so much that it should outlive this session. Where that can't be told the operation itself says what is wrong. #>
    param([hashtable]$Job)
    if ($script:Agent.Worker -ne '') { return $false }
    try { return (Get-WorkByte -Job $Job) -ge $script:WorkerBytes } catch { return $false }
    finally { $Job.World = $null }
}

function Get-WorkByte {
    <# .SYNOPSIS Bytes of files that the job will write, roughly. #>
    param([hashtable]$Job)
    $spec = $Job.Spec
    $world = Get-World -Job $Job
    if ($Job.Operation -notin 'disk.clone', 'disk.create', 'disk.move') { return [long]0 }
    if ($Job.Operation -eq 'disk.move') { return Get-MoveByte -World $world -Spec $spec }
    if ($spec['type'] -in 'Differencing', 'File' -or (Find-FinishedFile -World $world -Layout $spec['layout'] -Uid $spec['owner']['uid']) -ne '') { return [long]0 }
    if ($spec['diskType'] -eq 'Fixed' -and $null -ne $spec['size']) { return [long]$spec['size'] }
    if ($Job.Operation -eq 'disk.create') { return [long]0 }
    $source = Get-NamedFile -World $world -Layout $spec['layout'] -Named $spec['source'] -Field 'source'
    if ($spec['diskType'] -eq 'Fixed') { return $source.Size }
    return Get-ChainLength -World $world -Path $source.Path
}

function Get-MoveByte {
    <# .SYNOPSIS 0 where the move is a rename. #>
    param([hashtable]$World, [System.Collections.IDictionary]$Spec)
    $target = Get-VolumeOf -World $World -Path (Get-ClassPath -World $World -Layout $Spec['layout'] -Name $Spec['storageClass'])
    $detached = @(Get-Holder -World $World -Path $Spec['path']).Count -eq 0
    if ($detached -and (Get-VolumeOf -World $World -Path $Spec['path']).Root -eq $target.Root) { return [long]0 }
    return Get-ChainLength -World $World -Path $Spec['path']
}

function Get-ChainLength {
    param([hashtable]$World, [string]$Path)
    $sum = [long]0
    foreach ($part in @(Get-DiskChain -World $World -Path $Path)) { $sum += (Get-FileEntry -World $World -Path $part.Path).Length }
    return $sum
}

function Invoke-Worker {
    <#
    .SYNOPSIS Has a worker do the job, passes its lines on and answers its result. $null when Windows starts none.
    .DESCRIPTION When the session ends first the worker goes on: job.get tells how far it is, and another job of the same uid is Busy.
    #>
    param([hashtable]$Job)
    $keys = @(Get-LockKey -Request $Job.Request)
    foreach ($run in @(Get-Run)) { foreach ($key in $keys) { if (@($run['locks']) -contains $key) { Stop-Locked -Run $run -Key $key } } }
    $name = "$($Job.Id).$PID.$([DateTime]::UtcNow.Ticks)"
    $folder = Get-WorkPath -Name '' -Suffix ''
    if (-not (Test-Path -LiteralPath $folder)) { $null = New-Item -ItemType 'Directory' -Path $folder -Force }
    Remove-OldWork -Folder $folder
    Write-JsonFile -Path (Get-WorkPath -Name $name -Suffix '.json') -Value $Job.Request
    try {
        $id = Start-Worker -Name $name
        if ($id -eq 0) {
            Write-JobLog -Job $Job -Level 'warn' -Text 'Windows started no process for the copy: it is done in the session, and ends with it'
            return $null
        }
        return Wait-Worker -Job $Job -Name $name -Id $id
    }
    finally { foreach ($suffix in '.lines', '.result.json') { Remove-WorkFile -Path (Get-WorkPath -Name $name -Suffix $suffix) } }
}

function Remove-WorkFile {
    <# .SYNOPSIS A worker that still runs may have its file open: it goes with the old ones. #>
    param([string]$Path)
    try { Remove-StateFile -Path $Path } catch [System.IO.IOException] { return }
}

function Remove-OldWork {
    <# .SYNOPSIS What workers left whose sessions had ended. #>
    param([string]$Folder)
    $before = [DateTime]::UtcNow.AddDays(-2)
    foreach ($file in @(Get-ChildItem -LiteralPath $Folder -File | Where-Object -FilterScript { $_.LastWriteTimeUtc -lt $before })) { Remove-WorkFile -Path $file.FullName }
}

function Start-Worker {
    <# .SYNOPSIS The worker's process id; 0 when there is none. It is no child of this session's, so nothing that ends the session ends it. #>
    param([string]$Name)
    $program = 'powershell.exe'
    if ($PSVersionTable.PSVersion.Major -ge 6) { $program = 'pwsh.exe' }
    $parts = @(
        "`"$(Join-Path -Path $PSHOME -ChildPath $program)`"", '-NoProfile', '-NonInteractive', '-OutputFormat', 'Text', '-ExecutionPolicy', 'Bypass'
        '-File', "`"$(Join-Path -Path $script:Agent.Root -ChildPath 'agent.ps1')`"", '-State', "`"$($script:Agent.State)`"", '-Sha256', $script:Agent.Sha256, '-Work', $Name
    )
    try {
        $answer = CimCmdlets\Invoke-CimMethod -Namespace 'root\cimv2' -ClassName 'Win32_Process' -MethodName 'Create' -Arguments @{ CommandLine = $parts -join ' ' } -ErrorAction 'Stop'
        if ([int]$answer.ReturnValue -eq 0) { return [int]$answer.ProcessId }
    }
    catch { return 0 }
    return 0
}

function Wait-Worker {
    param([hashtable]$Job, [string]$Name, [int]$Id)
    $mark = Get-ProcessMark -Id $Id
    $result = Get-WorkPath -Name $Name -Suffix '.result.json'
    $told = [long]0
    while ($true) {
        # Asked before the result is looked for: one that ended wrote it before.
        $lives = $mark -ne '' -and (Test-ProcessMark -Mark $mark)
        $told = Send-WorkerLine -Name $Name -From $told
        if (Test-Path -LiteralPath $result) {
            $null = Send-WorkerLine -Name $Name -From $told
            return Read-JsonFile -Path $result
        }
        if (-not $lives) {
            return New-Result -Id $Job.Id -Status 'partial' -Code 'HyperVError' -Message "the process $Id that did the job ended without a result; what it left is found by the next try" -Data ([ordered]@{}) -Logs $Job.Logs.ToArray()
        }
        if ($null -ne $script:Agent.Shared -and $script:Agent.Shared.Ended) { Stop-Operation -Code 'Timeout' -Message "the session ended; process $Id goes on with the job" }
        [System.Threading.Thread]::Sleep(100)
    }
}

function Send-WorkerLine {
    <# .SYNOPSIS Passes on the whole lines that the worker wrote since; answers up to where. #>
    param([string]$Name, [long]$From)
    $path = Resolve-HostPath -Path (Get-WorkPath -Name $Name -Suffix '.lines')
    if (-not [System.IO.File]::Exists($path)) { return $From }
    $stream = [System.IO.File]::Open($path, [System.IO.FileMode]::Open, [System.IO.FileAccess]::Read, ([System.IO.FileShare]::ReadWrite -bor [System.IO.FileShare]::Delete))
    try {
        $bytes = New-Object -TypeName 'byte[]' -ArgumentList ($stream.Length - $From)
        $null = $stream.Seek($From, [System.IO.SeekOrigin]::Begin)
        $count = $stream.Read($bytes, 0, $bytes.Length)
    }
    finally { $stream.Dispose() }
    $end = $count
    while ($end -gt 0 -and $bytes[$end - 1] -ne 10) { $end-- }
    foreach ($line in $script:Agent.Encoding.GetString($bytes, 0, $end).Split("`n")) { if ($line -ne '') { Write-AgentLine -Line (ConvertFrom-AgentJson -Text $line) } }
    return $From + $end
}

function Start-AgentWork {
    <# .SYNOPSIS The worker's whole life: one request from a file, its result to a file. #>
    param([string]$Name)
    $script:Agent.Worker = $Name
    $path = Get-WorkPath -Name $Name -Suffix '.json'
    $text = [System.IO.File]::ReadAllText((Resolve-HostPath -Path $path), [System.Text.Encoding]::UTF8)
    $result = Invoke-AgentRequest -Text $text
    Write-JsonFile -Path (Get-WorkPath -Name $Name -Suffix '.result.json') -Value $result
    Remove-WorkFile -Path $path
}

function Write-WorkerLine {
    <# .SYNOPSIS A line for the session, if it still listens. #>
    param([System.Collections.IDictionary]$Line)
    [System.IO.File]::AppendAllText((Resolve-HostPath -Path (Get-WorkPath -Name $script:Agent.Worker -Suffix '.lines')), (ConvertTo-AgentJson -Value $Line) + "`n", $script:Agent.Encoding)
}
