# What the agent keeps: one small file a fact, in a folder that SYSTEM and administrators read.

function Read-State {
    <# .SYNOPSIS The text kept under a name; '' when there is none. #>
    param([hashtable]$Agent, [string]$Name)
    $path = Resolve-HostPath -Path (Join-Path -Path $Agent.State -ChildPath $Name)
    if (-not [System.IO.File]::Exists($path)) { return '' }
    return [System.IO.File]::ReadAllText($path)
}

function Write-State {
    <# .SYNOPSIS Keeps a text under a name, durably. #>
    param([hashtable]$Agent, [string]$Name, [AllowEmptyString()][string]$Text)
    Write-WholeFile -Path (Join-Path -Path $Agent.State -ChildPath $Name) -Bytes ([System.Text.Encoding]::UTF8.GetBytes($Text))
}

function Remove-State {
    param([hashtable]$Agent, [string]$Name)
    [System.IO.File]::Delete((Resolve-HostPath -Path (Join-Path -Path $Agent.State -ChildPath $Name)))
}

function Protect-Text {
    <# .SYNOPSIS A text that this account (SYSTEM) alone reads again: DPAPI. #>
    param([string]$Text)
    return ConvertFrom-SecureString -SecureString (ConvertTo-SecureString -String $Text -AsPlainText -Force)
}

function Unprotect-Text {
    param([string]$Text)
    $secure = ConvertTo-SecureString -String $Text
    return (New-Object -TypeName 'System.Management.Automation.PSCredential' -ArgumentList 'x', $secure).GetNetworkCredential().Password
}

function Initialize-Identity {
    <# .SYNOPSIS The key of this machine. The state of another machine (a cloned or captured disk), or one whose key can't be read, is wiped and made anew. #>
    param([hashtable]$Agent, [string]$VmId)
    if ($Agent.VmId -ceq $VmId -and $null -ne $Agent.Key) { return }
    $key = $null
    if ((Read-State -Agent $Agent -Name 'vmid') -ceq $VmId) {
        try { $key = Import-RsaKey -Text (Unprotect-Text -Text (Read-State -Agent $Agent -Name 'key')) } catch { $key = $null }
    }
    if ($null -eq $key) { $key = Reset-Identity -Agent $Agent -VmId $VmId }
    $der = ConvertTo-Spki -Rsa $key
    $Agent.VmId = $VmId
    $Agent.Key = $key
    $Agent.Spki = [System.Convert]::ToBase64String($der)
    $Agent.Fingerprint = ConvertTo-Hex -Bytes (Get-Sha256 -Bytes $der)
}

function Reset-Identity {
    <# .SYNOPSIS Wipes all that is kept and makes a new key. The machine's id is written last: a cut wipe begins again. #>
    param([hashtable]$Agent, [string]$VmId)
    if (Test-Path -LiteralPath $Agent.State) {
        Remove-State -Agent $Agent -Name 'vmid'
        Remove-Item -LiteralPath $Agent.State -Recurse -Force
    }
    New-Folder -Path $Agent.State
    Protect-Path -Path $Agent.State -Folder
    $key = New-RsaKey
    Write-State -Agent $Agent -Name 'key' -Text (Protect-Text -Text (Export-RsaKey -Rsa $key))
    Write-State -Agent $Agent -Name 'vmid' -Text $VmId
    $Agent.LastTry = $null
    $Agent.Report = $null
    return $key
}

function Get-GuestMemory {
    <# .SYNOPSIS What opening needs to know of earlier generations. #>
    param([hashtable]$Agent)
    $guest = @{ VmId = $Agent.VmId; Key = $Agent.Key; Fingerprint = $Agent.Fingerprint; Highest = 0; Pinned = $null; AppliedGeneration = 0; AppliedHash = '' }
    $highest = Read-State -Agent $Agent -Name 'highest'
    if ($highest -ne '') { $guest.Highest = [long]$highest }
    $signer = Read-State -Agent $Agent -Name 'signer'
    if ($signer -ne '') {
        $parts = $signer.Split(' ')
        $guest.Pinned = @{ Fingerprint = $parts[0]; Text = $parts[1] }
    }
    $applied = (Read-State -Agent $Agent -Name 'applied').Split(' ')
    if ($applied.Count -eq 2) {
        $guest.AppliedGeneration = [long]$applied[0]
        $guest.AppliedHash = $applied[1]
    }
    return $guest
}
