using System.Management.Automation;
using System.Management.Automation.Language;
using System.Management.Automation.Runspaces;
using System.Text;
using AetherV.Rig;

// AETHERV_RIG_EDITION: "5.1" (Windows PowerShell) or "7"; the launchers bin/powershell.exe and bin/pwsh set it.
var desktop = Environment.GetEnvironmentVariable("AETHERV_RIG_EDITION") is null or "5.1";
var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
Console.OutputEncoding = utf8;
Console.InputEncoding = utf8;
return Request.Parse(args, desktop) switch
{
    Request.Wrong wrong => Refuse(wrong.Message),
    Request.Version => Say(desktop ? "5.1" : "PowerShell 7.6.9"),
    Request.File file => new Session(desktop).RunFile(file.Path, file.Arguments),
    Request.Text text => new Session(desktop).RunText(text.Script),
    _ => throw new InvalidOperationException(),
};

static int Refuse(string message)
{
    Console.Error.WriteLine(message);
    return 64;
}

static int Say(string text)
{
    Console.WriteLine(text);
    return 0;
}
