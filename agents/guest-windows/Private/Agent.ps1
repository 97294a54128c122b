# One look at the configuration, and the loop around it.
$script:PollSeconds = 5
$script:FirstRetrySeconds = 60
$script:LongestRetrySeconds = 900

function New-Agent {
    <# .SYNOPSIS The agent's memory: where things are, the key once it is known, the last try. #>
    param([string]$Root, [string]$StateFolder, [string]$Shell)
    $version = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText((Resolve-HostPath -Path (Join-Path -Path $Root -ChildPath 'version.json'))))
    return @{ State = $StateFolder; Shell = $Shell; Version = [string]$version.version; VmId = ''; Key = $null; Spki = ''; Fingerprint = ''; LastTry = $null; Report = $null }
}

function Invoke-AgentPass {
    <# .SYNOPSIS Looks once, and does what there is to do: Unready, Nothing, Unchanged, Later, Refused, Applied, Rebooting or Failed. #>
    param([hashtable]$Agent)
    if (-not (Test-SetupComplete)) { return 'Unready' }
    $id = Get-VmId
    if ($id -eq '') { return 'Unready' }
    Initialize-Identity -Agent $Agent -VmId $id
    $items = Get-KvpItem -Pool 'External'
    $found = Find-Configuration -Items $items
    $name = if ($null -eq $found) { '' } else { "$($found.Generation) $($found.Hash) $(Get-TextOf -Map $items -Key 'aetherv.signer')" }
    if (-not (Test-TryDue -Agent $Agent -Name $name)) {
        # Somebody may have emptied the registry key.
        if ($null -ne $Agent.Report) { Set-KvpItem -Items $Agent.Report }
        return 'Later'
    }
    $opened = Open-Configuration -Items $items -Guest (Get-GuestMemory -Agent $Agent)
    $said = Invoke-Verdict -Agent $Agent -Opened $opened
    Set-NextTry -Agent $Agent -Name $name -Said $said
    return $said
}

function Invoke-Verdict {
    param([hashtable]$Agent, [hashtable]$Opened)
    switch ($Opened.Verdict) {
        'Nothing' { Send-KeptReport -Agent $Agent; return 'Nothing' }
        'Unchanged' {
            # Left by a run that was killed when all was done.
            Remove-State -Agent $Agent -Name 'progress'
            Send-Report -Agent $Agent -Keep -Report (New-Report -State 'Applied' -Generation $Opened.Generation -Hash $Opened.Hash)
            return 'Unchanged'
        }
        'Accepted' {
            # Pinned and counted before anything is changed.
            Write-State -Agent $Agent -Name 'signer' -Text "$($Opened.Signer.Fingerprint) $($Opened.Signer.Text)"
            Write-State -Agent $Agent -Name 'highest' -Text ([string]$Opened.Generation)
            return Install-Configuration -Agent $Agent -Opened $Opened
        }
        default {
            $text = Format-GuestError -Code $Opened.Verdict -Message $Opened.Message
            Send-Report -Agent $Agent -Report (New-Report -State 'Failed' -Generation $Opened.Generation -Hash $Opened.Hash -Step 'open' -Message $text)
            return 'Refused'
        }
    }
}

function Test-TryDue {
    <# .SYNOPSIS Whether what is there has to be looked at: new, or its waiting time is over. #>
    param([hashtable]$Agent, [AllowEmptyString()][string]$Name)
    if ($null -eq $Agent.LastTry -or $Agent.LastTry.Name -cne $Name) { return $true }
    return [datetime]::UtcNow -ge $Agent.LastTry.Next
}

function Set-NextTry {
    <# .SYNOPSIS Failed is tried again after a minute, doubling to a quarter of an hour, a restart that did not come likewise; all else waits for something new. #>
    param([hashtable]$Agent, [AllowEmptyString()][string]$Name, [string]$Said)
    $wait = 0
    if ($Said -eq 'Failed') {
        $wait = $script:FirstRetrySeconds
        $last = $Agent.LastTry
        if ($null -ne $last -and $last.Name -ceq $Name -and $last.Wait -gt 0) { $wait = [System.Math]::Min(2 * $last.Wait, $script:LongestRetrySeconds) }
    }
    if ($Said -eq 'Rebooting') { $wait = $script:LongestRetrySeconds }
    $next = if ($wait -gt 0) { [datetime]::UtcNow.AddSeconds($wait) } else { [datetime]::MaxValue }
    $Agent.LastTry = @{ Name = $Name; Wait = $wait; Next = $next }
}

function Write-Breakdown {
    <# .SYNOPSIS Where a look broke, for whoever looks into the state folder: no message, it might quote a value. #>
    param([hashtable]$Agent, $Record)
    $where = "$([datetime]::UtcNow.ToString('o')) $($Record.Exception.GetType().FullName) $($Record.InvocationInfo.ScriptName):$($Record.InvocationInfo.ScriptLineNumber)"
    try { Write-State -Agent $Agent -Name 'breakdown' -Text $where } catch { $where = '' }
}

function Start-AgentLoop {
    <# .SYNOPSIS Looks for ever. What breaks a look (a service of Windows not up yet) is looked at again. #>
    param([hashtable]$Agent)
    while ($true) {
        try { $null = Invoke-AgentPass -Agent $Agent }
        catch { Write-Breakdown -Agent $Agent -Record $_ }
        Start-Sleep -Seconds $script:PollSeconds
    }
}
