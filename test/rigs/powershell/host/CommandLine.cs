using System.Text;

namespace AetherV.Rig;

/// <summary>What the command line asks for. Follows pwsh and powershell.exe for the options AetherV uses; others are refused.</summary>
internal abstract record Request
{
    internal sealed record File(string Path, IReadOnlyList<string> Arguments) : Request;
    internal sealed record Text(string Script) : Request;
    internal sealed record Wrong(string Message) : Request;
    internal sealed record Version : Request;

    private static readonly string[] Flags = ["noprofile", "noninteractive", "nologo", "mta", "sta", "noprofileloadtime"];
    private static readonly string[] Valued = ["outputformat", "inputformat", "executionpolicy", "windowstyle", "version", "workingdirectory"];

    /// <summary>Reads the arguments. As in the real hosts, a first argument without a dash is a command in 5.1 and a file in 7.</summary>
    internal static Request Parse(IReadOnlyList<string> args, bool desktop)
    {
        for (var at = 0; at < args.Count; at++)
        {
            var option = args[at];
            var name = option.TrimStart('-', '/').ToLowerInvariant();
            if (option == "-") return new Text(Console.In.ReadToEnd());
            if (!option.StartsWith('-') && !(desktop && option.StartsWith('/')))
            {
                return desktop ? new Text(string.Join(' ', args.Skip(at))) : OfFile(args, at);
            }

            if (name is "version" && at + 1 == args.Count) return new Version();
            if (name is "file" or "f") return OfFile(args, at + 1);
            if (name is "command" or "c") return OfCommand(args, at + 1);
            if (name is "encodedcommand" or "e" or "ec" or "enc") return OfEncoded(args, at + 1);
            if (Flags.Any(flag => name.Length > 2 && flag.StartsWith(name, StringComparison.Ordinal))) continue;
            if (name is not ("ep" or "ex" or "o" or "w" or "wd") && !Valued.Any(flag => name.Length > 2 && flag.StartsWith(name, StringComparison.Ordinal)))
            {
                return new Wrong($"The argument '{option}' is not recognized by the rig's PowerShell host.");
            }

            at++;
        }

        return new Wrong("This host runs no interactive session: give -File, -Command or -EncodedCommand.");
    }

    private static Request OfFile(IReadOnlyList<string> args, int at) =>
        at < args.Count ? new File(args[at], args.Skip(at + 1).ToList()) : new Wrong("-File needs the path of a script.");

    private static Request OfCommand(IReadOnlyList<string> args, int at)
    {
        if (at >= args.Count) return new Wrong("-Command needs a command.");
        return args[at] == "-" ? new Text(Console.In.ReadToEnd()) : new Text(string.Join(' ', args.Skip(at)));
    }

    private static Request OfEncoded(IReadOnlyList<string> args, int at)
    {
        if (at >= args.Count) return new Wrong("-EncodedCommand needs a Base64 text of UTF-16.");
        try
        {
            return new Text(Encoding.Unicode.GetString(Convert.FromBase64String(args[at])));
        }
        catch (FormatException)
        {
            return new Wrong("-EncodedCommand: not Base64.");
        }
    }
}
