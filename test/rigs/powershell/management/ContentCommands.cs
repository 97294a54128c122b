using System.Management.Automation;
using System.Text;

namespace Microsoft.PowerShell.Commands;

/// <summary>Text files. Without -Encoding: 5.1 writes and reads the ANSI code page (Default), 7 UTF-8 without BOM.</summary>
internal static class TextFiles
{
    internal static Encoding Of(string? name, PSCmdlet cmdlet)
    {
        switch (name?.ToLowerInvariant())
        {
            case null: return Edition.IsDesktop ? Encoding.Latin1 : new UTF8Encoding(false);
            case "utf8" when Edition.IsDesktop: return new UTF8Encoding(true);
            case "utf8" or "utf8nobom" when !Edition.IsDesktop: return new UTF8Encoding(false);
            case "utf8bom" when !Edition.IsDesktop: return new UTF8Encoding(true);
            case "ascii": return Encoding.ASCII;
            case "unicode": return Encoding.Unicode;
            case "default": return Edition.IsDesktop ? Encoding.Latin1 : new UTF8Encoding(false);
            default:
                cmdlet.Refuse($"Cannot validate argument on parameter 'Encoding': '{name}' is not known here.", "ParameterArgumentTransformationError");
                return Encoding.UTF8;
        }
    }
}

[Cmdlet(VerbsCommon.Get, "Content", DefaultParameterSetName = "Path")]
public sealed class GetContentCommand : ItemCommandBase
{
    [Parameter]
    public SwitchParameter Raw { get; set; }

    [Parameter]
    public string? Encoding { get; set; }

    [Parameter, Alias("First", "Head")]
    public long TotalCount { get; set; } = -1;

    [Parameter, Alias("Last")]
    public int Tail { get; set; } = -1;

    protected override void ProcessRecord()
    {
        foreach (var path in Given)
        {
            Attempt(path, () =>
            {
                foreach (var item in InvokeProvider.Item.Get([path], true, Literal))
                {
                    if (item.BaseObject is FileInfo file) Read(file.FullName);
                    else throw new UnauthorizedAccessException($"Unable to get content because '{path}' is a folder.");
                }
            });
        }
    }

    private void Read(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(stream, TextFiles.Of(Encoding, this), detectEncodingFromByteOrderMarks: true);
        var text = reader.ReadToEnd();
        if (Raw)
        {
            WriteObject(text);
            return;
        }

        var lines = text.Split('\n').Select(line => line.TrimEnd('\r')).ToList();
        if (lines[^1].Length == 0) lines.RemoveAt(lines.Count - 1);
        if (Tail >= 0) lines = lines.TakeLast(Tail).ToList();
        if (TotalCount >= 0) lines = lines.Take((int)TotalCount).ToList();
        foreach (var line in lines) WriteObject(line);
    }
}

/// <summary>What Set-Content and Add-Content share.</summary>
public abstract class WriteContentCommandBase : ItemCommandBase
{
    private readonly StringBuilder text = new();

    [Parameter(Position = 1, Mandatory = true, ValueFromPipeline = true), AllowNull, AllowEmptyCollection]
    public object?[]? Value { get; set; }

    [Parameter]
    public string? Encoding { get; set; }

    [Parameter]
    public SwitchParameter NoNewline { get; set; }

    protected abstract FileMode Mode { get; }

    protected override void ProcessRecord()
    {
        foreach (var part in Value ?? [])
        {
            text.Append(LanguagePrimitives.ConvertTo<string>(part));
            if (!NoNewline) text.Append(Environment.NewLine);
        }
    }

    protected override void EndProcessing()
    {
        foreach (var path in Given)
        {
            if (!ShouldProcess(path)) continue;
            Attempt(path, () =>
            {
                var encoding = TextFiles.Of(Encoding, this);
                using var stream = new FileStream(Unresolved(path), Mode, FileAccess.Write, FileShare.Read);
                if (stream.Position == 0) stream.Write(encoding.GetPreamble());
                stream.Write(encoding.GetBytes(text.ToString()));
            });
        }
    }
}

[Cmdlet(VerbsCommon.Set, "Content", SupportsShouldProcess = true, DefaultParameterSetName = "Path")]
public sealed class SetContentCommand : WriteContentCommandBase
{
    protected override FileMode Mode => FileMode.Create;
}

[Cmdlet(VerbsCommon.Add, "Content", SupportsShouldProcess = true, DefaultParameterSetName = "Path")]
public sealed class AddContentCommand : WriteContentCommandBase
{
    protected override FileMode Mode => FileMode.Append;
}
