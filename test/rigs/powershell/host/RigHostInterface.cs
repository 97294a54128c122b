using System.Collections.ObjectModel;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Security;

namespace AetherV.Rig;

/// <summary>Where the streams go: as the real console hosts with -NonInteractive and redirected streams.</summary>
internal sealed class RigHostInterface : PSHostUserInterface
{
    private const string NotInteractive =
        "PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.";

    public override PSHostRawUserInterface RawUI { get; } = new RigRawInterface();

    public override void Write(string value) => Console.Out.Write(value);

    public override void Write(ConsoleColor foregroundColor, ConsoleColor backgroundColor, string value) => Write(value);

    public override void WriteLine(string value) => Console.Out.WriteLine(value);

    public override void WriteErrorLine(string value) => Console.Error.WriteLine(value);

    public override void WriteWarningLine(string message) => WriteLine("WARNING: " + message);

    public override void WriteVerboseLine(string message) => WriteLine("VERBOSE: " + message);

    public override void WriteDebugLine(string message) => WriteLine("DEBUG: " + message);

    /// <summary>As Windows PowerShell without -OutputFormat Text: progress is CLIXML on STDERR, a trap the agents must silence.</summary>
    public override void WriteProgress(long sourceId, ProgressRecord record) =>
        Console.Error.WriteLine($"#< CLIXML progress: {record.Activity}");

    public override string ReadLine() => throw new PSInvalidOperationException(NotInteractive);

    public override SecureString ReadLineAsSecureString() => throw new PSInvalidOperationException(NotInteractive);

    public override Dictionary<string, PSObject> Prompt(string caption, string message, Collection<FieldDescription> descriptions) =>
        throw new PSInvalidOperationException(NotInteractive);

    public override int PromptForChoice(string caption, string message, Collection<ChoiceDescription> choices, int defaultChoice) =>
        throw new PSInvalidOperationException(NotInteractive);

    public override PSCredential PromptForCredential(string caption, string message, string userName, string targetName) =>
        throw new PSInvalidOperationException(NotInteractive);

    public override PSCredential PromptForCredential(
        string caption, string message, string userName, string targetName, PSCredentialTypes allowed, PSCredentialUIOptions options) =>
        throw new PSInvalidOperationException(NotInteractive);
}

/// <summary>A console of fixed width without cursor.</summary>
internal sealed class RigRawInterface : PSHostRawUserInterface
{
    public override ConsoleColor BackgroundColor { get; set; } = ConsoleColor.Black;
    public override ConsoleColor ForegroundColor { get; set; } = ConsoleColor.Gray;
    public override Size BufferSize { get; set; } = new(200, 50);
    public override Size WindowSize { get; set; } = new(200, 50);
    public override Coordinates CursorPosition { get; set; }
    public override int CursorSize { get; set; } = 1;
    public override Coordinates WindowPosition { get; set; }
    public override string WindowTitle { get; set; } = "";
    public override bool KeyAvailable => false;
    public override Size MaxPhysicalWindowSize => new(200, 50);
    public override Size MaxWindowSize => new(200, 50);

    public override void FlushInputBuffer()
    {
    }

    public override BufferCell[,] GetBufferContents(Rectangle rectangle) => throw new NotSupportedException();
    public override KeyInfo ReadKey(ReadKeyOptions options) => throw new NotSupportedException();
    public override void ScrollBufferContents(Rectangle source, Coordinates destination, Rectangle clip, BufferCell fill) => throw new NotSupportedException();
    public override void SetBufferContents(Rectangle rectangle, BufferCell fill) => throw new NotSupportedException();
    public override void SetBufferContents(Coordinates origin, BufferCell[,] contents) => throw new NotSupportedException();
}
