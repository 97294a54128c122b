# What runs in the child: the script's text comes over STDIN, so that it is in no file and on no command line.
$script:ScriptHost = '$r = New-Object -TypeName IO.StreamReader -ArgumentList ([Console]::OpenStandardInput()), ([Text.Encoding]::UTF8); $t = $r.ReadToEnd(); $global:LASTEXITCODE = 0; & ([scriptblock]::Create($t)); exit $LASTEXITCODE'

function Invoke-GuestScript {
    <# .SYNOPSIS Runs what is due: Once (until it ended with 0), OnChange (its text differs from that of its last good end), Always (once a generation). #>
    param([hashtable]$Agent, [System.Collections.Generic.Dictionary[string, string]]$Values)
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
        Start-GuestScript -Shell $Agent.Shell -Name $name -Text $Values["$entry.content"] -Seconds ([int]$Values["$entry.timeoutSeconds"])
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

function Start-GuestScript {
    <# .SYNOPSIS Runs a script to its end: ScriptFailed for a code other than 0, Timeout when it and its children had to be ended. Output is dropped: it may hold secrets. #>
    param([string]$Shell, [string]$Name, [string]$Text, [int]$Seconds)
    $start = New-Object -TypeName 'System.Diagnostics.ProcessStartInfo' -ArgumentList $Shell, "-NoProfile -NonInteractive -ExecutionPolicy Bypass -Command `"$script:ScriptHost`""
    $start.UseShellExecute = $false
    $start.CreateNoWindow = $true
    $start.RedirectStandardInput = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $process = [System.Diagnostics.Process]::Start($start)
    try {
        $null = $process.StandardOutput.BaseStream.CopyToAsync([System.IO.Stream]::Null)
        $null = $process.StandardError.BaseStream.CopyToAsync([System.IO.Stream]::Null)
        $bytes = [System.Text.Encoding]::UTF8.GetBytes($Text)
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
            Stop-Guest -Code 'Timeout' -Message "script $Name was ended after $Seconds seconds"
        }
        if ($process.ExitCode -ne 0) { Stop-Guest -Code 'ScriptFailed' -Message "script $Name ended with $($process.ExitCode)" }
    }
    finally { $process.Dispose() }
}
