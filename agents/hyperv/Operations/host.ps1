function Invoke-HostInfo {
    <# .SYNOPSIS host.info #>
    param([hashtable]$Job)
    return [ordered]@{ host = Get-HostView -World (Get-World -Job $Job) -Layout $Job.Spec['layout'] }
}

function Get-PathProblem {
    param([hashtable]$World, [string]$Field, [string]$Path, [string]$Code)
    $problem = [ordered]@{ field = $Field; code = 'InvalidRequest'; message = '' }
    if ($Path -match '\A[\\/]{2}') { $problem['message'] = "`"$Path`" is a UNC path; the agent has no network credentials"; return $problem }
    if (-not (Test-LocalPath -Path $Path)) { $problem['message'] = "`"$Path`" is no full local path, as D:\Disks"; return $problem }
    if ($null -ne (Get-VolumeOf -World $World -Path $Path)) { return $null }
    $problem['code'] = $Code
    $roots = @(Get-HostVolume -World $World | ForEach-Object -Process { $_.Root })
    $problem['message'] = "`"$Path`" does not exist; the volumes are: $(Get-NameList -Name $roots)"
    return $problem
}

function Invoke-HostValidate {
    <# .SYNOPSIS host.validate: whether the paths and switches that the VMHost names exist. #>
    param([hashtable]$Job)
    $world = Get-World -Job $Job
    $layout = $Job.Spec['layout']
    $problems = New-Object -TypeName 'System.Collections.ArrayList'
    $checks = @(, @('virtualMachinePath', $layout['virtualMachinePath'], 'NotFound'))
    foreach ($one in @($layout['storageClasses'])) { $checks += , @("storageClasses[name=$($one['name'])].path", $one['path'], 'StorageClassNotFound') }
    for ($index = 0; $index -lt @($layout['imagePaths']).Count; $index++) { $checks += , @("imagePaths[$index]", @($layout['imagePaths'])[$index], 'NotFound') }
    foreach ($check in $checks) {
        $problem = Get-PathProblem -World $world -Field $check[0] -Path $check[1] -Code $check[2]
        if ($null -ne $problem) { $null = $problems.Add($problem) }
    }
    $names = @(Get-HostSwitch -World $world | ForEach-Object -Process { $_.Name })
    foreach ($network in @($Job.Spec['networks'])) {
        if ($names -contains $network['switchName']) { continue }
        $null = $problems.Add([ordered]@{ field = "networks[name=$($network['name'])].switchName"; code = 'SwitchNotFound'; message = "no switch `"$($network['switchName'])`"; there are: $(Get-NameList -Name $names)" })
    }
    return [ordered]@{ problems = $problems.ToArray() }
}
