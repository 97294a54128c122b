using System.Globalization;
using System.Management.Automation.Host;

namespace AetherV.Rig;

/// <summary>The PSHost of a console without a terminal: output and warnings on STDOUT, errors on STDERR, no prompts.</summary>
internal sealed class RigHost(bool desktop) : PSHost
{
    private readonly RigHostInterface ui = new();

    /// <summary>The code given to `exit`, once it was called at the top.</summary>
    internal int? ExitCode { get; private set; }

    public override string Name => "ConsoleHost";
    public override Version Version => desktop ? new Version(5, 1, 20348, 2849) : new Version(7, 6, 9);
    public override Guid InstanceId { get; } = Guid.NewGuid();
    public override PSHostUserInterface UI => ui;
    public override CultureInfo CurrentCulture => CultureInfo.CurrentCulture;
    public override CultureInfo CurrentUICulture => CultureInfo.CurrentUICulture;

    public override void SetShouldExit(int exitCode) => ExitCode ??= exitCode;

    public override void EnterNestedPrompt() => throw new NotSupportedException("The host is not interactive.");

    public override void ExitNestedPrompt() => throw new NotSupportedException("The host is not interactive.");

    public override void NotifyBeginApplication()
    {
    }

    public override void NotifyEndApplication()
    {
    }
}
