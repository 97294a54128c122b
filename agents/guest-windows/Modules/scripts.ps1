# What runs in the child: the script's text comes over STDIN, so that it is in no file and on no command line.
# Its length comes first: of a text that was cut, because the agent was killed while it wrote, nothing runs.
$script:ScriptHost = '$r = New-Object -TypeName IO.StreamReader -ArgumentList ([Console]::OpenStandardInput()), ([Text.Encoding]::UTF8); $n = $r.ReadLine(); $t = $r.ReadToEnd(); if ([string]$t.Length -cne $n) { exit 125 }; $global:LASTEXITCODE = 0; & ([scriptblock]::Create($t.TrimStart([char]65279))); exit $LASTEXITCODE'

function Invoke-GuestScript {
    <# .SYNOPSIS Runs what is due: Once (until it ended with 0), OnChange (its text differs from that of its last good end), Always (once a generation). #>
    param([hashtable]$Agent, [System.Collections.Generic.Dictionary[string, string]]$Values)
    Stop-LeftScript -Agent $Agent
    foreach ($entry in @(Get-EntryOf -Values $Values -Kind 'script' -Field 'name')) {
        $name = $Values["$entry.name"]
        if ($Values["$entry.interpreter"] -cne 'powershell') { Stop-Guest -Code 'NotSupported' -Message "script $($name): Windows runs powershell, not $($Values["$entry.interpreter"])" }
        $mark = switch ($Values["$entry.run"]) {
            'Once' { 'done' }
            'OnChange' { Get-Sha256Text -Text $Values["$entry.content"] }
            'Always' { "generation $($Values['generation'])" }
            default { Stop-Guest -Code 'NotSupported' -Message "script $($name): run $_" }
        }
        $done = Read-ScriptMark -Agent $Agent -Name $name -Run $Values["$entry.run"]
        if ($done -ceq $mark) { continue }
        Start-GuestScript -Agent $Agent -Name $name -Text $Values["$entry.content"] -Seconds ([int]$Values["$entry.timeoutSeconds"])
        Write-State -Agent $Agent -Name (Get-ScriptMarkName -Name $name -Run $Values["$entry.run"]) -Text $mark
    }
}

function Get-ScriptMarkName {
    <# .SYNOPSIS A file name for any script name. #>
    param([string]$Name, [string]$Run)
    return "script-$Run-$(Get-Sha256Text -Text $Name)"
}

function Read-ScriptMark {
    param([hashtable]$Agent, [string]$Name, [string]$Run)
    return Read-State -Agent $Agent -Name (Get-ScriptMarkName -Name $Name -Run $Run)
}

function Stop-LeftScript {
    <# .SYNOPSIS Ends the script that runs on although the agent which started it was killed: it is about to run again. #>
    param([hashtable]$Agent)
    $kept = (Read-State -Agent $Agent -Name 'running').Split(' ')
    if ($kept.Count -ne 2) { return }
    # Another process has that id when the script is gone: told apart by the time of its start.
    $left = @([System.Diagnostics.Process]::GetProcesses() | Where-Object { $_.Id -eq [int]$kept[0] -and (Test-StartedAt -Process $_ -Ticks $kept[1]) })
    if ($left.Count -gt 0) {
        $null = taskkill.exe '/T' '/F' '/PID' $left[0].Id
        if (-not $left[0].WaitForExit(10000)) { Stop-Guest -Code 'ModuleFailed' -Message "process $($left[0].Id), a script of a run that was cut, does not end" }
    }
    Remove-State -Agent $Agent -Name 'running'
}

function Test-StartedAt {
    param([System.Diagnostics.Process]$Process, [string]$Ticks)
    # Some processes tell nobody when they started: none of ours.
    try { return [System.Math]::Abs($Process.StartTime.ToUniversalTime().Ticks - [long]$Ticks) -lt 10000000 } catch { return $false }
}

function Start-GuestScript {
    <# .SYNOPSIS Runs a script to its end: ScriptFailed for a code other than 0, Timeout when it and its children had to be ended. Output is dropped: it may hold secrets. #>
    param([hashtable]$Agent, [string]$Name, [string]$Text, [int]$Seconds)
    $start = New-Object -TypeName 'System.Diagnostics.ProcessStartInfo' -ArgumentList $Agent.Shell, "-NoProfile -NonInteractive -ExecutionPolicy Bypass -Command `"$script:ScriptHost`""
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $start.RedirectStandardInput = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $process = [System.Diagnostics.Process]::Start($start)
    try {
        $null = $process.StandardOutput.BaseStream.CopyToAsync([System.IO.Stream]::Null)
        $null = $process.StandardError.BaseStream.CopyToAsync([System.IO.Stream]::Null)
        # Before it gets its text: what is not kept here has nothing to run.
        Write-State -Agent $Agent -Name 'running' -Text "$($process.Id) $($process.StartTime.ToUniversalTime().Ticks)"
        $bytes = [System.Text.Encoding]::UTF8.GetBytes("$($Text.Length)`n$Text")
        $limit = [datetime]::UtcNow.AddSeconds($Seconds)
        # A script that ends early does not read the rest: no fault of ours.
        try {
            $null = $process.StandardInput.BaseStream.WriteAsync($bytes, 0, $bytes.Length).Wait($Seconds * 1000)
            $process.StandardInput.Close()
        }
        catch { $bytes = $null }
        $left = [System.Math]::Max(0, [int]($limit - [datetime]::UtcNow).TotalMilliseconds)
        if (-not $process.WaitForExit($left)) {
            $null = taskkill.exe '/T' '/F' '/PID' $process.Id
            Remove-State -Agent $Agent -Name 'running'
            Stop-Guest -Code 'Timeout' -Message "script $Name was ended after $Seconds seconds"
        }
        Remove-State -Agent $Agent -Name 'running'
        if ($process.ExitCode -ne 0) { Stop-Guest -Code 'ScriptFailed' -Message "script $Name ended with $($process.ExitCode)" }
    }
    finally { $process.Dispose() }
}
