# Lists in a configuration: keys with indices 0, 1, ... without gaps.

function Get-ListOf {
    <# .SYNOPSIS The values of `<Prefix>.0`, `<Prefix>.1`, ... #>
    param([System.Collections.Generic.Dictionary[string, string]]$Values, [string]$Prefix)
    for ($at = 0; $Values.ContainsKey("$Prefix.$at"); $at++) { $Values["$Prefix.$at"] }
}

function Get-EntryOf {
    <# .SYNOPSIS The prefixes `<Kind>.0`, `<Kind>.1`, ... whose field is there. #>
    param([System.Collections.Generic.Dictionary[string, string]]$Values, [string]$Kind, [string]$Field)
    for ($at = 0; $Values.ContainsKey("$Kind.$at.$Field"); $at++) { "$Kind.$at" }
}
