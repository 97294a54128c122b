# The modules in their order, one after the other, from the one that was at work.
$script:ModuleOrder = 'network', 'time', 'hostname', 'domain', 'accounts', 'automation', 'disks', 'files', 'services', 'scripts'
$script:MostRestarts = 4

function Invoke-GuestModule {
    <# .SYNOPSIS Runs one module; writes 'Restart' when Windows has to restart before the next. #>
    param([hashtable]$Agent, [string]$Name, [System.Collections.Generic.Dictionary[string, string]]$Values)
    switch ($Name) {
        'network' { return Set-GuestNetwork -Agent $Agent -Values $Values }
        'time' { return Set-GuestTime -Values $Values }
        'hostname' { return Set-GuestName -Values $Values }
        'domain' { return Join-GuestDomain -Agent $Agent -Values $Values }
        'accounts' { return Set-GuestAccount -Values $Values }
        'automation' { return Set-GuestAutomation -Values $Values }
        'disks' { return Expand-GuestDisk -Agent $Agent -Values $Values }
        'files' { return Set-GuestFile -Values $Values }
        'services' { return Set-GuestService -Values $Values }
        'scripts' { return Invoke-GuestScript -Agent $Agent -Values $Values }
        default { Stop-Guest -Code 'NotSupported' -Message "there is no module $Name" }
    }
}

function Install-Configuration {
    <# .SYNOPSIS Applies an opened configuration. Answers Applied, Rebooting or Failed, as reported. #>
    param([hashtable]$Agent, [hashtable]$Opened)
    $values = $Opened.Values
    $progress = Read-Progress -Agent $Agent -Generation $Opened.Generation -Hash $Opened.Hash
    $first = [System.Math]::Max(0, [System.Array]::IndexOf([string[]]$script:ModuleOrder, $progress.Module))
    for ($at = $first; $at -lt $script:ModuleOrder.Count; $at++) {
        $progress.Module = $script:ModuleOrder[$at]
        Save-Progress -Agent $Agent -Progress $progress
        Send-Report -Agent $Agent -Keep -Report (New-Report -State 'Applying' -Generation $Opened.Generation -Hash $Opened.Hash -Step $progress.Module)
        try {
            $said = Invoke-GuestModule -Agent $Agent -Name $progress.Module -Values $values
            if ($said -eq 'Restart' -and $progress.Restarts -ge $script:MostRestarts) { Stop-Guest -Code 'ModuleFailed' -Message "Windows restarted $($progress.Restarts) times and the change is still pending" }
        }
        catch {
            Send-Failure -Agent $Agent -Opened $Opened -Step $progress.Module -Record $_
            return 'Failed'
        }
        if ($said -eq 'Restart') { return Restart-Guest -Agent $Agent -Progress $progress }
    }
    Write-State -Agent $Agent -Name 'applied' -Text "$($Opened.Generation) $($Opened.Hash)"
    Remove-State -Agent $Agent -Name 'progress'
    Send-Report -Agent $Agent -Keep -Report (New-Report -State 'Applied' -Generation $Opened.Generation -Hash $Opened.Hash)
    return 'Applied'
}

function Send-Failure {
    param([hashtable]$Agent, [hashtable]$Opened, [string]$Step, $Record)
    $code = Get-GuestErrorCode -Record $Record
    if ($null -eq $code) { $code = 'ModuleFailed' }
    $text = Format-GuestError -Code $code -Message $Record.Exception.Message -Secret @(Get-SecretText -Values $Opened.Values)
    Send-Report -Agent $Agent -Keep -Report (New-Report -State 'Failed' -Generation $Opened.Generation -Hash $Opened.Hash -Step $Step -Message $text)
}

function Restart-Guest {
    <# .SYNOPSIS Reports, counts and restarts Windows; the ciphertext stays in KVP and is opened again by the next start. #>
    param([hashtable]$Agent, [hashtable]$Progress)
    $Progress.Restarts++
    Save-Progress -Agent $Agent -Progress $Progress
    Send-Report -Agent $Agent -Keep -Report (New-Report -State 'Rebooting' -Generation $Progress.Generation -Hash $Progress.Hash -Step $Progress.Module)
    Restart-Computer -Force
    return 'Rebooting'
}
