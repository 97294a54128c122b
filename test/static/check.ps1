<#
.SYNOPSIS
Static checks of PowerShell files by the engine's own parser; writes one JSON array of findings.

.DESCRIPTION
Syntax newer than Windows PowerShell 5.1, aliases, positional parameters, unapproved verbs, unknown commands and parameters, text run as code,
$input, line continuations, Hyper-V and CIM calls without their module's name. Commands of Windows that the rig lacks are known from windows-commands.json.

.PARAMETER List
A file with one path a line: the files to check. Functions of all of them know each other.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)][string]$List
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
$script:Findings = New-Object -TypeName 'System.Collections.ArrayList'
$script:Functions = @{}
$script:Known = @{}
$script:Predicates = @{}
$script:Aliases = @{}
foreach ($alias in (Get-Command -CommandType 'Alias')) { $script:Aliases[$alias.Name] = $true }
$script:Common = @([System.Management.Automation.Cmdlet]::CommonParameters) + @([System.Management.Automation.Cmdlet]::OptionalCommonParameters)
# Parameters that PowerShell 7 has and 5.1 has not.
$script:NewParameters = @{
    'ForEach-Object' = @('Parallel', 'ThrottleLimit', 'TimeoutSeconds', 'AsJob', 'UseNewRunspace')
    'ConvertFrom-Json' = @('AsHashtable', 'Depth', 'NoEnumerate', 'DateKind')
    'ConvertTo-Json' = @('AsArray', 'EnumsAsStrings', 'EscapeHandling')
    'Join-Path' = @('AdditionalChildPath')
    'Split-Path' = @('LeafBase', 'Extension')
    'Get-Date' = @('AsUTC', 'UnixTimeSeconds')
    'Sort-Object' = @('Stable', 'Top', 'Bottom')
}
$script:NewTypes = 'System.Management.Automation.SemanticVersion', 'semver'
$script:Verbs = foreach ($group in 'Common', 'Communications', 'Data', 'Diagnostic', 'Lifecycle', 'Security', 'Other') {
    $type = [type]"System.Management.Automation.Verbs$group"
    foreach ($field in $type.GetFields()) { $field.Name }
}

function Add-Finding {
    param([string]$Rule, $Extent, [string]$Text)
    $null = $script:Findings.Add([pscustomobject]@{ rule = $Rule; file = $Extent.File; line = $Extent.StartLineNumber; text = $Text })
}

function Get-Node {
    param($Tree, [type]$Type)
    if (-not $script:Predicates.ContainsKey($Type)) {
        $script:Predicates[$Type] = [System.Func[System.Management.Automation.Language.Ast, bool]][System.Delegate]::CreateDelegate([System.Func[object, bool]], $Type, $Type.GetType().GetMethod('IsInstanceOfType'))
    }
    return @($Tree.FindAll($script:Predicates[$Type], $true))
}

function Test-NewSyntax {
    param($Tree, [object[]]$Tokens)
    foreach ($node in (Get-Node -Tree $Tree -Type ([System.Management.Automation.Language.TernaryExpressionAst]))) { Add-Finding -Rule 'newer-syntax' -Extent $node.Extent -Text 'ternary' }
    foreach ($node in (Get-Node -Tree $Tree -Type ([System.Management.Automation.Language.PipelineChainAst]))) { Add-Finding -Rule 'newer-syntax' -Extent $node.Extent -Text 'pipeline chain' }
    foreach ($node in (Get-Node -Tree $Tree -Type ([System.Management.Automation.Language.MemberExpressionAst]))) {
        if ($node.NullConditional) { Add-Finding -Rule 'newer-syntax' -Extent $node.Extent -Text 'null-conditional' }
    }
    foreach ($node in (Get-Node -Tree $Tree -Type ([System.Management.Automation.Language.IndexExpressionAst]))) {
        if ($node.NullConditional) { Add-Finding -Rule 'newer-syntax' -Extent $node.Extent -Text 'null-conditional' }
    }
    foreach ($node in (Get-Node -Tree $Tree -Type ([System.Management.Automation.Language.PipelineAst]))) {
        if ($node.Background) { Add-Finding -Rule 'newer-syntax' -Extent $node.Extent -Text 'background' }
    }
    foreach ($node in (Get-Node -Tree $Tree -Type ([System.Management.Automation.Language.ScriptBlockAst]))) {
        if ($null -ne $node.CleanBlock) { Add-Finding -Rule 'newer-syntax' -Extent $node.CleanBlock.Extent -Text 'clean block' }
    }
    foreach ($node in (Get-Node -Tree $Tree -Type ([System.Management.Automation.Language.TypeExpressionAst]))) {
        if ($node.TypeName.FullName -in $script:NewTypes) { Add-Finding -Rule 'newer-syntax' -Extent $node.Extent -Text $node.TypeName.FullName }
    }
    foreach ($token in $Tokens) {
        $kind = [string]$token.Kind
        if ($kind -like 'QuestionQuestion*') { Add-Finding -Rule 'newer-syntax' -Extent $token.Extent -Text $token.Text }
        if ($kind -eq 'LineContinuation') { Add-Finding -Rule 'backtick' -Extent $token.Extent -Text 'line continuation: use splatting' }
        if ($kind -eq 'Number' -and $token.Text -match '^(0[bB]|\d[\d.]*(u|uy|us|ul|y|s|n)([kmgtp]b)?$)') { Add-Finding -Rule 'newer-syntax' -Extent $token.Extent -Text $token.Text }
        if ($kind -like 'StringExpandable' -and $token.Text -match '(?<!`)`u\{') { Add-Finding -Rule 'newer-syntax' -Extent $token.Extent -Text '`u{}' }
    }
}

function Test-BlockText {
    <# .SYNOPSIS Whether it is $X.ToString() of a parameter [scriptblock]$X: code of the file itself. #>
    param($Node)
    if ($Node -isnot [System.Management.Automation.Language.InvokeMemberExpressionAst] -or $Node.Member.Extent.Text -ne 'ToString') { return $false }
    $name = $Node.Expression.Extent.Text
    $at = $Node.Parent
    while ($null -ne $at -and $at -isnot [System.Management.Automation.Language.FunctionDefinitionAst]) { $at = $at.Parent }
    if ($null -eq $at) { return $false }
    $parameters = Get-Node -Tree $at -Type ([System.Management.Automation.Language.ParameterAst])
    return @($parameters | Where-Object { $_.Name.Extent.Text -eq $name -and $_.StaticType -eq [scriptblock] }).Count -gt 0
}

function Test-Danger {
    param($Tree)
    foreach ($node in (Get-Node -Tree $Tree -Type ([System.Management.Automation.Language.VariableExpressionAst]))) {
        # "$script:Name: text" parses, and asks for a variable named "Name:".
        if ($node.VariablePath.UserPath.EndsWith(':', [System.StringComparison]::Ordinal)) { Add-Finding -Rule 'colon' -Extent $node.Extent -Text $node.Extent.Text }
        if ($node.VariablePath.UserPath -eq 'input') { Add-Finding -Rule 'input' -Extent $node.Extent -Text '$input makes the host swallow STDIN' }
        if ($node.VariablePath.UserPath -in 'IsWindows', 'IsLinux', 'IsMacOS', 'IsCoreCLR') { Add-Finding -Rule 'newer-syntax' -Extent $node.Extent -Text $node.VariablePath.UserPath }
    }
    foreach ($node in (Get-Node -Tree $Tree -Type ([System.Management.Automation.Language.InvokeMemberExpressionAst]))) {
        $member = $node.Member.Extent.Text.Trim("'", '"')
        $onBlock = $node.Static -and $node.Expression.Extent.Text -match '^\[(scriptblock|System\.Management\.Automation\.ScriptBlock)\]$'
        if (($onBlock -and $member -eq 'Create') -or $member -in 'InvokeScript', 'NewScriptBlock', 'ExpandString', 'AddScript') {
            # A constant is no text made at run time.
            $first = $null
            if ($null -ne $node.Arguments) { $first = $node.Arguments[0] }
            if ($first -is [System.Management.Automation.Language.StringConstantExpressionAst] -or (Test-BlockText -Node $first)) { continue }
            Add-Finding -Rule 'text-as-code' -Extent $node.Extent -Text $member
        }
    }
}

function Test-FunctionName {
    param($Tree)
    foreach ($node in (Get-Node -Tree $Tree -Type ([System.Management.Automation.Language.FunctionDefinitionAst]))) {
        if ($node.Parent -is [System.Management.Automation.Language.FunctionMemberAst]) { continue }
        $verb = $node.Name.Split('-')[0]
        if ($node.Name -notmatch '^[A-Z][A-Za-z]+-[A-Z][A-Za-z0-9]+$' -or $verb -cnotin $script:Verbs) { Add-Finding -Rule 'verb' -Extent $node.Extent -Text $node.Name }
    }
}

function Get-FunctionParameter {
    <# .SYNOPSIS Names to "is a switch" of a function's parameters, aliases included. #>
    param($Node)
    $parameters = @{}
    $list = @()
    if ($null -ne $Node.Parameters) { $list = $Node.Parameters }
    elseif ($null -ne $Node.Body.ParamBlock) { $list = $Node.Body.ParamBlock.Parameters }
    foreach ($parameter in $list) { $parameters[$parameter.Name.VariablePath.UserPath] = $parameter.StaticType -eq [switch] }
    return $parameters
}

function Get-CommandParameter {
    <# .SYNOPSIS Names to "is a switch" of what the name stands for; $null when it is unknown. #>
    param([string]$Name)
    if ($script:Functions.ContainsKey($Name)) { return $script:Functions[$Name] }
    if ($script:Known.ContainsKey($Name)) { return $script:Known[$Name] }
    $found = @(Get-Command -Name $Name -CommandType 'Cmdlet', 'Function' -ErrorAction 'SilentlyContinue')
    $parameters = $null
    if ($found.Count -gt 0) {
        $parameters = @{}
        foreach ($one in $found[0].Parameters.Values) {
            foreach ($key in @($one.Name) + @($one.Aliases)) { $parameters[$key] = $one.SwitchParameter }
        }
    }
    $script:Known[$Name] = $parameters
    return $parameters
}

function Test-Call {
    param($Node)
    $name = $Node.GetCommandName()
    if ([string]::IsNullOrEmpty($name)) { return }
    $short = $name.Substring($name.LastIndexOf('\') + 1)
    if ($short -in 'Invoke-Expression', 'iex') { Add-Finding -Rule 'text-as-code' -Extent $Node.Extent -Text $short; return }
    if ($script:Aliases.ContainsKey($short)) { Add-Finding -Rule 'alias' -Extent $Node.Extent -Text $name; return }
    if ($name -eq $short -and -not $script:Functions.ContainsKey($short) -and $short -match '-(VM|VHD|Cim)') { Add-Finding -Rule 'unqualified' -Extent $Node.Extent -Text $name }
    if ($name -match '\.(exe|cmd|bat)$') { return }
    $parameters = Get-CommandParameter -Name $name
    if ($null -eq $parameters) { Add-Finding -Rule 'unknown-command' -Extent $Node.Extent -Text $name; return }
    Test-Argument -Node $Node -Name $short -Parameters $parameters
}

function Test-Argument {
    param($Node, [string]$Name, [hashtable]$Parameters)
    $takes = $false
    foreach ($element in @($Node.CommandElements | Select-Object -Skip 1)) {
        if ($element -is [System.Management.Automation.Language.CommandParameterAst]) {
            $given = $element.ParameterName
            $isCommon = $given -in $script:Common
            if (-not $isCommon -and -not $Parameters.ContainsKey($given)) { Add-Finding -Rule 'unknown-parameter' -Extent $element.Extent -Text "$Name -$given" }
            if ($script:NewParameters.ContainsKey($Name) -and $given -in $script:NewParameters[$Name]) { Add-Finding -Rule 'newer-syntax' -Extent $element.Extent -Text "$Name -$given" }
            $isSwitch = ($isCommon -and $given -in 'Verbose', 'Debug', 'WhatIf', 'Confirm') -or ($Parameters.ContainsKey($given) -and $Parameters[$given])
            $takes = -not $isSwitch -and $null -eq $element.Argument
        }
        elseif ($takes) { $takes = $false }
        elseif ($element -is [System.Management.Automation.Language.VariableExpressionAst] -and $element.Splatted) { continue }
        else { Test-Positional -Element $element -Name $Name }
    }
}

function Test-Positional {
    param($Element, [string]$Name)
    # The one script block of these two is how everybody writes and reads them.
    if ($Name -in 'ForEach-Object', 'Where-Object' -and $Element -is [System.Management.Automation.Language.ScriptBlockExpressionAst]) { return }
    Add-Finding -Rule 'positional' -Extent $Element.Extent -Text "$Name $($Element.Extent.Text)"
}

$extra = Join-Path -Path $PSScriptRoot -ChildPath 'windows-commands.json'
foreach ($entry in (ConvertFrom-Json -InputObject (Get-Content -LiteralPath $extra -Raw -Encoding 'UTF8')).PSObject.Properties) {
    $script:Known[$entry.Name] = @{}
    foreach ($parameter in $entry.Value.PSObject.Properties) { $script:Known[$entry.Name][$parameter.Name] = $parameter.Value -eq 'switch' }
}
$trees = foreach ($path in (Get-Content -LiteralPath $List -Encoding 'UTF8')) {
    $tokens = $null
    $errors = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseFile($path, [ref]$tokens, [ref]$errors)
    foreach ($problem in $errors) { Add-Finding -Rule 'syntax' -Extent $problem.Extent -Text $problem.Message }
    foreach ($node in (Get-Node -Tree $tree -Type ([System.Management.Automation.Language.FunctionDefinitionAst]))) { $script:Functions[$node.Name] = Get-FunctionParameter -Node $node }
    @{ Tree = $tree; Tokens = $tokens }
}
foreach ($one in $trees) {
    Test-NewSyntax -Tree $one.Tree -Tokens $one.Tokens
    Test-Danger -Tree $one.Tree
    Test-FunctionName -Tree $one.Tree
    foreach ($node in (Get-Node -Tree $one.Tree -Type ([System.Management.Automation.Language.CommandAst]))) { Test-Call -Node $node }
}
[Console]::Out.WriteLine((ConvertTo-Json -InputObject @($script:Findings) -Depth 4 -Compress))
