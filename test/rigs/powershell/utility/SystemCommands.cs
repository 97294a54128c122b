using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Security.Cryptography;

namespace Microsoft.PowerShell.Commands;

[Cmdlet(VerbsCommon.Add, "Type")]
public sealed class AddTypeCommand : PSCmdlet
{
    [Parameter(Position = 0)]
    public string? TypeDefinition { get; set; }

    [Parameter]
    public string? MemberDefinition { get; set; }

    [Parameter]
    public string? Name { get; set; }

    [Parameter]
    public string? Namespace { get; set; }

    [Parameter, Alias("AN")]
    public string[]? AssemblyName { get; set; }

    [Parameter, Alias("PSPath")]
    public string[]? LiteralPath { get; set; }

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>Loads assemblies by name. Source code is refused: no compiler is in the rig.</summary>
    protected override void EndProcessing()
    {
        if (AssemblyName is null)
        {
            this.Refuse("The rig's Add-Type compiles no source (-TypeDefinition, -MemberDefinition, -LiteralPath); only -AssemblyName is emulated.", "RigNotEmulated");
        }

        foreach (var name in AssemblyName!)
        {
            try
            {
                var assembly = System.Reflection.Assembly.Load(name);
                if (PassThru) WriteObject(assembly.GetExportedTypes(), true);
            }
            catch (IOException error)
            {
                ThrowTerminatingError(new ErrorRecord(error, "ASSEMBLY_NOT_FOUND", ErrorCategory.ObjectNotFound, name));
            }
        }
    }
}

[Cmdlet(VerbsCommon.Get, "FileHash", DefaultParameterSetName = "Path")]
public sealed class GetFileHashCommand : PSCmdlet
{
    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Path", ValueFromPipelineByPropertyName = true)]
    public string[] Path { get; set; } = [];

    [Parameter(Mandatory = true, ParameterSetName = "LiteralPath", ValueFromPipelineByPropertyName = true), Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    [Parameter(Mandatory = true, ParameterSetName = "Stream")]
    public Stream? InputStream { get; set; }

    [Parameter, ValidateSet("SHA1", "SHA256", "SHA384", "SHA512", "MD5")]
    public string Algorithm { get; set; } = "SHA256";

    protected override void ProcessRecord()
    {
        if (InputStream is not null) Emit(InputStream, null);
        foreach (var given in LiteralPath) Hash(given, GetUnresolvedProviderPathFromPSPath(given));
        foreach (var given in Path)
        {
            foreach (var file in GetResolvedProviderPathFromPSPath(given, out _)) Hash(given, file);
        }
    }

    private void Hash(string given, string file)
    {
        try
        {
            using var stream = File.OpenRead(file);
            Emit(stream, given);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            WriteError(new ErrorRecord(error, "FileReadError", ErrorCategory.ReadError, given));
        }
    }

    private void Emit(Stream stream, string? path)
    {
        using HashAlgorithm algorithm = Algorithm.ToUpperInvariant() switch
        {
            "SHA1" => SHA1.Create(), "SHA384" => SHA384.Create(), "SHA512" => SHA512.Create(), "MD5" => MD5.Create(), _ => SHA256.Create(),
        };
        var result = new PSObject();
        result.Properties.Add(new PSNoteProperty("Algorithm", Algorithm.ToUpperInvariant()));
        result.Properties.Add(new PSNoteProperty("Hash", Convert.ToHexString(algorithm.ComputeHash(stream))));
        result.Properties.Add(new PSNoteProperty("Path", path));
        WriteObject(result);
    }
}

[Cmdlet(VerbsCommon.Get, "Date")]
public sealed class GetDateCommand : PSCmdlet
{
    [Parameter(Position = 0, ValueFromPipeline = true)]
    public DateTime Date { get; set; } = DateTime.Now;

    [Parameter]
    public string? Format { get; set; }

    [Parameter]
    public string? UFormat { get; set; }

    [Parameter]
    public SwitchParameter AsUTC { get; set; }

    protected override void ProcessRecord()
    {
        this.RefuseInDesktop("AsUTC");
        if (UFormat is not null) this.Refuse("The rig does not emulate -UFormat.", "RigNotEmulated");
        var date = AsUTC ? Date.ToUniversalTime() : Date;
        if (Format is not null) WriteObject(date.ToString(Format, CultureInfo.CurrentCulture));
        else WriteObject(date);
    }
}

[Cmdlet(VerbsCommon.New, "TimeSpan")]
public sealed class NewTimeSpanCommand : PSCmdlet
{
    [Parameter]
    public int Days { get; set; }

    [Parameter]
    public int Hours { get; set; }

    [Parameter]
    public int Minutes { get; set; }

    [Parameter]
    public int Seconds { get; set; }

    [Parameter(Position = 0)]
    public DateTime? Start { get; set; }

    [Parameter(Position = 1)]
    public DateTime? End { get; set; }

    protected override void EndProcessing() =>
        WriteObject(Start is null && End is null ? new TimeSpan(Days, Hours, Minutes, Seconds) : (End ?? DateTime.Now) - (Start ?? DateTime.Now));
}

[Cmdlet(VerbsLifecycle.Start, "Sleep", DefaultParameterSetName = "Seconds")]
public sealed class StartSleepCommand : PSCmdlet
{
    private readonly ManualResetEventSlim stopped = new();

    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Seconds", ValueFromPipeline = true)]
    public double Seconds { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = "Milliseconds"), Alias("ms")]
    public int Milliseconds { get; set; }

    /// <summary>5.1 takes whole seconds only: a fraction is rounded by the binder.</summary>
    protected override void ProcessRecord()
    {
        var seconds = Edition.IsDesktop ? Math.Round(Seconds, MidpointRounding.ToEven) : Seconds;
        stopped.Wait(ParameterSetName == "Milliseconds" ? TimeSpan.FromMilliseconds(Milliseconds) : TimeSpan.FromSeconds(seconds));
    }

    protected override void StopProcessing() => stopped.Set();
}

[Cmdlet(VerbsCommon.Get, "Random")]
public sealed class GetRandomCommand : PSCmdlet
{
    private readonly List<object> items = [];

    [Parameter(Position = 0)]
    public object? Maximum { get; set; }

    [Parameter]
    public object? Minimum { get; set; }

    [Parameter(ValueFromPipeline = true)]
    public object[]? InputObject { get; set; }

    [Parameter]
    public int Count { get; set; } = 1;

    protected override void ProcessRecord()
    {
        if (InputObject is not null) items.AddRange(InputObject);
    }

    protected override void EndProcessing()
    {
        if (items.Count > 0)
        {
            WriteObject(items.OrderBy(_ => Random.Shared.Next()).Take(Count).ToArray(), true);
            return;
        }

        var from = Minimum is null ? 0 : LanguagePrimitives.ConvertTo<long>(Minimum);
        var to = Maximum is null ? int.MaxValue : LanguagePrimitives.ConvertTo<long>(Maximum);
        for (var round = 0; round < Count; round++)
        {
            var value = Random.Shared.NextInt64(from, to);
            WriteObject(value is >= int.MinValue and <= int.MaxValue ? (int)value : value);
        }
    }
}

[Cmdlet(VerbsCommon.New, "Guid")]
public sealed class NewGuidCommand : PSCmdlet
{
    protected override void EndProcessing() => WriteObject(Guid.NewGuid());
}

[Cmdlet(VerbsCommon.New, "TemporaryFile", SupportsShouldProcess = true)]
public sealed class NewTemporaryFileCommand : PSCmdlet
{
    protected override void EndProcessing()
    {
        if (ShouldProcess(System.IO.Path.GetTempPath())) WriteObject(new FileInfo(System.IO.Path.GetTempFileName()));
    }
}

[Cmdlet(VerbsCommon.Get, "Culture")]
public sealed class GetCultureCommand : PSCmdlet
{
    protected override void EndProcessing() => WriteObject(CultureInfo.CurrentCulture);
}

[Cmdlet(VerbsData.Import, "PowerShellDataFile")]
public sealed class ImportPowerShellDataFileCommand : PSCmdlet
{
    [Parameter(Position = 0)]
    public string[] Path { get; set; } = [];

    [Parameter, Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    protected override void ProcessRecord()
    {
        foreach (var given in Path.Concat(LiteralPath))
        {
            var tree = System.Management.Automation.Language.Parser.ParseFile(GetUnresolvedProviderPathFromPSPath(given), out _, out var errors);
            var data = tree.Find(node => node is System.Management.Automation.Language.HashtableAst, false);
            if (errors.Length > 0 || data is null) this.Refuse($"'{given}' holds no data table.", "CouldNotParseAsPowerShellDataFile");
            WriteObject((Hashtable)((System.Management.Automation.Language.HashtableAst)data!).SafeGetValue());
        }
    }
}

[Cmdlet(VerbsCommon.Get, "Variable")]
public sealed class GetVariableCommand : PSCmdlet
{
    [Parameter(Position = 0, ValueFromPipeline = true)]
    public string[] Name { get; set; } = [];

    [Parameter]
    public SwitchParameter ValueOnly { get; set; }

    [Parameter]
    public string? Scope { get; set; }

    protected override void ProcessRecord()
    {
        foreach (var name in Name)
        {
            var variable = SessionState.PSVariable.Get(Scope is null ? name : $"{Scope}:{name}");
            if (variable is null)
            {
                WriteError(new ErrorRecord(new ItemNotFoundException($"Cannot find a variable with the name '{name}'."), "VariableNotFound", ErrorCategory.ObjectNotFound, name));
            }
            else WriteObject(ValueOnly ? variable.Value : variable);
        }
    }
}

[Cmdlet(VerbsCommon.Set, "Variable")]
public sealed class SetVariableCommand : PSCmdlet
{
    [Parameter(Position = 0, Mandatory = true)]
    public string[] Name { get; set; } = [];

    [Parameter(Position = 1)]
    public object? Value { get; set; }

    [Parameter]
    public string? Scope { get; set; }

    protected override void EndProcessing()
    {
        foreach (var name in Name) SessionState.PSVariable.Set(Scope is null ? name : $"{Scope}:{name}", Value);
    }
}
