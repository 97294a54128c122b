using System.Collections;
using System.Collections.ObjectModel;
using System.Management.Automation;

namespace Microsoft.PowerShell.Commands;

[Cmdlet(VerbsCommon.Select, "Object", DefaultParameterSetName = "Default")]
public sealed class SelectObjectCommand : PSCmdlet
{
    private readonly List<PSObject> kept = [];
    private readonly List<PSObject> distinct = [];
    private int seen;
    private int written;

    [Parameter(ValueFromPipeline = true)]
    public PSObject? InputObject { get; set; }

    [Parameter(Position = 0)]
    public object[]? Property { get; set; }

    [Parameter]
    public string[]? ExcludeProperty { get; set; }

    [Parameter]
    public string? ExpandProperty { get; set; }

    [Parameter]
    public SwitchParameter Unique { get; set; }

    [Parameter, ValidateRange(0, int.MaxValue)]
    public int First { get; set; } = -1;

    [Parameter, ValidateRange(0, int.MaxValue)]
    public int Last { get; set; } = -1;

    [Parameter, ValidateRange(0, int.MaxValue)]
    public int Skip { get; set; }

    [Parameter]
    public int[]? Index { get; set; }

    [Parameter]
    public SwitchParameter Wait { get; set; }

    protected override void ProcessRecord()
    {
        if (InputObject is null) return;
        var position = seen++;
        if (Index is not null)
        {
            if (Index.Contains(position)) Emit(InputObject);
        }
        else if (Last >= 0) kept.Add(InputObject);
        else if (position >= Skip && (First < 0 || written < First))
        {
            written++;
            Emit(InputObject);
        }
    }

    protected override void EndProcessing()
    {
        var upto = Math.Max(0, kept.Count - Skip);
        for (var at = Math.Max(0, upto - Math.Max(Last, 0)); at < upto; at++) Emit(kept[at]);
        foreach (var item in distinct) WriteObject(item);
    }

    private void Emit(PSObject item)
    {
        var shaped = Property is null && ExcludeProperty is null ? item : Shape(item);
        if (ExpandProperty is null)
        {
            Output(shaped);
            return;
        }

        var picker = new PropertyPicker(ExpandProperty);
        if (!picker.Exists(item))
        {
            WriteError(new ErrorRecord(new PSArgumentException($"Property \"{ExpandProperty}\" cannot be found."), "ExpandPropertyNotFound", ErrorCategory.InvalidArgument, item));
            return;
        }

        var value = picker.First(item);
        foreach (var part in LanguagePrimitives.GetEnumerable(value) ?? new[] { value })
        {
            if (part is not null) Output(PSObject.AsPSObject(part));
        }
    }

    private PSObject Shape(PSObject item)
    {
        var target = new PSObject();
        foreach (var picker in (Property ?? ["*"]).Select(given => new PropertyPicker(given)))
        {
            foreach (var (name, value) in picker.Pick(item))
            {
                if (target.Properties[name] is null && !Excluded(name)) target.Properties.Add(new PSNoteProperty(name, value));
            }
        }

        return target;
    }

    private bool Excluded(string name) =>
        ExcludeProperty?.Any(pattern => WildcardPattern.Get(pattern, WildcardOptions.IgnoreCase).IsMatch(name)) ?? false;

    private void Output(PSObject item)
    {
        if (!Unique) WriteObject(item);
        else if (!distinct.Any(other => Same(other, item))) distinct.Add(item);
    }

    private static bool Same(PSObject left, PSObject right)
    {
        if (left.BaseObject is not PSCustomObject) return LanguagePrimitives.Equals(left, right);
        var mine = PropertyPicker.Members(left).ToList();
        var theirs = PropertyPicker.Members(right).ToList();
        return mine.Count == theirs.Count && mine.Zip(theirs).All(pair => pair.First.Name == pair.Second.Name && LanguagePrimitives.Equals(pair.First.Value, pair.Second.Value));
    }
}

[Cmdlet(VerbsCommon.New, "Object", DefaultParameterSetName = "Net")]
public sealed class NewObjectCommand : PSCmdlet
{
    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Net")]
    public string TypeName { get; set; } = "";

    [Parameter(Mandatory = true, ParameterSetName = "Com")]
    public string? ComObject { get; set; }

    [Parameter(Position = 1, ParameterSetName = "Net"), Alias("Args")]
    public object[] ArgumentList { get; set; } = [];

    [Parameter]
    public IDictionary? Property { get; set; }

    protected override void BeginProcessing()
    {
        if (ComObject is not null) this.Refuse("The rig has no COM.", "NoCOMClassIdentified");
        if (TypeName.ToLowerInvariant() is "psobject" or "pscustomobject" or "system.management.automation.psobject")
        {
            var plain = new PSObject();
            foreach (DictionaryEntry entry in Property ?? new Hashtable()) plain.Properties.Add(new PSNoteProperty(entry.Key.ToString(), entry.Value));
            WriteObject(plain);
            return;
        }

        if (!LanguagePrimitives.TryConvertTo<Type>(TypeName, out var type))
        {
            ThrowTerminatingError(new ErrorRecord(
                new PSArgumentException($"Cannot find type [{TypeName}]: verify that the assembly containing this type is loaded."), "TypeNotFound", ErrorCategory.InvalidType, TypeName));
        }

        WriteObject(Create(type!), enumerateCollection: false);
    }

    private object Create(Type type)
    {
        var make = ScriptBlock.Create("param($t, $a, $p) $o = $t::new.Invoke($a); if ($p) { foreach ($k in $p.Keys) { $o.$k = $p[$k] } }; , $o");
        return make.InvokeReturnAsIs(type, ArgumentList, Property);
    }
}

[Cmdlet(VerbsCommon.Add, "Member")]
public sealed class AddMemberCommand : PSCmdlet
{
    [Parameter(Mandatory = true, ValueFromPipeline = true)]
    public PSObject InputObject { get; set; } = new();

    [Parameter]
    public PSMemberTypes MemberType { get; set; } = PSMemberTypes.NoteProperty;

    [Parameter(Position = 0), Alias("NotePropertyName")]
    public string? Name { get; set; }

    [Parameter(Position = 1), Alias("NotePropertyValue")]
    public object? Value { get; set; }

    [Parameter]
    public IDictionary? NotePropertyMembers { get; set; }

    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    protected override void ProcessRecord()
    {
        if (Name is not null) Add(Name, Value);
        foreach (DictionaryEntry entry in NotePropertyMembers ?? new Hashtable()) Add(entry.Key.ToString()!, entry.Value);
        if (PassThru) WriteObject(InputObject);
    }

    private void Add(string name, object? value)
    {
        PSMemberInfo member = MemberType switch
        {
            PSMemberTypes.NoteProperty => new PSNoteProperty(name, value),
            PSMemberTypes.ScriptProperty => new PSScriptProperty(name, LanguagePrimitives.ConvertTo<ScriptBlock>(value)),
            PSMemberTypes.ScriptMethod => new PSScriptMethod(name, LanguagePrimitives.ConvertTo<ScriptBlock>(value)),
            _ => throw new PSNotSupportedException($"The rig does not emulate -MemberType {MemberType}."),
        };
        if (InputObject.Members[name] is not null)
        {
            if (!Force)
            {
                WriteError(new ErrorRecord(
                    new InvalidOperationException($"Cannot add a member with the name \"{name}\" because a member with that name already exists."), "MemberAlreadyExists", ErrorCategory.ResourceExists, InputObject));
                return;
            }

            InputObject.Members.Remove(name);
        }

        InputObject.Members.Add(member);
    }
}
