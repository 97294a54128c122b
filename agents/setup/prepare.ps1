<#
.SYNOPSIS
Prepares a Windows host for AetherV. Run once, elevated, in Windows PowerShell 5.1; running it again changes only what differs.

.DESCRIPTION
Installs and starts the OpenSSH server, makes the account (unless it exists), lets it log in with one key that can run AetherV's stub
only, puts the stub into C:\ProgramData\AetherV with strict rights, and lets the account write the folders of the VMHost.
#>
Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# <settings>
$user = 'aetherv'
$publicKey = ''
$writable = @()
$readable = @()
$stub = ''
# </settings>

$root = Join-Path -Path $env:ProgramData -ChildPath 'AetherV'
$ssh = Join-Path -Path $env:ProgramData -ChildPath 'ssh'
$administrators = '*S-1-5-32-544'
$system = '*S-1-5-18'

function Write-Step {
    param([string]$Text)
    [Console]::Out.WriteLine("- $Text")
}

function Invoke-Icacls {
    <# .SYNOPSIS Runs icacls and stops when it fails. #>
    param([string[]]$Arguments)
    $answer = & "$env:SystemRoot\System32\icacls.exe" $Arguments 2>&1
    if ($LASTEXITCODE -ne 0) { throw "icacls $($Arguments -join ' '): $answer" }
}

$principal = New-Object -TypeName 'System.Security.Principal.WindowsPrincipal' -ArgumentList ([System.Security.Principal.WindowsIdentity]::GetCurrent())
if (-not $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)) { throw 'this script must run elevated, as an administrator' }

# OpenSSH server
if ($null -eq (Get-Service -Name 'sshd' -ErrorAction 'SilentlyContinue')) {
    Write-Step -Text 'installing the OpenSSH server'
    $null = Add-WindowsCapability -Online -Name 'OpenSSH.Server~~~~0.0.1.0'
}
Set-Service -Name 'sshd' -StartupType 'Automatic'
# The first start makes the host keys and sshd_config.
Start-Service -Name 'sshd'
if ($null -eq (Get-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -ErrorAction 'SilentlyContinue')) {
    Write-Step -Text 'opening TCP port 22 in the firewall'
    $null = New-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -DisplayName 'OpenSSH Server (sshd)' -Enabled 'True' -Direction 'Inbound' -Protocol 'TCP' -Action 'Allow' -LocalPort 22
}

# Account
$local = $user -notmatch '[\\@]'
if ($local -and $null -eq (Get-LocalUser -Name $user -ErrorAction 'SilentlyContinue')) {
    Write-Step -Text "making the local account $user; nobody knows its password, it logs in with the key"
    $bytes = New-Object -TypeName 'byte[]' -ArgumentList 48
    $random = [System.Security.Cryptography.RandomNumberGenerator]::Create()
    $random.GetBytes($bytes)
    $password = New-Object -TypeName 'System.Security.SecureString'
    foreach ($letter in ([Convert]::ToBase64String($bytes) + 'aA1!').ToCharArray()) { $password.AppendChar($letter) }
    $null = New-LocalUser -Name $user -Password $password -PasswordNeverExpires -UserMayNotChangePassword -Description 'AetherV agent'
}
$hyperv = Get-LocalGroup -SID 'S-1-5-32-578'
if (@(Get-LocalGroupMember -Group $hyperv -ErrorAction 'SilentlyContinue' | Where-Object -FilterScript { $_.Name -eq $user -or $_.Name -like "*\$user" }).Count -eq 0) {
    Write-Step -Text "adding $user to $($hyperv.Name)"
    Add-LocalGroupMember -Group $hyperv -Member $user -ErrorAction 'SilentlyContinue'
}

# AetherV's folder: administrators own it; the account reads the stub and writes its versions and state.
foreach ($path in @($root, (Join-Path -Path $root -ChildPath 'agents'), (Join-Path -Path $root -ChildPath 'state'))) {
    if (-not (Test-Path -LiteralPath $path)) { $null = New-Item -ItemType 'Directory' -Path $path }
}
Invoke-Icacls -Arguments @($root, '/setowner', $administrators)
Invoke-Icacls -Arguments @($root, '/inheritance:r', '/grant:r', "${administrators}:(OI)(CI)F", "${system}:(OI)(CI)F", "${user}:(OI)(CI)RX")
foreach ($name in @('agents', 'state')) { Invoke-Icacls -Arguments @((Join-Path -Path $root -ChildPath $name), '/grant:r', "${user}:(OI)(CI)M") }
Write-Step -Text "writing $root\stub.ps1"
[System.IO.File]::WriteAllBytes((Join-Path -Path $root -ChildPath 'stub.ps1'), [Convert]::FromBase64String($stub))

# The key, and what it may do. Before the first Match block: sshd takes the first that fits.
$keys = Join-Path -Path $ssh -ChildPath 'aetherv_authorized_keys'
[System.IO.File]::WriteAllText($keys, "restrict $publicKey`n")
Invoke-Icacls -Arguments @($keys, '/inheritance:r', '/grant:r', "${administrators}:F", "${system}:F")
$config = Join-Path -Path $ssh -ChildPath 'sshd_config'
$text = [System.IO.File]::ReadAllText($config)
$text = [regex]::Replace($text, '(?ms)^# <aetherv>.*?^# </aetherv>\r?\n', '')
$block = @"
# <aetherv>
Match User $user
    AuthorizedKeysFile __PROGRAMDATA__/ssh/aetherv_authorized_keys
    ForceCommand powershell.exe -NoProfile -NonInteractive -OutputFormat Text -ExecutionPolicy Bypass -File $root\stub.ps1
    PasswordAuthentication no
    AllowTcpForwarding no
    PermitTTY no
# </aetherv>

"@
$first = [regex]::Match($text, '(?m)^Match ')
if ($first.Success) { $text = $text.Insert($first.Index, $block) } else { $text = "$text`r`n$block" }
[System.IO.File]::WriteAllText($config, $text)
Restart-Service -Name 'sshd'

# Folders of the VMHost
foreach ($path in $writable) {
    if (-not (Test-Path -LiteralPath $path)) { $null = New-Item -ItemType 'Directory' -Path $path }
    Write-Step -Text "letting $user write $path"
    Invoke-Icacls -Arguments @($path, '/grant', "${user}:(OI)(CI)M")
}
# Deleted disks wait in the trash on their own volume: a folder at its root, where the account may not write otherwise.
$volumes = @(Get-CimInstance -ClassName 'Win32_Volume' | ForEach-Object -Process { $_.Name } | Sort-Object -Property 'Length' -Descending)
$trashes = @($writable | ForEach-Object -Process {
        $folder = "$_\"
        $volume = $volumes | Where-Object -FilterScript { $folder.StartsWith($_, [System.StringComparison]::OrdinalIgnoreCase) } | Select-Object -First 1
        if ($null -ne $volume) { "${volume}AetherV.Trash" }
    } | Sort-Object -Unique)
foreach ($path in $trashes) {
    if (-not (Test-Path -LiteralPath $path)) { $null = New-Item -ItemType 'Directory' -Path $path }
    Write-Step -Text "letting $user write $path"
    Invoke-Icacls -Arguments @($path, '/inheritance:r', '/grant:r', "${administrators}:(OI)(CI)F", "${system}:(OI)(CI)F", "${user}:(OI)(CI)M")
}
foreach ($path in $readable) {
    if (Test-Path -LiteralPath $path) { Invoke-Icacls -Arguments @($path, '/grant', "${user}:(OI)(CI)RX") }
}

Write-Step -Text 'done; these are the host keys for spec.connection.ssh.hostKeys:'
foreach ($file in @(Get-ChildItem -LiteralPath $ssh -Filter 'ssh_host_*_key.pub')) {
    [Console]::Out.WriteLine("  $((& "$env:SystemRoot\System32\OpenSSH\ssh-keygen.exe" -l -f $file.FullName).Split(' ')[1])")
}
