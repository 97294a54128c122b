# Just as much of JSON Schema 2020-12 as src/protocol/schemas uses. schema.json is made from these by scripts/generate.

function Assert-Request {
    <# .SYNOPSIS InvalidRequest with the place, unless the request fits the envelope and its operation's schema. #>
    param($Request)
    $schema = Get-AgentSchema
    $problem = Test-SchemaValue -Schema $schema['$defs']['JobRequest'] -Value $Request -At ''
    if ($null -eq $problem) {
        $spec = $schema['x-operations'][$Request['operation']][0]
        $problem = Test-SchemaValue -Schema $schema['$defs'][$spec] -Value $Request['resource_spec'] -At '/resource_spec'
    }
    if ($null -ne $problem) { Stop-Operation -Code 'InvalidRequest' -Message $problem }
}

function Get-AgentSchema {
    param()
    if ($null -eq $script:Agent.Schema) {
        $script:Agent.Schema = Read-JsonFile -Path (Join-Path -Path $script:Agent.Root -ChildPath 'schema.json')
    }
    return $script:Agent.Schema
}

function Test-SchemaValue {
    <# .SYNOPSIS What does not fit, with its place; $null when all does. #>
    param([System.Collections.IDictionary]$Schema, $Value, [string]$At)
    while ($Schema.ContainsKey('$ref')) { $Schema = (Get-AgentSchema)['$defs'][(($Schema['$ref'] -split '/')[-1])] }
    $place = $At
    if ($place -eq '') { $place = 'the request' }
    if ($Schema.ContainsKey('const') -and $Value -cne $Schema['const']) { return "$place`: expected $($Schema['const'])" }
    if ($Schema.ContainsKey('enum') -and -not ((Test-Scalar -Value $Value) -and @($Schema['enum']) -ccontains $Value)) {
        return "$place`: expected one of $(@($Schema['enum']) -join ', ')"
    }
    if (-not $Schema.ContainsKey('type')) { return $null }
    switch -CaseSensitive ($Schema['type']) {
        'object' { return Test-SchemaObject -Schema $Schema -Value $Value -At $At }
        'array' { return Test-SchemaArray -Schema $Schema -Value $Value -At $At }
        'string' { return Test-SchemaText -Schema $Schema -Value $Value -Place $place }
        'integer' { return Test-SchemaInteger -Schema $Schema -Value $Value -Place $place }
        'boolean' { if ($Value -isnot [bool]) { return "$place`: expected true or false" } }
    }
    return $null
}

function Test-Scalar { param($Value) return $Value -is [string] -or $Value -is [bool] -or $Value -is [ValueType] }

function Test-SchemaObject {
    param([System.Collections.IDictionary]$Schema, $Value, [string]$At)
    $place = $At
    if ($place -eq '') { $place = 'the request' }
    if ($Value -isnot [System.Collections.IDictionary]) { return "$place`: expected an object" }
    if ($Schema.ContainsKey('required')) {
        foreach ($name in @($Schema['required'])) { if (-not $Value.ContainsKey($name)) { return "$place`: lacks $name" } }
    }
    $known = New-JsonMap
    if ($Schema.ContainsKey('properties')) { $known = $Schema['properties'] }
    $more = $true
    if ($Schema.ContainsKey('additionalProperties')) { $more = $Schema['additionalProperties'] }
    foreach ($member in @($Value.GetEnumerator())) {
        $name = $member.Key
        $inner = $null
        if ($known.ContainsKey($name)) { $inner = $known[$name] }
        elseif ($more -is [System.Collections.IDictionary]) { $inner = $more }
        elseif (-not $more) { return "$place`: unknown field $(Get-ShownText -Text $name); expected one of $(@($known.GetEnumerator() | ForEach-Object -Process { $_.Key } | Sort-Object) -join ', ')" }
        if ($null -eq $inner) { continue }
        if (-not $known.ContainsKey($name) -and (Test-Unprintable -Text $name)) { return "$At`: the key $(Get-ShownText -Text $name) holds control characters" }
        $problem = Test-SchemaValue -Schema $inner -Value $member.Value -At "$At/$name"
        if ($null -ne $problem) { return $problem }
    }
    return $null
}

function Get-ShownText {
    <# .SYNOPSIS A stranger's text, short enough and without control characters for a message. #>
    param([string]$Text)
    $clean = $Text -replace '\p{C}', '?'
    if ($clean.Length -gt 80) { return $clean.Substring(0, 80) + '...' }
    return $clean
}

function Test-SchemaArray {
    param([System.Collections.IDictionary]$Schema, $Value, [string]$At)
    if ($Value -isnot [System.Array]) { return "$At`: expected a list" }
    if ($Schema.ContainsKey('maxItems') -and $Value.Count -gt $Schema['maxItems']) { return "$At`: expected at most $($Schema['maxItems']) items" }
    if (-not $Schema.ContainsKey('items')) { return $null }
    for ($index = 0; $index -lt $Value.Count; $index++) {
        $problem = Test-SchemaValue -Schema $Schema['items'] -Value $Value[$index] -At "$At/$index"
        if ($null -ne $problem) { return $problem }
    }
    return $null
}

function Test-SchemaText {
    param([System.Collections.IDictionary]$Schema, $Value, [string]$Place)
    if ($Value -isnot [string]) { return "$Place`: expected a text" }
    # Lengths count code points, as JSON Schema does.
    $length = $Value.Length
    if ($length -gt 0 -and $Value -match '[\uD800-\uDBFF][\uDC00-\uDFFF]') { $length = ($Value -replace '[\uD800-\uDBFF][\uDC00-\uDFFF]', '.').Length }
    if ($Schema.ContainsKey('maxLength') -and $length -gt $Schema['maxLength']) { return "$Place`: expected at most $($Schema['maxLength']) characters" }
    if ($Schema.ContainsKey('minLength') -and $length -lt $Schema['minLength']) { return "$Place`: expected at least $($Schema['minLength']) characters" }
    # '$' would match before a last line feed too.
    if (-not $Schema.ContainsKey('pattern') -and -not $Schema.ContainsKey('enum')) {
        $problem = Get-TextProblem -Text $Value -Place $Place
        if ($null -ne $problem) { return $problem }
    }
    if ($Schema.ContainsKey('pattern') -and $Value -cnotmatch ($Schema['pattern'] -replace '\$$', '\z')) { return "$Place`: expected $($Schema['pattern'])" }
    if ($Schema.ContainsKey('format') -and -not (Test-Time -Text $Value)) { return "$Place`: expected an RFC 3339 time" }
    return $null
}

function Test-Time {
    <# .SYNOPSIS Whether a text is a time as RFC 3339 has them, of a day that there is. #>
    param([string]$Text)
    # \d would take digits of every script.
    if ($Text -cnotmatch '\A[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})\z') { return $false }
    $whole = $Text.ToUpperInvariant() -replace '\.[0-9]+', ''
    $time = [DateTimeOffset]::MinValue
    return [DateTimeOffset]::TryParse($whole, [System.Globalization.CultureInfo]::InvariantCulture, [System.Globalization.DateTimeStyles]::None, [ref]$time)
}

function Get-TextProblem {
    <#
    .SYNOPSIS What no text of a job may hold, with its place; $null when all is well.
    .DESCRIPTION Hyper-V takes its texts as CIM's XML, which has no place for most control characters and halves of surrogate pairs. Lines are
    for notes and for what guests read.
    #>
    param([string]$Text, [string]$Place)
    if ($Text -match '[\x00-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]') { return "$Place`: holds a control character" }
    if ($Text -match '[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]') { return "$Place`: holds half of a surrogate pair" }
    if ($Place -cnotmatch '/notes\z|/items/' -and (Test-Unprintable -Text $Text)) { return "$Place`: expected one line without control characters" }
    return $null
}

function Test-Unprintable { param([string]$Text) return $Text -match '[\p{Cc}\uFFFE\uFFFF]' }

function Test-SchemaInteger {
    param([System.Collections.IDictionary]$Schema, $Value, [string]$Place)
    $whole = $Value -is [int] -or $Value -is [long]
    if (-not $whole -and ($Value -is [double] -or $Value -is [decimal])) { $whole = [Math]::Floor($Value) -eq $Value }
    # Beyond 2^53 a reader of the other side may have rounded it.
    if (-not $whole -or $Value -gt 9007199254740991 -or $Value -lt -9007199254740991) { return "$Place`: expected a whole number within 2^53" }
    if ($Schema.ContainsKey('minimum') -and $Value -lt $Schema['minimum']) { return "$Place`: expected at least $($Schema['minimum'])" }
    if ($Schema.ContainsKey('maximum') -and $Value -gt $Schema['maximum']) { return "$Place`: expected at most $($Schema['maximum'])" }
    return $null
}
