using System.Management.Automation;

namespace AetherV.Rig.Cim;

/// <summary>A CIM instance as scripts see one: properties, and the class in the type name and in CimSystemProperties.</summary>
internal static class Rows
{
    internal static PSObject Row(string space, string type, params (string Name, object? Value)[] properties)
    {
        var row = new PSObject();
        row.TypeNames.Insert(0, "Microsoft.Management.Infrastructure.CimInstance");
        row.TypeNames.Insert(0, $"Microsoft.Management.Infrastructure.CimInstance#{space.Replace('\\', '/')}/{type}");
        foreach (var (name, value) in properties) row.Properties.Add(new PSNoteProperty(name, value));
        var system = new PSObject();
        system.Properties.Add(new PSNoteProperty("ClassName", type));
        system.Properties.Add(new PSNoteProperty("Namespace", space.Replace('\\', '/')));
        system.Properties.Add(new PSNoteProperty("ServerName", Microsoft.HyperV.PowerShell.Rig.Store.Read().Host.Name));
        row.Members.Add(new PSNoteProperty("CimSystemProperties", system));
        return row;
    }

    internal static string ClassOf(PSObject row) =>
        row.Properties["CimSystemProperties"]?.Value is PSObject system ? (string)system.Properties["ClassName"].Value : "";

    /// <summary>The WMI path of a row of a class with one key.</summary>
    internal static string Path(string type, string key, string value) =>
        $@"\\{Microsoft.HyperV.PowerShell.Rig.Store.Read().Host.Name}\root\virtualization\v2:{type}.{key}=""{value.Replace(@"\", @"\\")}""";
}
