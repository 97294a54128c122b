using System.Collections;
using System.Management.Automation;
using Microsoft.HyperV.PowerShell;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.Management.Infrastructure.CimCmdlets;

/// <summary>Stands for Microsoft.Management.Infrastructure.CimException: NativeErrorCode is the CIM status by its name.</summary>
public sealed class CimException(string message, string status, int hresult) : Exception(message)
{
    public string NativeErrorCode => status;
    public uint StatusCode => (uint)hresult;

    internal static ErrorRecord Record(VirtualizationException error, object? target)
    {
        var (status, hresult) = error.ErrorIdentifier switch
        {
            "AccessDenied" => ("AccessDenied", unchecked((int)0x80041003)),
            "ObjectNotFound" => ("NotFound", unchecked((int)0x80041002)),
            "InvalidNamespace" or "InvalidClass" => (error.ErrorIdentifier, error.HResult),
            "InvalidMethod" => ("MethodNotFound", error.HResult),
            _ => ("Failed", error.HResult),
        };
        return new ErrorRecord(new CimException(error.Message, status, hresult), $"HRESULT 0x{hresult:x8}", error.ErrorCategory, target);
    }
}

/// <summary>-CimSession and -ComputerName are refused: the binder does not know them.</summary>
[Cmdlet(VerbsCommon.Get, "CimInstance", DefaultParameterSetName = "ClassNameComputerSet")]
public sealed class GetCimInstanceCommand : PSCmdlet
{
    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "ClassNameComputerSet")]
    public string ClassName { get; set; } = "";

    [Parameter(Mandatory = true, ParameterSetName = "QueryComputerSet")]
    public string? Query { get; set; }

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "CimInstanceComputerSet"), Alias("CimInstance")]
    public PSObject? InputObject { get; set; }

    [Parameter]
    public string Namespace { get; set; } = @"root\cimv2";

    [Parameter(ParameterSetName = "ClassNameComputerSet")]
    public string? Filter { get; set; }

    [Parameter(ParameterSetName = "ClassNameComputerSet"), Alias("SelectProperties")]
    public string[]? Property { get; set; }

    [Parameter]
    public SwitchParameter KeyOnly { get; set; }

    [Parameter, Alias("OT")]
    public uint OperationTimeoutSec { get; set; }

    protected override void ProcessRecord()
    {
        try
        {
            foreach (var row in Rows()) WriteObject(row);
        }
        catch (VirtualizationException error)
        {
            WriteError(CimException.Record(error, ClassName));
        }
        catch (FormatException error)
        {
            WriteError(new ErrorRecord(error, "HRESULT 0x80041017", ErrorCategory.InvalidArgument, Query ?? Filter));
        }
    }

    private IEnumerable<PSObject> Rows()
    {
        if (InputObject is not null) return Refreshed(InputObject);
        var (type, filter, properties) = Query is null ? (ClassName, Filter, Property) : AetherV.Rig.Cim.Wql.Split(Query);
        if (Calls.Begin($"CIM:{type}")) return [];
        var wql = new AetherV.Rig.Cim.Wql(filter);
        var rows = Provider.Rows(Namespace, type).Where(wql.Takes).ToList();
        if (properties is not null) rows.ForEach(row => Keep(row, properties));
        Calls.End($"CIM:{type}");
        return rows;
    }

    /// <summary>Properties that were not asked for are there, but empty.</summary>
    private static void Keep(PSObject row, string[] properties)
    {
        foreach (var property in row.Properties)
        {
            if (property.Name is not ("CimSystemProperties" or "InstanceID" or "Name" or "CreationClassName") && !properties.Contains(property.Name, StringComparer.OrdinalIgnoreCase)) property.Value = null;
        }
    }

    private static IEnumerable<PSObject> Refreshed(PSObject given)
    {
        var type = AetherV.Rig.Cim.Rows.ClassOf(given);
        Calls.Begin($"CIM:{type}");
        var space = ((PSObject)given.Properties["CimSystemProperties"].Value).Properties["Namespace"].Value.ToString()!;
        var key = given.Properties["InstanceID"] is null ? "Name" : "InstanceID";
        var found = Provider.Rows(space, type).Where(row => Equals(row.Properties[key]?.Value, given.Properties[key]?.Value)).ToList();
        return found.Count > 0 ? found : throw VirtualizationException.ObjectNotFound("Not found");
    }
}

internal static class Provider
{
    internal static IEnumerable<PSObject> Rows(string space, string type)
    {
        var data = Store.Read();
        var name = space.Replace('/', '\\').Trim('\\').ToLowerInvariant();
        if (name == @"root\mscluster" && data.Host.Cluster is not null) return AetherV.Rig.Cim.Machine.Cluster(data, type);
        var classes = name switch
        {
            @"root\virtualization\v2" => AetherV.Rig.Cim.Virtualization.Classes,
            @"root\cimv2" => AetherV.Rig.Cim.Machine.Classes,
            _ => throw new VirtualizationException($"Invalid namespace '{space}'", "InvalidNamespace", ErrorCategory.MetadataError) { HResult = unchecked((int)0x8004100E) },
        };
        if (!classes.TryGetValue(type, out var make)) throw new VirtualizationException($"Invalid class '{type}'", "InvalidClass", ErrorCategory.MetadataError) { HResult = unchecked((int)0x80041010) };
        return make(data);
    }
}

[Cmdlet(VerbsLifecycle.Invoke, "CimMethod", SupportsShouldProcess = true, DefaultParameterSetName = "ClassNameComputerSet")]
public sealed class InvokeCimMethodCommand : PSCmdlet
{
    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "ClassNameComputerSet")]
    public string ClassName { get; set; } = "";

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "CimInstanceComputerSet"), Alias("CimInstance")]
    public PSObject? InputObject { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = "QueryComputerSet")]
    public string? Query { get; set; }

    [Parameter]
    public string Namespace { get; set; } = @"root\cimv2";

    [Parameter(Position = 1, Mandatory = true), Alias("Name")]
    public string MethodName { get; set; } = "";

    [Parameter(Position = 2)]
    public IDictionary Arguments { get; set; } = new Hashtable();

    [Parameter, Alias("OT")]
    public uint OperationTimeoutSec { get; set; }

    protected override void ProcessRecord()
    {
        try
        {
            var (type, targets) = Targets();
            foreach (var target in targets) WriteObject(Call(type, target));
        }
        catch (VirtualizationException error)
        {
            WriteError(CimException.Record(error, InputObject));
        }
    }

    private (string, IEnumerable<PSObject?>) Targets()
    {
        if (InputObject is not null) return (AetherV.Rig.Cim.Rows.ClassOf(InputObject), [InputObject]);
        if (Query is null) return (ClassName, [null]);
        var (type, filter, _) = AetherV.Rig.Cim.Wql.Split(Query);
        return (type, Provider.Rows(Namespace, type).Where(new AetherV.Rig.Cim.Wql(filter).Takes).ToList());
    }

    private PSObject Call(string type, PSObject? target)
    {
        var call = $"CIM:{type}.{MethodName}";
        var known = AetherV.Rig.Cim.Methods.All.FirstOrDefault(one => string.Equals(one.Key, $"{type}.{MethodName}", StringComparison.OrdinalIgnoreCase)).Value
            ?? throw new VirtualizationException($"Invalid method '{MethodName}' of '{type}'", "InvalidMethod", ErrorCategory.MetadataError) { HResult = unchecked((int)0x80041055) };
        Calls.Begin(call);
        var result = known(target, Arguments);
        Calls.End(call);
        return result;
    }
}
