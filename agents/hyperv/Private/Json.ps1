function ConvertFrom-AgentJson {
    <#
    .SYNOPSIS JSON text as dictionaries (case of keys kept apart), arrays, strings, numbers, booleans, $null.
    .DESCRIPTION PowerShell 7 turns ISO strings into dates, so text goes through System.Text.Json there; Windows PowerShell's own
    reader does not. Throws on text that is no JSON.
    #>
    param([string]$Text)
    if ($PSVersionTable.PSVersion.Major -ge 6) {
        $document = [System.Text.Json.JsonDocument]::Parse($Text)
        try { return , (ConvertFrom-JsonElement -Element $document.RootElement) }
        finally { $document.Dispose() }
    }
    # It does so with "\/Date(0)\/", though: the backslash goes, which JSON allows and which keeps the text a text.
    $parsed = ConvertFrom-Json -InputObject ([regex]::Replace($Text, '(?<!\\)((?:\\\\)*)\\/', '$1/'))
    return , (ConvertFrom-JsonObject -Value $parsed)
}

function ConvertFrom-JsonElement {
    <# .SYNOPSIS A System.Text.Json element as plain values. #>
    param($Element)
    switch ([string]$Element.ValueKind) {
        'Object' {
            $map = New-JsonMap
            foreach ($member in $Element.EnumerateObject()) { $map[$member.Name] = ConvertFrom-JsonElement -Element $member.Value }
            return $map
        }
        'Array' {
            $list = New-Object -TypeName 'System.Collections.ArrayList'
            foreach ($item in $Element.EnumerateArray()) { $null = $list.Add((ConvertFrom-JsonElement -Element $item)) }
            return , $list.ToArray()
        }
        'String' { return $Element.GetString() }
        'Number' {
            $whole = [long]0
            if ($Element.TryGetInt64([ref]$whole)) { return $whole }
            return $Element.GetDouble()
        }
        'True' { return $true }
        'False' { return $false }
    }
    return $null
}

function ConvertFrom-JsonObject {
    <# .SYNOPSIS What ConvertFrom-Json answers as plain values. #>
    param($Value)
    if ($null -eq $Value) { return $null }
    if ($Value -is [string]) { return $Value }
    if ($Value -is [System.Array]) {
        $list = New-Object -TypeName 'System.Collections.ArrayList'
        foreach ($item in $Value) { $null = $list.Add((ConvertFrom-JsonObject -Value $item)) }
        return , $list.ToArray()
    }
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        $map = New-JsonMap
        foreach ($member in $Value.PSObject.Properties) { $map[$member.Name] = ConvertFrom-JsonObject -Value $member.Value }
        return $map
    }
    if ($Value -is [int]) { return [long]$Value }
    return $Value
}

function New-JsonMap {
    <# .SYNOPSIS An empty dictionary whose keys differ by case. #>
    param()
    return New-Object -TypeName 'System.Collections.Hashtable' -ArgumentList ([System.StringComparer]::Ordinal)
}

function ConvertTo-AgentJson {
    <# .SYNOPSIS One line of JSON. Empty arrays and arrays of one stay arrays, since nothing passes the pipeline. #>
    param($Value)
    return ConvertTo-Json -InputObject $Value -Depth 64 -Compress
}

function Read-JsonFile {
    <# .SYNOPSIS A JSON file's content; throws where it is not there or no JSON. #>
    param([string]$Path)
    $text = [System.IO.File]::ReadAllText((Resolve-HostPath -Path $Path), [System.Text.Encoding]::UTF8)
    return , (ConvertFrom-AgentJson -Text $text)
}

function Write-JsonFile {
    <# .SYNOPSIS Replaces a file in one step: written through to the disk under another name, then renamed. #>
    param([string]$Path, $Value)
    $target = Resolve-HostPath -Path $Path
    $draft = "$target.$PID.new"
    $utf8 = New-Object -TypeName 'System.Text.UTF8Encoding' -ArgumentList $false
    $bytes = $utf8.GetBytes((ConvertTo-AgentJson -Value $Value))
    $stream = New-Object -TypeName 'System.IO.FileStream' -ArgumentList $draft, ([System.IO.FileMode]::Create), ([System.IO.FileAccess]::Write), ([System.IO.FileShare]::None), 4096, ([System.IO.FileOptions]::WriteThrough)
    try {
        $stream.Write($bytes, 0, $bytes.Length)
        $stream.Flush($true)
    }
    finally { $stream.Dispose() }
    if ([System.IO.File]::Exists($target)) { [System.IO.File]::Replace($draft, $target, [NullString]::Value) }
    else { [System.IO.File]::Move($draft, $target) }
}
