using System.Collections;
using System.Collections.ObjectModel;
using System.Management.Automation;

namespace Microsoft.PowerShell.Commands;

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
