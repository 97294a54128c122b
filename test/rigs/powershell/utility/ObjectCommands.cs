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

[Cmdlet("Measure", "Object")]
public sealed class MeasureObjectCommand : PSCmdlet
{
    private readonly List<double> values = [];
    private readonly List<object> raw = [];
    private int count;

    [Parameter(ValueFromPipeline = true)]
    public PSObject? InputObject { get; set; }

    [Parameter(Position = 0)]
    public object[]? Property { get; set; }

    [Parameter]
    public SwitchParameter Sum { get; set; }

    [Parameter]
    public SwitchParameter Average { get; set; }

    [Parameter]
    public SwitchParameter Maximum { get; set; }

    [Parameter]
    public SwitchParameter Minimum { get; set; }

    protected override void ProcessRecord()
    {
        if (InputObject is null) return;
        var value = Property is null ? InputObject : new PropertyPicker(Property[0]).First(InputObject);
        if (value is null) return;
        count++;
        raw.Add(value);
        if ((Sum || Average) && LanguagePrimitives.TryConvertTo<double>(value, out var number)) values.Add(number);
    }

    protected override void EndProcessing()
    {
        if (Property is not null && count == 0 && (Sum || Average || Maximum || Minimum))
        {
            // In 5.1 and 7 nothing comes out where the property was never there.
            return;
        }

        var result = new PSObject();
        result.TypeNames.Insert(0, "Microsoft.PowerShell.Commands.GenericMeasureInfo");
        result.Properties.Add(new PSNoteProperty("Count", count));
        result.Properties.Add(new PSNoteProperty("Average", Average ? values.Average() : null));
        result.Properties.Add(new PSNoteProperty("Sum", Sum ? values.Sum() : null));
        result.Properties.Add(new PSNoteProperty("Maximum", Maximum ? Extreme(1) : null));
        result.Properties.Add(new PSNoteProperty("Minimum", Minimum ? Extreme(-1) : null));
        result.Properties.Add(new PSNoteProperty("Property", Property?[0]?.ToString()));
        WriteObject(result);
    }

    private object? Extreme(int sign)
    {
        var best = raw.FirstOrDefault();
        foreach (var value in raw.Where(value => sign * LanguagePrimitives.Compare(value, best, true) > 0)) best = value;
        return best is not null && LanguagePrimitives.TryConvertTo<double>(best, out var number) ? number : best;
    }
}

[Cmdlet("Sort", "Object")]
public sealed class SortObjectCommand : PSCmdlet
{
    private readonly List<PSObject> items = [];

    [Parameter(ValueFromPipeline = true)]
    public PSObject? InputObject { get; set; }

    [Parameter(Position = 0)]
    public object[]? Property { get; set; }

    [Parameter]
    public SwitchParameter Descending { get; set; }

    [Parameter]
    public SwitchParameter Unique { get; set; }

    [Parameter]
    public SwitchParameter CaseSensitive { get; set; }

    [Parameter]
    public SwitchParameter Stable { get; set; }

    protected override void BeginProcessing() => this.RefuseInDesktop("Stable");

    protected override void ProcessRecord()
    {
        if (InputObject is not null) items.Add(InputObject);
    }

    protected override void EndProcessing()
    {
        var pickers = Property?.Select(given => new PropertyPicker(given)).ToList();
        var keyed = items.Select(item => (Item: item, Keys: pickers?.Select(picker => picker.First(item)).ToArray() ?? [item])).ToList();
        var comparer = Comparer<object?[]>.Create((left, right) => Compare(left, right, pickers));
        IEnumerable<(PSObject Item, object?[] Keys)> sorted = keyed.OrderBy(entry => entry.Keys, comparer);
        object?[]? last = null;
        foreach (var (item, keys) in sorted)
        {
            if (Unique && last is not null && comparer.Compare(last, keys) == 0) continue;
            last = keys;
            WriteObject(item);
        }
    }

    private int Compare(object?[] left, object?[] right, List<PropertyPicker>? pickers)
    {
        for (var at = 0; at < left.Length; at++)
        {
            var order = CompareValues(left[at], right[at]);
            if (order != 0) return pickers?[at].Descending ?? Descending.IsPresent ? -order : order;
        }

        return 0;
    }

    private int CompareValues(object? left, object? right) =>
        LanguagePrimitives.TryCompare(left, right, !CaseSensitive.IsPresent, out var order)
            ? order
            : string.Compare(left?.ToString(), right?.ToString(), StringComparison.OrdinalIgnoreCase);
}

[Cmdlet(VerbsData.Group, "Object")]
public sealed class GroupObjectCommand : PSCmdlet
{
    private readonly List<(string Key, object? Value, Collection<PSObject> Items)> groups = [];

    [Parameter(ValueFromPipeline = true)]
    public PSObject? InputObject { get; set; }

    [Parameter(Position = 0)]
    public object[]? Property { get; set; }

    [Parameter]
    public SwitchParameter AsHashTable { get; set; }

    [Parameter]
    public SwitchParameter AsString { get; set; }

    [Parameter]
    public SwitchParameter NoElement { get; set; }

    protected override void ProcessRecord()
    {
        if (InputObject is null) return;
        var values = Property?.Select(given => new PropertyPicker(given).First(InputObject)).ToArray() ?? [InputObject];
        var key = string.Join(", ", values.Select(value => LanguagePrimitives.ConvertTo<string>(value)));
        var found = groups.FindIndex(group => string.Equals(group.Key, key, StringComparison.OrdinalIgnoreCase));
        if (found < 0) groups.Add((key, values.Length == 1 ? values[0] : values, [InputObject]));
        else groups[found].Items.Add(InputObject);
    }

    protected override void EndProcessing()
    {
        if (AsHashTable)
        {
            var table = new Hashtable(StringComparer.OrdinalIgnoreCase);
            foreach (var (key, value, items) in groups) table[AsString || value is null ? key : value is PSObject wrapped ? wrapped.BaseObject : value] = items.ToArray();
            WriteObject(table);
            return;
        }

        foreach (var (key, value, items) in groups.OrderBy(group => group.Key, StringComparer.OrdinalIgnoreCase))
        {
            var group = new PSObject();
            group.TypeNames.Insert(0, "Microsoft.PowerShell.Commands.GroupInfo");
            group.Properties.Add(new PSNoteProperty("Values", new[] { value }));
            group.Properties.Add(new PSNoteProperty("Count", items.Count));
            group.Properties.Add(new PSNoteProperty("Group", NoElement ? null : items));
            group.Properties.Add(new PSNoteProperty("Name", key));
            WriteObject(group);
        }
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
