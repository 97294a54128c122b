$script:NoId = '0' * 26
$script:NilGuid = '00000000-0000-0000-0000-000000000000'
# Operations whose data holds no observed state of what was touched.
$script:SilentOperations = @('agent.hello', 'job.get', 'job.cancel', 'host.info', 'host.inventory', 'host.validate')

function New-Result {
    param([string]$Id, [string]$Status, [string]$Code = '', [string]$Message, $Data, [object[]]$Logs = @())
    $result = [ordered]@{ status = $Status }
    if ($Code -ne '') { $result['code'] = $Code }
    $result['message'] = $Message
    $result['data'] = $Data
    $result['logs'] = $Logs
    $result['correlation_id'] = $Id
    return $result
}

function Invoke-AgentRequest {
    <# .SYNOPSIS The result of one request's text. Never throws. #>
    param([string]$Text)
    $id = $script:NoId
    try {
        $request = $null
        try { $request = ConvertFrom-AgentJson -Text ($Text.TrimStart([char]0xFEFF)) }
        catch { Stop-Operation -Code 'InvalidRequest' -Message "the request is no JSON: $($_.Exception.Message)" }
        if ($request -is [System.Collections.IDictionary] -and $request['correlation_id'] -is [string] -and $request['correlation_id'] -cmatch '\A[0-9A-HJKMNP-TV-Z]{26}\z') {
            $id = $request['correlation_id']
        }
        Assert-Request -Request $request
        $kept = Get-KeptResult -Id $id
        if ($null -ne $kept) { return $kept['result'] }
        return Invoke-ValidRequest -Request $request
    }
    catch {
        $code = Resolve-ErrorCode -Record $_
        return New-Result -Id $id -Status 'error' -Code $code -Message (Get-ErrorText -Record $_ -Code $code) -Data ([ordered]@{})
    }
}

function Invoke-ValidRequest {
    <# .SYNOPSIS Locks, carries out, keeps the result. #>
    param([System.Collections.IDictionary]$Request)
    $job = New-AgentJob -Request $Request
    $changes = $script:Agent.Schema['x-operations'][$Request['operation']][2] -eq 'change' -and -not $job.DryRun
    if ($Request['resource_spec']['layout'] -is [System.Collections.IDictionary] -and -not $job.DryRun) { Save-Layout -ControlPlane $job.ControlPlane -Layout $Request['resource_spec']['layout'] }
    if (-not $changes) { return Invoke-Job -Job $job }
    if (Test-LongWork -Job $job) {
        $answer = Invoke-Worker -Job $job
        if ($null -ne $answer) { return $answer }
    }
    $held = Enter-Job -Request $Request
    $result = $null
    try { $result = Invoke-Job -Job $job }
    finally {
        if ($null -eq $result) { $result = New-Result -Id $job.Id -Status 'error' -Code 'InternalError' -Message 'the job ended without a result' -Data ([ordered]@{}) }
        Exit-Job -Request $Request -Result $result -Held $held
    }
    return $result
}

function Invoke-Job {
    <# .SYNOPSIS Carries the operation out; its errors become the result. #>
    param([hashtable]$Job)
    try {
        Enter-Operation -Job $Job
        $known = Get-Command -Name (Get-OperationCommand -Operation $Job.Operation) -CommandType 'Function'
        $answer = & $known -Job $Job
        $data = [ordered]@{}
        if ($null -ne $answer) { foreach ($key in $answer.Keys) { $data[$key] = $answer[$key] } }
        $message = 'done'
        if ($Job.DryRun) { $message = 'it would work; nothing was changed' }
        if ($Job.Operation -notin $script:SilentOperations) {
            $data['observed'] = [ordered]@{}
            if (-not $Job.DryRun) { $data['observed'] = Get-Observed -Job $Job }
        }
        return New-Result -Id $Job.Id -Status 'success' -Message $message -Data $data -Logs $Job.Logs.ToArray()
    }
    catch { return Get-FailedResult -Job $Job -Record $_ }
}

function Get-FailedResult {
    <# .SYNOPSIS `partial` where something was changed already; with what can be seen now. #>
    param([hashtable]$Job, [System.Management.Automation.ErrorRecord]$Record)
    $code = Resolve-ErrorCode -Record $Record
    $text = Get-ErrorText -Record $Record -Code $code
    if ($code -in 'HyperVError', 'InternalError') {
        Write-JobLog -Job $Job -Level 'error' -Text "$($Record.FullyQualifiedErrorId) [$($Record.CategoryInfo.Category)]: $($Record.Exception.Message) $($Record.ScriptStackTrace)"
    }
    $status = 'error'
    if ($Job.Effects -gt 0) { $status = 'partial' }
    $data = [ordered]@{}
    if (-not $Job.DryRun -and $Job.Operation -notin $script:SilentOperations) {
        $Job.World = $null
        try { $data['observed'] = Get-Observed -Job $Job }
        catch { Write-JobLog -Job $Job -Level 'warn' -Text "what was touched could not be read: $($_.Exception.Message)" }
    }
    return New-Result -Id $Job.Id -Status $status -Code $code -Message $text -Data $data -Logs $Job.Logs.ToArray()
}

function Get-OperationCommand {
    <# .SYNOPSIS The function of an operation: vm.create is Invoke-VmCreate. #>
    param([string]$Operation)
    $parts = $Operation.Split('.')
    $names = $parts | ForEach-Object -Process { $_.Substring(0, 1).ToUpperInvariant() + $_.Substring(1) }
    return 'Invoke-' + ($names -join '')
}
