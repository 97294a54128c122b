# Services, and scheduled tasks as far as the install script makes one.

function Get-Service {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name)
    $found = @((Get-Machine).services | Where-Object { $_.name -like $Name })
    if ($found.Count -eq 0) { Write-Error -Message "Cannot find any service with service name '$Name'." -ErrorId 'NoServiceFoundForGivenName' -Category 'ObjectNotFound' }
    foreach ($one in $found) { [pscustomobject]@{ Name = $one.name; Status = $one.status; StartType = $one.startType } }
}

function Edit-Service {
    param([string]$Call, [string]$Name, [scriptblock]$Change)
    Add-Call -Name $Call -At 'before'
    $machine = Get-Machine
    $found = @($machine.services | Where-Object { $_.name -eq $Name })
    if ($found.Count -eq 0) { Stop-Cmdlet -Id 'NoServiceFoundForGivenName' -Category 'ObjectNotFound' -Message "Cannot find any service with service name '$Name'." }
    & $Change $found[0]
    Save-Machine -Machine $machine
    Add-Call -Name $Call -At 'after'
}

function Set-Service {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name, [ValidateSet('Automatic', 'Manual', 'Disabled')][string]$StartupType)
    Edit-Service -Call 'Set-Service' -Name $Name -Change { param($Service) $Service.startType = $StartupType }
}

function Start-Service {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name)
    Edit-Service -Call 'Start-Service' -Name $Name -Change {
        param($Service)
        if ($Service.startType -eq 'Disabled') { Stop-Cmdlet -Id 'CouldNotStartService' -Category 'OpenError' -Message "Service '$Name' cannot be started." }
        $Service.status = 'Running'
    }
}

function Stop-Service {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Name, [switch]$Force)
    Edit-Service -Call 'Stop-Service' -Name $Name -Change { param($Service) $Service.status = 'Stopped' }
}

function New-ScheduledTaskAction {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$Execute, [string]$Argument)
    return [pscustomobject]@{ execute = $Execute; argument = $Argument }
}

function New-ScheduledTaskTrigger {
    [CmdletBinding()]
    param([switch]$AtStartup)
    return [pscustomobject]@{ atStartup = [bool]$AtStartup }
}

function New-ScheduledTaskPrincipal {
    [CmdletBinding()]
    param([string]$UserId, [ValidateSet('ServiceAccount')][string]$LogonType, [ValidateSet('Highest', 'Limited')][string]$RunLevel)
    return [pscustomobject]@{ userId = $UserId; runLevel = $RunLevel }
}

function New-ScheduledTaskSettingsSet {
    [CmdletBinding()]
    param([timespan]$ExecutionTimeLimit, [int]$RestartCount, [timespan]$RestartInterval, [switch]$StartWhenAvailable, [switch]$AllowStartIfOnBatteries, [switch]$DontStopIfGoingOnBatteries)
    return [pscustomobject]@{ limit = $ExecutionTimeLimit.TotalSeconds; restartCount = $RestartCount }
}

function Register-ScheduledTask {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$TaskName, $Action, $Trigger, $Principal, $Settings, [string]$Description, [switch]$Force)
    Add-Call -Name 'Register-ScheduledTask' -At 'before'
    $machine = Get-Machine
    $machine.tasks = @($machine.tasks | Where-Object { $_.name -ne $TaskName }) + [pscustomobject]@{ name = $TaskName; action = $Action; trigger = $Trigger; principal = $Principal; settings = $Settings; started = 0 }
    Save-Machine -Machine $machine
}

function Start-ScheduledTask {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)][string]$TaskName)
    $machine = Get-Machine
    $task = @($machine.tasks | Where-Object { $_.name -eq $TaskName })[0]
    $task.started = $task.started + 1
    Save-Machine -Machine $machine
}
