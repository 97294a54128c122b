using System.Management.Automation;

namespace Microsoft.PowerShell.Commands;

[Cmdlet(VerbsCommon.Join, "Path")]
public sealed class JoinPathCommand : PSCmdlet
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true), Alias("PSPath")]
    public string[] Path { get; set; } = [];

    [Parameter(Position = 1, Mandatory = true, ValueFromPipelineByPropertyName = true), AllowEmptyString]
    public string ChildPath { get; set; } = "";

    [Parameter(Position = 2, ValueFromRemainingArguments = true)]
    public string[]? AdditionalChildPath { get; set; }

    [Parameter]
    public SwitchParameter Resolve { get; set; }

    protected override void ProcessRecord()
    {
        this.RefuseInDesktop("AdditionalChildPath");
        if (Resolve) this.Refuse("The rig does not emulate Join-Path -Resolve.", "RigNotEmulated");
        foreach (var path in Path) WriteObject((AdditionalChildPath ?? []).Prepend(ChildPath).Aggregate(path, Paths.Join));
    }
}

[Cmdlet(VerbsCommon.Split, "Path", DefaultParameterSetName = "ParentSet")]
public sealed class SplitPathCommand : PSCmdlet
{
    [Parameter(Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    public string[] Path { get; set; } = [];

    [Parameter(ValueFromPipelineByPropertyName = true), Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    [Parameter]
    public SwitchParameter Parent { get; set; }

    [Parameter]
    public SwitchParameter Leaf { get; set; }

    [Parameter]
    public SwitchParameter LeafBase { get; set; }

    [Parameter]
    public SwitchParameter Extension { get; set; }

    [Parameter]
    public SwitchParameter Qualifier { get; set; }

    [Parameter]
    public SwitchParameter NoQualifier { get; set; }

    [Parameter]
    public SwitchParameter IsAbsolute { get; set; }

    protected override void ProcessRecord()
    {
        foreach (var name in new[] { "LeafBase", "Extension" }) this.RefuseInDesktop(name);
        if (Edition.IsDesktop && LiteralPath.Length > 0 && (Parent || Leaf || Qualifier || NoQualifier || IsAbsolute))
        {
            // Windows PowerShell: -LiteralPath has a parameter set of its own, without -Leaf, -Parent and the like.
            this.Refuse("Parameter set cannot be resolved using the specified named parameters.", "AmbiguousParameterSet");
        }

        foreach (var path in Path.Concat(LiteralPath)) WriteObject(Part(path));
    }

    private object Part(string path)
    {
        if (Leaf) return Paths.Leaf(path);
        if (LeafBase) return System.IO.Path.GetFileNameWithoutExtension(Paths.Leaf(path));
        if (Extension) return System.IO.Path.GetExtension(Paths.Leaf(path));
        if (IsAbsolute) return Paths.IsWindows(path) || path.StartsWith('/');
        var colon = path.IndexOf(':');
        if (Qualifier) return colon > 0 ? path[..(colon + 1)] : throw new FormatException($"Cannot parse path because path '{path}' does not have a qualifier specified.");
        if (NoQualifier) return colon > 0 ? path[(colon + 1)..] : path;
        return Paths.Parent(path);
    }
}

[Cmdlet(VerbsDiagnostic.Test, "Path", DefaultParameterSetName = "Path")]
public sealed class TestPathCommand : PSCmdlet
{
    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Path", ValueFromPipeline = true, ValueFromPipelineByPropertyName = true), AllowEmptyString]
    public string[] Path { get; set; } = [];

    [Parameter(Mandatory = true, ParameterSetName = "LiteralPath", ValueFromPipelineByPropertyName = true), Alias("PSPath", "LP"), AllowEmptyString]
    public string[] LiteralPath { get; set; } = [];

    [Parameter, ValidateSet("Any", "Container", "Leaf")]
    public string PathType { get; set; } = "Any";

    [Parameter]
    public SwitchParameter IsValid { get; set; }

    protected override void ProcessRecord()
    {
        if (IsValid) this.Refuse("The rig does not emulate Test-Path -IsValid.", "RigNotEmulated");
        foreach (var path in Path.Concat(LiteralPath)) WriteObject(Exists(path));
    }

    private bool Exists(string path)
    {
        if (string.IsNullOrWhiteSpace(path)) return false;
        var literal = ParameterSetName == "LiteralPath";
        try
        {
            if (!InvokeProvider.Item.Exists(path, force: true, literalPath: literal)) return false;
            if (PathType == "Any") return true;
            return InvokeProvider.Item.IsContainer(literal ? WildcardPattern.Escape(path) : path) == (PathType == "Container");
        }
        catch (System.Management.Automation.DriveNotFoundException)
        {
            return false;
        }
        catch (ItemNotFoundException)
        {
            return false;
        }
    }
}

[Cmdlet(VerbsDiagnostic.Resolve, "Path")]
public sealed class ResolvePathCommand : PSCmdlet
{
    [Parameter(Position = 0, ValueFromPipeline = true)]
    public string[] Path { get; set; } = [];

    [Parameter, Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    protected override void ProcessRecord()
    {
        foreach (var path in Path.Concat(LiteralPath.Select(WildcardPattern.Escape)))
        {
            try
            {
                foreach (var found in SessionState.Path.GetResolvedPSPathFromPSPath(path))
                {
                    var result = PSObject.AsPSObject(found);
                    result.Properties.Add(new PSNoteProperty("ProviderPath", Paths.ToWindows(found.ProviderPath)));
                    WriteObject(result);
                }
            }
            catch (ItemNotFoundException error)
            {
                WriteError(new ErrorRecord(error, "PathNotFound", ErrorCategory.ObjectNotFound, path));
            }
        }
    }
}

[Cmdlet(VerbsData.Convert, "Path")]
public sealed class ConvertPathCommand : PSCmdlet
{
    [Parameter, Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>The path of this machine: where .NET finds the file.</summary>
    protected override void ProcessRecord()
    {
        foreach (var path in LiteralPath) WriteObject(GetUnresolvedProviderPathFromPSPath(path));
    }
}

[Cmdlet(VerbsCommon.Get, "Location")]
public sealed class GetLocationCommand : PSCmdlet
{
    protected override void EndProcessing() => WriteObject(SessionState.Path.CurrentLocation);
}

[Cmdlet(VerbsCommon.Set, "Location")]
public sealed class SetLocationCommand : PSCmdlet
{
    [Parameter(Position = 0)]
    public string? Path { get; set; }

    [Parameter, Alias("PSPath", "LP")]
    public string? LiteralPath { get; set; }

    protected override void EndProcessing() => SessionState.Path.SetLocation(LiteralPath is null ? Path ?? "~" : WildcardPattern.Escape(LiteralPath));
}

[Cmdlet(VerbsCommon.Get, "PSDrive")]
public sealed class GetPSDriveCommand : PSCmdlet
{
    [Parameter(Position = 0)]
    public string[]? Name { get; set; }

    [Parameter]
    public string[]? PSProvider { get; set; }

    protected override void EndProcessing()
    {
        foreach (var drive in SessionState.Drive.GetAll())
        {
            if (Name is not null && !Name.Contains(drive.Name, StringComparer.OrdinalIgnoreCase)) continue;
            if (PSProvider is not null && !PSProvider.Contains(drive.Provider.Name, StringComparer.OrdinalIgnoreCase)) continue;
            WriteObject(drive);
        }
    }
}

[Cmdlet(VerbsCommon.New, "PSDrive")]
public sealed class NewPSDriveCommand : PSCmdlet
{
    [Parameter(Position = 0, Mandatory = true)]
    public string Name { get; set; } = "";

    [Parameter(Position = 1, Mandatory = true)]
    public string PSProvider { get; set; } = "";

    [Parameter(Position = 2, Mandatory = true)]
    public string Root { get; set; } = "";

    [Parameter]
    public string Scope { get; set; } = "local";

    protected override void EndProcessing() =>
        WriteObject(SessionState.Drive.New(new PSDriveInfo(Name, SessionState.Provider.GetOne(PSProvider), Root, "", null), Scope));
}
