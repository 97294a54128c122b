using System.Collections.ObjectModel;
using System.Management.Automation;

namespace Microsoft.PowerShell.Commands;

/// <summary>Commands that take -Path (wildcards) or -LiteralPath, and write provider errors as the real ones do.</summary>
public abstract class ItemCommandBase : PSCmdlet
{
    [Parameter(Position = 0, ParameterSetName = "Path", ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    public string[] Path { get; set; } = [];

    [Parameter(Mandatory = true, ParameterSetName = "LiteralPath", ValueFromPipelineByPropertyName = true), Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    [Parameter]
    public SwitchParameter Force { get; set; }

    protected bool Literal => ParameterSetName == "LiteralPath";

    protected string[] Given => Literal ? LiteralPath : Path;

    /// <summary>Runs a provider call; its exception becomes a non-terminating error record with the provider's own id.</summary>
    protected void Attempt(string path, Action work)
    {
        try
        {
            work();
        }
        catch (PipelineStoppedException)
        {
            throw;
        }
        catch (Exception error) when (error is IContainsErrorRecord)
        {
            WriteError(new ErrorRecord(((IContainsErrorRecord)error).ErrorRecord, error));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            var denied = error is UnauthorizedAccessException;
            WriteError(new ErrorRecord(error, GetType().Name, denied ? ErrorCategory.PermissionDenied : ErrorCategory.WriteError, path));
        }
    }

    protected void Put(Collection<PSObject> items)
    {
        foreach (var item in items) WriteObject(Paths.Dress(item));
    }

    protected string Unresolved(string path) => GetUnresolvedProviderPathFromPSPath(path);
}

[Cmdlet(VerbsCommon.Get, "Item", DefaultParameterSetName = "Path")]
public sealed class GetItemCommand : ItemCommandBase
{
    protected override void ProcessRecord()
    {
        foreach (var path in Given) Attempt(path, () => Put(InvokeProvider.Item.Get([path], Force, Literal)));
    }
}

[Cmdlet(VerbsCommon.Get, "ChildItem", DefaultParameterSetName = "Path")]
public sealed class GetChildItemCommand : ItemCommandBase
{
    [Parameter]
    public string? Filter { get; set; }

    [Parameter]
    public string[]? Include { get; set; }

    [Parameter]
    public string[]? Exclude { get; set; }

    [Parameter]
    public SwitchParameter Recurse { get; set; }

    [Parameter]
    public SwitchParameter File { get; set; }

    [Parameter]
    public SwitchParameter Directory { get; set; }

    [Parameter]
    public SwitchParameter Name { get; set; }

    [Parameter]
    public SwitchParameter Hidden { get; set; }

    protected override void ProcessRecord()
    {
        if (Hidden || Include is not null) this.Refuse("The rig does not emulate Get-ChildItem -Hidden and -Include.", "RigNotEmulated");
        foreach (var path in Given.Length == 0 ? ["."] : Given)
        {
            Attempt(path, () =>
            {
                foreach (var item in InvokeProvider.ChildItem.Get([path], Recurse, Force, Literal).Where(Wanted))
                {
                    if (Name) WriteObject(((FileSystemInfo)item.BaseObject).Name);
                    else WriteObject(Paths.Dress(item));
                }
            });
        }
    }

    private bool Wanted(PSObject item)
    {
        if (item.BaseObject is not FileSystemInfo info) return true;
        if (File && info is not FileInfo) return false;
        if (Directory && info is not DirectoryInfo) return false;
        if (Filter is not null && !WildcardPattern.Get(Filter, WildcardOptions.IgnoreCase).IsMatch(info.Name)) return false;
        return Exclude is null || !Exclude.Any(pattern => WildcardPattern.Get(pattern, WildcardOptions.IgnoreCase).IsMatch(info.Name));
    }
}

[Cmdlet(VerbsCommon.New, "Item", SupportsShouldProcess = true)]
public sealed class NewItemCommand : PSCmdlet
{
    [Parameter(Position = 0, Mandatory = true)]
    public string[] Path { get; set; } = [];

    [Parameter]
    public string? Name { get; set; }

    [Parameter, Alias("Type")]
    public string ItemType { get; set; } = "File";

    [Parameter, Alias("Target")]
    public object? Value { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

    protected override void ProcessRecord()
    {
        foreach (var path in Path)
        {
            var full = Name is null ? path : Paths.Join(path, Name);
            if (!ShouldProcess(full)) continue;
            try
            {
                foreach (var item in InvokeProvider.Item.New([full], null, ItemType, Value, Force)) WriteObject(Paths.Dress(item));
            }
            catch (Exception error) when (error is IContainsErrorRecord)
            {
                WriteError(new ErrorRecord(((IContainsErrorRecord)error).ErrorRecord, error));
            }
            catch (IOException error)
            {
                WriteError(new ErrorRecord(error, "NewItemIOError", ErrorCategory.WriteError, full));
            }
        }
    }
}

[Cmdlet(VerbsCommon.Remove, "Item", SupportsShouldProcess = true, DefaultParameterSetName = "Path")]
public sealed class RemoveItemCommand : ItemCommandBase
{
    [Parameter]
    public SwitchParameter Recurse { get; set; }

    protected override void ProcessRecord()
    {
        foreach (var path in Given)
        {
            if (!ShouldProcess(path)) continue;
            if (!Recurse && HasChildren(path))
            {
                // The real one prompts, which a non-interactive host cannot.
                ThrowTerminatingError(new ErrorRecord(new PSInvalidOperationException("PowerShell is in NonInteractive mode. Read and Prompt functionality is not available."), "InvalidOperation", ErrorCategory.InvalidOperation, path));
            }

            Attempt(path, () => InvokeProvider.Item.Remove([path], Recurse, Force, Literal));
        }
    }

    private bool HasChildren(string path)
    {
        var real = Literal ? Unresolved(path) : null;
        return real is not null && Directory.Exists(real) && Directory.EnumerateFileSystemEntries(real).Any();
    }
}

[Cmdlet(VerbsCommon.Move, "Item", SupportsShouldProcess = true, DefaultParameterSetName = "Path")]
public sealed class MoveItemCommand : ItemCommandBase
{
    [Parameter(Position = 1)]
    public string Destination { get; set; } = ".";

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord()
    {
        foreach (var path in Given)
        {
            if (!ShouldProcess(path)) continue;
            Attempt(path, () =>
            {
                var moved = InvokeProvider.Item.Move([path], Destination, Force, Literal);
                if (PassThru) Put(moved);
            });
        }
    }
}

[Cmdlet(VerbsCommon.Copy, "Item", SupportsShouldProcess = true, DefaultParameterSetName = "Path")]
public sealed class CopyItemCommand : ItemCommandBase
{
    [Parameter(Position = 1)]
    public string Destination { get; set; } = ".";

    [Parameter]
    public SwitchParameter Recurse { get; set; }

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord()
    {
        foreach (var path in Given)
        {
            if (!ShouldProcess(path)) continue;
            Attempt(path, () =>
            {
                var copied = InvokeProvider.Item.Copy([path], Destination, Recurse, CopyContainers.CopyTargetContainer, Force, Literal);
                if (PassThru) Put(copied);
            });
        }
    }
}

[Cmdlet(VerbsCommon.Rename, "Item", SupportsShouldProcess = true, DefaultParameterSetName = "Path")]
public sealed class RenameItemCommand : PSCmdlet
{
    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Path", ValueFromPipeline = true)]
    public string Path { get; set; } = "";

    [Parameter(Mandatory = true, ParameterSetName = "LiteralPath", ValueFromPipelineByPropertyName = true), Alias("PSPath", "LP")]
    public string LiteralPath { get; set; } = "";

    [Parameter(Position = 1, Mandatory = true)]
    public string NewName { get; set; } = "";

    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord()
    {
        var literal = ParameterSetName == "LiteralPath";
        var path = literal ? WildcardPattern.Escape(LiteralPath) : Path;
        if (!ShouldProcess(path)) return;
        try
        {
            var renamed = InvokeProvider.Item.Rename(path, Paths.IsWindows(NewName) ? Paths.Leaf(NewName) : NewName, Force);
            if (PassThru) foreach (var item in renamed) WriteObject(Paths.Dress(item));
        }
        catch (Exception error) when (error is IContainsErrorRecord)
        {
            WriteError(new ErrorRecord(((IContainsErrorRecord)error).ErrorRecord, error));
        }
        catch (IOException error)
        {
            WriteError(new ErrorRecord(error, "RenameItemIOError", ErrorCategory.WriteError, path));
        }
    }
}

[Cmdlet(VerbsCommon.Get, "ItemProperty", DefaultParameterSetName = "Path")]
public sealed class GetItemPropertyCommand : ItemCommandBase
{
    [Parameter(Position = 1)]
    public string[]? Name { get; set; }

    protected override void ProcessRecord()
    {
        foreach (var path in Given)
        {
            // No registry is in the rig: a key is never there.
            if (path.StartsWith("HK", StringComparison.OrdinalIgnoreCase) || path.StartsWith("Registry::", StringComparison.OrdinalIgnoreCase))
            {
                WriteError(new ErrorRecord(new ItemNotFoundException($"Cannot find path '{path}' because it does not exist."), "PathNotFound", ErrorCategory.ObjectNotFound, path));
                continue;
            }

            Attempt(path, () =>
            {
                foreach (var item in InvokeProvider.Property.Get([path], [.. Name ?? []], Literal)) WriteObject(item);
            });
        }
    }
}

[Cmdlet(VerbsCommon.Set, "ItemProperty", SupportsShouldProcess = true, DefaultParameterSetName = "Path")]
public sealed class SetItemPropertyCommand : ItemCommandBase
{
    [Parameter(Position = 1, Mandatory = true)]
    public string Name { get; set; } = "";

    [Parameter(Position = 2, Mandatory = true)]
    public object? Value { get; set; }

    /// <summary>The file attributes that agents set: IsReadOnly, Attributes, the times.</summary>
    protected override void ProcessRecord()
    {
        foreach (var path in Given)
        {
            if (!ShouldProcess(path)) continue;
            Attempt(path, () =>
            {
                foreach (var item in InvokeProvider.Item.Get([path], true, Literal))
                {
                    if (item.Properties[Name] is not { } property) throw new PSArgumentException($"The property '{Name}' does not exist.");
                    property.Value = Value;
                }
            });
        }
    }
}
