using System.Management.Automation;

namespace Microsoft.PowerShell.Commands;

[Cmdlet(VerbsData.ConvertTo, "Json")]
[OutputType(typeof(string))]
public sealed class ConvertToJsonCommand : PSCmdlet
{
    private readonly List<object?> inputs = [];

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true), AllowNull]
    public object? InputObject { get; set; }

    [Parameter, ValidateRange(0, 100)]
    public int Depth { get; set; } = 2;

    [Parameter]
    public SwitchParameter Compress { get; set; }

    [Parameter]
    public SwitchParameter EnumsAsStrings { get; set; }

    [Parameter]
    public SwitchParameter AsArray { get; set; }

    [Parameter]
    public string? EscapeHandling { get; set; }

    protected override void BeginProcessing()
    {
        foreach (var name in new[] { "EnumsAsStrings", "AsArray", "EscapeHandling" }) this.RefuseInDesktop(name);
        if (EscapeHandling is not null) this.Refuse("The rig does not emulate -EscapeHandling.", "RigNotEmulated");
    }

    protected override void ProcessRecord() => inputs.Add(InputObject);

    protected override void EndProcessing()
    {
        if (inputs.Count == 0) return;
        var value = inputs.Count > 1 || AsArray ? inputs.ToArray() : inputs[0];
        var writer = new JsonWriter(Depth, Compress, Edition.IsDesktop, EnumsAsStrings, WriteWarning);
        WriteObject(writer.Write(value));
    }
}

[Cmdlet(VerbsData.ConvertFrom, "Json")]
public sealed class ConvertFromJsonCommand : PSCmdlet
{
    /// <summary>What JavaScriptSerializer takes at most in 5.1, in characters.</summary>
    private const int DesktopLimit = 2_097_152;

    private readonly List<string> inputs = [];

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true), AllowEmptyString]
    public string InputObject { get; set; } = "";

    [Parameter]
    public SwitchParameter AsHashtable { get; set; }

    [Parameter, ValidateRange(1, int.MaxValue)]
    public int Depth { get; set; } = 1024;

    [Parameter]
    public SwitchParameter NoEnumerate { get; set; }

    [Parameter]
    public string? DateKind { get; set; }

    protected override void BeginProcessing()
    {
        foreach (var name in new[] { "AsHashtable", "Depth", "NoEnumerate", "DateKind" }) this.RefuseInDesktop(name);
        if (DateKind is not null) this.Refuse("The rig does not emulate -DateKind.", "RigNotEmulated");
        if (Edition.IsDesktop) Depth = 100;
    }

    protected override void ProcessRecord() => inputs.Add(InputObject);

    protected override void EndProcessing()
    {
        if (inputs.Count == 0) return;
        if (inputs.Count > 1 && IsWhole(inputs[0]))
        {
            foreach (var input in inputs) Convert(input);
        }
        else
        {
            Convert(string.Join(Environment.NewLine, inputs));
        }
    }

    private bool IsWhole(string text)
    {
        try
        {
            new JsonReader(text, Edition.IsDesktop, Depth, AsHashtable).Read();
            return true;
        }
        catch (JsonReader.Wrong)
        {
            return false;
        }
    }

    private void Convert(string text)
    {
        if (string.IsNullOrWhiteSpace(text)) return;
        if (Edition.IsDesktop && text.Length > DesktopLimit)
        {
            Fail("Error during serialization or deserialization using the JSON JavaScriptSerializer. The length of the string exceeds the value set on the maxJsonLength property.");
        }

        try
        {
            var value = new JsonReader(text, Edition.IsDesktop, Depth, AsHashtable).Read();
            WriteObject(value, enumerateCollection: !Edition.IsDesktop && !NoEnumerate);
        }
        catch (JsonReader.Wrong wrong)
        {
            Fail(wrong.Message);
        }
    }

    private void Fail(string message) => ThrowTerminatingError(new ErrorRecord(
        new ArgumentException(message), "System.ArgumentException", ErrorCategory.NotSpecified, null));
}
