<#
.SYNOPSIS
An agent that can be killed before any of its statements: dot-source it.

.DESCRIPTION
New-KillableAgent copies the agent and puts a call before each statement of its functions, so that what goes to .NET directly, past all emulated cmdlets, is struck as well.
Statements are counted from Reset-Statement on; the one whose number is the cut ends the agent as a fault's `kill` does.
#>

function New-KillableAgent {
    <# .SYNOPSIS The copy's script. #>
    param([string]$Agent, [string]$Target)
    $source = [System.IO.Path]::GetDirectoryName($Agent)
    foreach ($file in [System.IO.Directory]::GetFiles($source, '*', 'AllDirectories')) {
        $copy = "$Target/$($file.Substring($source.Length + 1))"
        $null = [System.IO.Directory]::CreateDirectory([System.IO.Path]::GetDirectoryName($copy))
        [System.IO.File]::WriteAllText($copy, (Add-KillPoint -File $file))
    }
    return "$Target/$([System.IO.Path]::GetFileName($Agent))"
}

function Add-KillPoint {
    <# .SYNOPSIS The text of a file with a call before each statement of its functions. #>
    param([string]$File)
    $text = [System.IO.File]::ReadAllText($File)
    if (-not $File.EndsWith('.ps1')) { return $text }
    $tree = [System.Management.Automation.Language.Parser]::ParseInput($text, [ref]$null, [ref]$null)
    $statements = @($tree.FindAll({ param($Node) $Node -is [System.Management.Automation.Language.StatementAst] -and (Test-InFunction -Node $Node) }, $true))
    [System.Array]::Sort([int[]]@($statements | ForEach-Object { - $_.Extent.StartOffset }), ($ordered = [object[]]$statements))
    foreach ($statement in $ordered) { $text = $text.Insert($statement.Extent.StartOffset, "Enter-Statement '$([System.IO.Path]::GetFileName($File)):$($statement.Extent.StartLineNumber)'; ") }
    return $text
}

function Test-InFunction {
    <# .SYNOPSIS Whether a statement stands by itself in a block of a function: not as a part of another. #>
    param($Node)
    if ($Node.Parent -isnot [System.Management.Automation.Language.StatementBlockAst] -and $Node.Parent -isnot [System.Management.Automation.Language.NamedBlockAst]) { return $false }
    for ($up = $Node.Parent; $null -ne $up; $up = $up.Parent) {
        if ($up -is [System.Management.Automation.Language.FunctionDefinitionAst]) { return $true }
    }
    return $false
}

function Reset-Statement {
    <# .SYNOPSIS Begins to count; -Cut 0: to the end. #>
    param([int]$Cut)
    $global:RigStatements = New-Object -TypeName 'System.Collections.Generic.List[string]'
    $global:RigCut = $Cut
}

# Each agent calls it, whatever scope it runs in.
${function:global:Enter-Statement} = {
    param([string]$Place)
    $global:RigStatements.Add($Place)
    if ($global:RigStatements.Count -eq $global:RigCut) { exit 137 }
}
