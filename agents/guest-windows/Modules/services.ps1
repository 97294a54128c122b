function Set-GuestService {
    <# .SYNOPSIS Services in the declared state and start type. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Values)
    foreach ($entry in @(Get-EntryOf -Values $Values -Kind 'service' -Field 'name')) {
        $name = $Values["$entry.name"]
        # By name: listing all fails where one service cannot be asked.
        $service = @(Get-Service -Name $name -ErrorAction 'SilentlyContinue' | Where-Object { $_.Name -eq $name })
        if ($service.Count -eq 0) { Stop-Guest -Code 'ModuleFailed' -Message "there is no service $name" }
        $startup = Get-TextOf -Map $Values -Key "$entry.startup"
        # A disabled service can't be started: enabled before, disabled after.
        if ($startup -ceq 'Enabled' -and [string]$service[0].StartType -ne 'Automatic') { Set-Service -Name $name -StartupType 'Automatic' }
        Set-ServiceState -Service $service[0] -State (Get-TextOf -Map $Values -Key "$entry.state")
        if ($startup -ceq 'Disabled' -and [string]$service[0].StartType -ne 'Disabled') { Set-Service -Name $name -StartupType 'Disabled' }
    }
}

function Set-ServiceState {
    param($Service, $State)
    $status = [string]$Service.Status
    if ($State -ceq 'Running' -and $status -ne 'Running') { Start-Service -Name $Service.Name }
    if ($State -ceq 'Stopped' -and $status -ne 'Stopped') { Stop-Service -Name $Service.Name -Force }
}
