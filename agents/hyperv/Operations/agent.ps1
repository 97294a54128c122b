function Invoke-AgentHello {
    <# .SYNOPSIS agent.hello: who answers here, what runs, what is kept. #>
    param([hashtable]$Job)
    $platform = [ordered]@{ os = Get-OsText; powershell = [string]$PSVersionTable.PSVersion }
    $module = @(Get-Module -Name 'Hyper-V' -ListAvailable | Select-Object -First 1)
    if ($module.Count -gt 0) { $platform['hyperv'] = [string]$module[0].Version }
    $epochs = [ordered]@{}
    foreach ($entry in @((Get-EpochTable).GetEnumerator())) { $epochs[[string]$entry.Key] = $entry.Value }
    return [ordered]@{
        agent = 'hyperv'
        version = $script:Agent.Version
        sha256 = $script:Agent.Sha256
        pid = $PID
        platform = $platform
        sessionConcurrency = 1
        epochs = $epochs
        running = @(foreach ($run in @(Get-Run)) { Get-RunView -Run $run })
        results = @(Get-KeptList)
    }
}

function Get-OsText {
    param()
    $os = [System.Environment]::OSVersion
    return "$($os.Platform) $($os.Version)"
}

function Get-RunView {
    param([System.Collections.IDictionary]$Run)
    $view = [ordered]@{ correlation_id = $Run['correlation_id']; operation = $Run['operation']; startedAt = $Run['startedAt'] }
    $percent = Get-RunPercent -Id $Run['correlation_id']
    if ($null -ne $percent) { $view['percent'] = $percent }
    $view['locks'] = @($Run['locks'])
    return $view
}

function Get-RunPercent {
    param([string]$Id)
    $path = Get-RunPath -Id $Id -Suffix '.percent'
    if (-not (Test-Path -LiteralPath $path)) { return $null }
    $number = 0
    if ([int]::TryParse([System.IO.File]::ReadAllText((Resolve-HostPath -Path $path)), [ref]$number)) { return $number }
    return $null
}

function Get-KeptList {
    <# .SYNOPSIS The kept results in short, oldest first. #>
    param()
    $entries = foreach ($file in @(Get-ChildItem -LiteralPath (Join-Path -Path $script:Agent.State -ChildPath 'results') -Filter '*.json')) {
        $kept = Get-KeptResult -Id ($file.Name -replace '\.json\z', '')
        if ($null -eq $kept) { continue }
        $view = [ordered]@{ correlation_id = $kept['result']['correlation_id']; operation = $kept['operation']; status = $kept['result']['status'] }
        if ($null -ne $kept['result']['code']) { $view['code'] = $kept['result']['code'] }
        $view['finishedAt'] = $kept['finishedAt']
        $view
    }
    return @($entries | Sort-Object -Property @{ Expression = { $_['finishedAt'] } })
}

function Invoke-JobGet {
    <# .SYNOPSIS job.get: a running job's percent, a finished one's result, or Unknown. #>
    param([hashtable]$Job)
    $id = $Job.Spec['correlation_id']
    foreach ($run in @(Get-Run)) {
        if ($run['correlation_id'] -ne $id) { continue }
        $answer = [ordered]@{ state = 'Running' }
        $percent = Get-RunPercent -Id $id
        if ($null -ne $percent) { $answer['percent'] = $percent }
        return $answer
    }
    $kept = Get-KeptResult -Id $id
    if ($null -ne $kept) { return [ordered]@{ state = 'Finished'; result = $kept['result'] } }
    return [ordered]@{ state = 'Unknown' }
}

function Invoke-JobCancel {
    <# .SYNOPSIS job.cancel: marks a running job, which ends before its next effect. #>
    param([hashtable]$Job)
    $id = $Job.Spec['correlation_id']
    $state = (Invoke-JobGet -Job $Job)['state']
    if ($state -ne 'Running') { return [ordered]@{ state = $state } }
    [System.IO.File]::WriteAllText((Resolve-HostPath -Path (Get-RunPath -Id $id -Suffix '.cancel')), 'cancel')
    return [ordered]@{ state = 'Cancelling' }
}
