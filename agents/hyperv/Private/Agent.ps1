# What one process of the agent knows: set once at start.
$script:Agent = $null

function Initialize-Agent {
    <# .SYNOPSIS Sets paths, version and the writers of STDOUT and STDERR. #>
    param([string]$Root, [string]$StateFolder, [string]$Sha256)
    if ($StateFolder -eq '') {
        $StateFolder = Join-Path -Path (Split-Path -Path (Split-Path -Path $Root -Parent) -Parent) -ChildPath 'state'
    }
    if ($Sha256 -eq '') {
        $leaf = Split-Path -Path $Root -Leaf
        $Sha256 = '0' * 64
        if ($leaf -cmatch '^[0-9a-f]{64}$') { $Sha256 = $leaf }
    }
    $utf8 = New-Object -TypeName 'System.Text.UTF8Encoding' -ArgumentList $false
    $out = New-Object -TypeName 'System.IO.StreamWriter' -ArgumentList ([Console]::OpenStandardOutput()), $utf8
    $out.AutoFlush = $true
    $out.NewLine = "`n"
    $err = New-Object -TypeName 'System.IO.StreamWriter' -ArgumentList ([Console]::OpenStandardError()), $utf8
    $err.AutoFlush = $true
    $err.NewLine = "`n"
    $versionFile = Join-Path -Path $Root -ChildPath 'version.json'
    $version = '0.0.0'
    if (Test-Path -LiteralPath $versionFile) { $version = [string](Read-JsonFile -Path $versionFile)['version'] }
    $script:Agent = @{
        Root = $Root
        State = $StateFolder
        Sha256 = $Sha256
        Version = $version
        Encoding = $utf8
        Out = [System.IO.TextWriter]::Synchronized($out)
        Err = [System.IO.TextWriter]::Synchronized($err)
        Session = $false
        Shared = $null
        Worker = ''
        Operations = @{}
        Headers = $null
        Schema = $null
    }
    foreach ($name in @('', 'runs', 'results', 'inventory')) {
        $path = $StateFolder
        if ($name -ne '') { $path = Join-Path -Path $StateFolder -ChildPath $name }
        if (-not (Test-Path -LiteralPath $path)) { $null = New-Item -ItemType 'Directory' -Path $path -Force }
    }
}

function Get-AgentTime {
    <# .SYNOPSIS The time now as RFC 3339, UTC, milliseconds. #>
    param([DateTime]$At = [DateTime]::UtcNow)
    return $At.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", [Globalization.CultureInfo]::InvariantCulture)
}

function Write-AgentLine {
    <# .SYNOPSIS One JSON line to STDOUT (session) or, for log lines of a one-shot, STDERR. #>
    param([System.Collections.IDictionary]$Line)
    if ($script:Agent.Worker -ne '') { Write-WorkerLine -Line $Line }
    elseif ($script:Agent.Session) {
        $script:Agent.Out.WriteLine((ConvertTo-AgentJson -Value $Line))
    }
    elseif ($Line['type'] -eq 'log') {
        $script:Agent.Err.WriteLine((ConvertTo-AgentJson -Value $Line['log']))
    }
}

function Start-AgentOnce {
    <# .SYNOPSIS Serves the one request on STDIN. #>
    param()
    $reader = New-Object -TypeName 'System.IO.StreamReader' -ArgumentList ([Console]::OpenStandardInput()), $script:Agent.Encoding
    $result = Invoke-AgentRequest -Text $reader.ReadToEnd()
    $script:Agent.Out.WriteLine((ConvertTo-AgentJson -Value $result))
}

function Start-AgentSession {
    <#
    .SYNOPSIS Serves requests until STDIN ends.
    .DESCRIPTION A second runspace reads STDIN and writes heartbeats, so that both go on while a cmdlet works.
    #>
    param()
    $script:Agent.Session = $true
    $shared = [hashtable]::Synchronized(@{ Ended = $false; Out = $script:Agent.Out })
    $script:Agent.Shared = $shared
    $queue = New-Object -TypeName 'System.Collections.Concurrent.BlockingCollection[string]'
    $reader = New-Object -TypeName 'System.IO.StreamReader' -ArgumentList ([Console]::OpenStandardInput()), $script:Agent.Encoding
    $reading = Start-Background -Action $script:ReadLines -Arguments @($reader, $queue, $shared)
    $beating = Start-Background -Action $script:WriteHeartbeats -Arguments @($shared)
    $line = ''
    while ($queue.TryTake([ref]$line, -1)) {
        if ($line.Trim() -eq '') { continue }
        $result = Invoke-AgentRequest -Text $line
        Write-AgentLine -Line ([ordered]@{ type = 'result'; result = $result })
        if ($shared.Ended) { break }
    }
    $shared.Ended = $true
    # The reader may still wait inside ReadLine: nothing waits for it.
    $null = $beating, $reading
}

function Start-Background {
    <# .SYNOPSIS Runs a script block in a runspace of its own. #>
    param([scriptblock]$Action, [object[]]$Arguments)
    $runspace = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace([System.Management.Automation.Runspaces.InitialSessionState]::CreateDefault2())
    $runspace.Open()
    $shell = [PowerShell]::Create()
    $shell.Runspace = $runspace
    $null = $shell.AddScript($Action.ToString())
    foreach ($argument in $Arguments) { $null = $shell.AddArgument($argument) }
    $null = $shell.BeginInvoke()
    return $shell
}

$script:ReadLines = {
    param($Reader, $Queue, $Shared)
    try {
        while ($true) {
            $text = $Reader.ReadLine()
            if ($null -eq $text) { break }
            $Queue.Add($text)
        }
    }
    finally {
        $Shared.Ended = $true
        $Queue.CompleteAdding()
    }
}

$script:WriteHeartbeats = {
    param($Shared)
    $next = [DateTime]::UtcNow
    while (-not $Shared.Ended) {
        if ([DateTime]::UtcNow -ge $next) {
            $next = [DateTime]::UtcNow.AddSeconds(5)
            $time = [DateTime]::UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", [Globalization.CultureInfo]::InvariantCulture)
            $process = [System.Diagnostics.Process]::GetCurrentProcess()
            $memory = $process.WorkingSet64
            $process.Dispose()
            $Shared.Out.WriteLine('{"type":"heartbeat","time":"' + $time + '","memory":' + $memory + '}')
        }
        [System.Threading.Thread]::Sleep(200)
    }
}
