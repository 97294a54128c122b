@{
    ModuleVersion = '3.1.0.0'
    GUID = 'eefcb906-b326-4e99-9f54-8b4bb6ef3c6d'
    RootModule = '../../AetherV.PowerShell.Management.dll'
    CmdletsToExport = @(
        'Add-Content'
        'Convert-Path'
        'Copy-Item'
        'Get-ChildItem'
        'Get-Content'
        'Get-Item'
        'Get-ItemProperty'
        'Get-Location'
        'Get-PSDrive'
        'Get-Process'
        'Join-Path'
        'Move-Item'
        'New-Item'
        'New-PSDrive'
        'Remove-Item'
        'Rename-Item'
        'Resolve-Path'
        'Set-Content'
        'Set-ItemProperty'
        'Set-Location'
        'Split-Path'
        'Stop-Process'
        'Test-Path'
    )
    FunctionsToExport = @()
    AliasesToExport = @()
    VariablesToExport = @()
}
