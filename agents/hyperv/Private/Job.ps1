function New-AgentJob {
    <# .SYNOPSIS One running job: the request's parts, what it touched, its log. #>
    param([System.Collections.IDictionary]$Request)
    $metadata = $Request['metadata']
    return @{
        Request = $Request
        Id = $Request['correlation_id']
        Operation = $Request['operation']
        Spec = $Request['resource_spec']
        Metadata = $metadata
        ControlPlane = $metadata['control_plane']
        DryRun = [bool]$metadata['dry_run']
        Until = [DateTime]::UtcNow.AddSeconds([double]$metadata['deadline_seconds'])
        Effects = 0
        World = $null
        Vms = New-Object -TypeName 'System.Collections.ArrayList'
        Disks = New-Object -TypeName 'System.Collections.ArrayList'
        Trash = New-Object -TypeName 'System.Collections.ArrayList'
        Logs = New-Object -TypeName 'System.Collections.ArrayList'
    }
}

function Add-Touched {
    <# .SYNOPSIS Notes what the job looks at or changes: its fresh state goes into `observed`. #>
    param([hashtable]$Job, [string]$Vm = '', [string[]]$Disk = @(), [string]$Trash = '', [switch]$WithDisks)
    if ($Vm -ne '' -and $Job.Vms -notcontains $Vm) { $null = $Job.Vms.Add($Vm) }
    foreach ($path in $Disk) { if ($Job.Disks -notcontains $path) { $null = $Job.Disks.Add($path) } }
    if ($Trash -ne '' -and $Job.Trash -notcontains $Trash) { $null = $Job.Trash.Add($Trash) }
    if ($WithDisks) {
        foreach ($path in @(Get-VmDiskPath -World (Get-World -Job $Job) -Id $Vm)) { if ($Job.Disks -notcontains $path) { $null = $Job.Disks.Add($path) } }
    }
}

function Write-JobLog {
    <# .SYNOPSIS A log line of the job; debug lines only where the request asks for them. #>
    param([hashtable]$Job, [string]$Level, [string]$Text)
    if ($Level -eq 'debug' -and -not $Job.Metadata['debug']) { return }
    if ($Text.Length -gt 8000) { $Text = $Text.Substring(0, 8000) }
    $line = [ordered]@{ time = Get-AgentTime; level = $Level; text = $Text }
    $null = $Job.Logs.Add($line)
    Write-AgentLine -Line ([ordered]@{ type = 'log'; correlation_id = $Job.Id; log = $line })
}

function Write-JobProgress {
    <# .SYNOPSIS How far the job is, also for other processes of the agent. #>
    param([hashtable]$Job, [int]$Percent, [string]$Text)
    if ($Job.DryRun) { return }
    $line = [ordered]@{ type = 'progress'; correlation_id = $Job.Id; percent = $Percent; text = $Text }
    Write-AgentLine -Line $line
    [System.IO.File]::WriteAllText((Resolve-HostPath -Path (Get-RunPath -Id $Job.Id -Suffix '.percent')), [string]$Percent)
}

function Assert-JobAlive {
    <# .SYNOPSIS Ends the job with Timeout when its deadline is over or it was cancelled. #>
    param([hashtable]$Job)
    if ([DateTime]::UtcNow -gt $Job.Until) { Stop-Operation -Code 'Timeout' -Message "not done within $($Job.Metadata['deadline_seconds']) s" }
    if (-not $Job.DryRun -and (Test-Path -LiteralPath (Get-RunPath -Id $Job.Id -Suffix '.cancel'))) {
        Stop-Operation -Code 'Timeout' -Message 'the job was cancelled on request'
    }
}

function Wait-AgentJob {
    <# .SYNOPSIS Lets some time pass. #>
    param([hashtable]$Job, [int]$Milliseconds)
    Assert-JobAlive -Job $Job
    [System.Threading.Thread]::Sleep($Milliseconds)
}

function Invoke-Effect {
    <#
    .SYNOPSIS One change of the host: the fence is checked right before, and the world is read anew after. A dry run leaves it out.
    .DESCRIPTION A crash may follow any effect: operations are repeatable from the state that any prefix of their effects leaves.
    The block sees the caller's variables; what it answers is passed on.
    #>
    param([hashtable]$Job, [string]$Point, [scriptblock]$Action)
    Assert-JobAlive -Job $Job
    if ($Job.DryRun) { return }
    $null = Assert-Epoch -Metadata $Job.Metadata
    $Job.World = $null
    $answer = & $Action
    $Job.Effects += 1
    $Job.World = $null
    Complete-Effect -Job $Job -Point $Point
    return $answer
}

function Complete-Effect {
    <# .SYNOPSIS Called after each effect. #>
    param([hashtable]$Job, [string]$Point)
    Write-JobLog -Job $Job -Level 'debug' -Text "done: $Point"
}

function Enter-Operation {
    <# .SYNOPSIS Called before an operation begins. #>
    param([hashtable]$Job)
    Write-JobLog -Job $Job -Level 'debug' -Text "begins: $($Job.Operation)"
}
