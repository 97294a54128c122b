@{
    ModuleVersion = '3.1.0.0'
    GUID = '1da87e53-152b-403e-98dc-74d7b4d63d59'
    RootModule = '../../AetherV.PowerShell.Utility.dll'
    CmdletsToExport = @(
        'Add-Member'
        'Add-Type'
        'ConvertFrom-Json'
        'ConvertTo-Json'
        'Get-Culture'
        'Get-Date'
        'Get-FileHash'
        'Get-Random'
        'Get-Variable'
        'Group-Object'
        'Import-PowerShellDataFile'
        'Measure-Object'
        'New-Guid'
        'New-Object'
        'New-TemporaryFile'
        'New-TimeSpan'
        'Out-String'
        'Select-Object'
        'Set-Variable'
        'Sort-Object'
        'Start-Sleep'
        'Write-Debug'
        'Write-Error'
        'Write-Host'
        'Write-Information'
        'Write-Output'
        'Write-Progress'
        'Write-Verbose'
        'Write-Warning'
    )
    FunctionsToExport = @()
    AliasesToExport = @()
    VariablesToExport = @()
}
