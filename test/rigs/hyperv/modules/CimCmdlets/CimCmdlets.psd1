@{
    ModuleVersion = '1.0.0.0'
    GUID = 'fb6cc51d-c096-4b38-b78d-0fed6277096a'
    RootModule = '../../AetherV.Cim.dll'
    CmdletsToExport = @(
        'Get-CimInstance'
        'Invoke-CimMethod'
    )
    FunctionsToExport = @()
    AliasesToExport = @()
    VariablesToExport = @()
}
