using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using System.Management.Automation.Runspaces;

namespace AetherV.Rig;

/// <summary>One runspace with the drives of the emulated machine, and one script run in it.</summary>
internal sealed class Session
{
    private readonly RigHost host;
    private readonly Runspace runspace;

    internal Session(bool desktop)
    {
        host = new RigHost(desktop);
        var state = InitialSessionState.CreateDefault2();
        state.ImportPSModule(["Microsoft.PowerShell.Utility", "Microsoft.PowerShell.Management"]);
        runspace = RunspaceFactory.CreateRunspace(host, state);
        runspace.Open();
        Runspace.DefaultRunspace = runspace;
        // STDOUT is never a terminal here: no colours.
        ((PSStyle)runspace.SessionStateProxy.GetVariable("PSStyle")).OutputRendering = OutputRendering.PlainText;
        MapDrives(Environment.GetEnvironmentVariable("AETHERV_RIG_ROOT"));
        if (desktop) BecomeDesktop();
    }

    /// <summary>Runs a script with the arguments of the command line, all of them text; -Name value, -Switch, -Switch:$false.</summary>
    internal int RunFile(string path, IReadOnlyList<string> arguments)
    {
        var full = runspace.SessionStateProxy.Path.GetUnresolvedProviderPathFromPSPath(path);
        if (!File.Exists(full))
        {
            Console.Error.WriteLine($"The argument '{path}' to the -File parameter does not exist. Provide the path to an existing '.ps1' file as an argument to the -File parameter.");
            return host.Version.Major < 6 ? unchecked((int)0xFFFD0000) : 64;
        }

        var command = new Command(full, isScript: false, useLocalScope: false);
        foreach (var parameter in Parameters(arguments)) command.Parameters.Add(parameter);
        return Run(command, MentionsInput(full));
    }

    /// <summary>Runs text; the exit code is 1 when the last command failed, as with -Command.</summary>
    internal int RunText(string script) => 
        Run(new Command(script + "\nif (-not $?) { exit 1 }", isScript: true, useLocalScope: false), takesInput: false);

    private int Run(Command command, bool takesInput)
    {
        using var pipeline = runspace.CreatePipeline();
        pipeline.Commands.Add(command);
        pipeline.Commands.Add(new Command("Out-Default")
        {
            MergeUnclaimedPreviousCommandResults = PipelineResultTypes.Error | PipelineResultTypes.Output,
        });
        try
        {
            // The real hosts drain STDIN into $input when the script mentions it, which starves [Console]::OpenStandardInput().
            pipeline.Invoke(takesInput ? ReadLines() : null);
        }
        catch (RuntimeException error)
        {
            Report(error);
            return host.ExitCode ?? 1;
        }

        if (host.ExitCode is { } code) return code;
        return LastExit(command);
    }

    private int LastExit(Command command) =>
        !command.IsScript && runspace.SessionStateProxy.GetVariable("LASTEXITCODE") is int last ? last : 0;

    private void Report(RuntimeException error)
    {
        
        using var pipeline = runspace.CreatePipeline();
        var write = new Command("Microsoft.PowerShell.Utility\\Write-Error");
        write.Parameters.Add("ErrorRecord", error.ErrorRecord);
        write.Parameters.Add("ErrorAction", ActionPreference.Continue);
        pipeline.Commands.Add(write);
        pipeline.Commands.Add(new Command("Out-Default") { MergeUnclaimedPreviousCommandResults = PipelineResultTypes.Error | PipelineResultTypes.Output });
        try
        {
            pipeline.Invoke();
        }
        catch (RuntimeException)
        {
            Console.Error.WriteLine(error.Message);
        }
    }

    private static IEnumerable ReadLines()
    {
        while (Console.In.ReadLine() is { } line) yield return line;
    }

    private static bool MentionsInput(string path)
    {
        var tree = Parser.ParseFile(path, out _, out _);
        return tree.Find(node => node is VariableExpressionAst variable && variable.VariablePath.UserPath.Equals("input", StringComparison.OrdinalIgnoreCase), true) is not null;
    }

    private static IEnumerable<CommandParameter> Parameters(IReadOnlyList<string> arguments)
    {
        for (var at = 0; at < arguments.Count; at++)
        {
            var text = arguments[at];
            if (text.Length < 2 || text[0] != '-' || !char.IsLetter(text[1]))
            {
                yield return new CommandParameter(null, text);
                continue;
            }

            var colon = text.IndexOf(':');
            if (colon > 0)
            {
                yield return new CommandParameter(text[1..colon], Literal(text[(colon + 1)..]));
            }
            else if (at + 1 < arguments.Count && !arguments[at + 1].StartsWith('-'))
            {
                yield return new CommandParameter(text[1..], arguments[++at]);
            }
            else
            {
                yield return new CommandParameter(text[1..], SwitchParameter.Present);
            }
        }
    }

    private static object Literal(string text) => text.ToLowerInvariant() switch
    {
        "$true" or "true" => true,
        "$false" or "false" => false,
        _ => text,
    };

    /// <summary>C:, D: and so on are folders named by a letter under the root.</summary>
    private void MapDrives(string? root)
    {
        if (root is null || !Directory.Exists(root)) return;
        var provider = runspace.SessionStateProxy.Provider.GetOne("FileSystem");
        foreach (var folder in Directory.GetDirectories(root))
        {
            var name = Path.GetFileName(folder);
            if (name.Length == 1) runspace.SessionStateProxy.Drive.New(new PSDriveInfo(name, provider, folder, "emulated drive", null), "global");
        }
    }

    /// <summary>$PSVersionTable of Windows PowerShell 5.1, for scripts that look.</summary>
    private void BecomeDesktop()
    {
        var table = (Hashtable)runspace.SessionStateProxy.GetVariable("PSVersionTable");
        table["PSVersion"] = new Version(5, 1, 20348, 2849);
        table["PSEdition"] = "Desktop";
        table["CLRVersion"] = new Version(4, 0, 30319, 42000);
        table.Remove("Platform");
        table.Remove("OS");
        table.Remove("GitCommitId");
    }
}
