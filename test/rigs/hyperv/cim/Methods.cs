using System.Collections;
using System.Diagnostics;
using System.Management.Automation;
using System.Xml.Linq;
using Microsoft.HyperV.PowerShell;
using Microsoft.HyperV.PowerShell.Commands;
using Microsoft.HyperV.PowerShell.Rig;
using Microsoft.Vhd.PowerShell;
using Microsoft.Vhd.PowerShell.Cmdlets;

namespace AetherV.Rig.Cim;

/// <summary>Methods: "class.method" to the work.</summary>
internal static class Methods
{
    private const uint InvalidParameter = 32773;
    private const int MaximumItems = 128;

    internal static readonly Dictionary<string, Func<PSObject?, IDictionary, PSObject>> All = new()
    {
        ["Msvm_ShutdownComponent.InitiateShutdown"] = (target, given) => Result(Store.Change(data => Power.AskGuest(data, Vm(data, target!.Properties["SystemName"].Value), LanguagePrimitives.IsTrue(given["Force"])))),
        ["Msvm_ComputerSystem.RequestStateChange"] = RequestStateChange,
        ["Msvm_VirtualSystemManagementService.AddKvpItems"] = (_, given) => Items(given, (items, name, value) => items.TryAdd(name, value)),
        ["Msvm_VirtualSystemManagementService.ModifyKvpItems"] = (_, given) => Items(given, (items, name, value) =>
        {
            if (!items.ContainsKey(name)) return false;
            items[name] = value;
            return true;
        }),
        ["Msvm_VirtualSystemManagementService.RemoveKvpItems"] = (_, given) => Items(given, (items, name, _) => items.Remove(name)),
        ["Msvm_ImageManagementService.ConvertVirtualHardDisk"] = Convert,
        ["Win32_Process.Create"] = (_, given) => Start(Text(given["CommandLine"]) ?? "", Text(given["CurrentDirectory"])),
        ["Win32_Process.Terminate"] = (target, _) => Terminate(target!),
    };

    private static PSObject Result(uint code, params (string Name, object? Value)[] more)
    {
        var result = new PSObject();
        result.Properties.Add(new PSNoteProperty("ReturnValue", code));
        foreach (var (name, value) in more) result.Properties.Add(new PSNoteProperty(name, value));
        result.Properties.Add(new PSNoteProperty("PSComputerName", null));
        return result;
    }

    private static string? Text(object? value) => value is null ? null : LanguagePrimitives.ConvertTo<string>(value);

    private static VmData Vm(HostData data, object? id) =>
        data.Vms.FirstOrDefault(vm => Guid.TryParse(Text(id), out var wanted) && vm.Id == wanted) ?? throw VirtualizationException.ObjectNotFound("Not found");

    /// <summary>As the provider: the call answers 4096, its job tells whether all items were taken; none is taken where one is wrong.</summary>
    private static PSObject Items(IDictionary given, Func<Dictionary<string, string>, string, string, bool> change)
    {
        var target = given["TargetSystem"] as PSObject ?? (given["TargetSystem"] is { } raw ? PSObject.AsPSObject(raw) : null);
        var texts = LanguagePrimitives.ConvertTo<string[]>(given["DataItems"] ?? Array.Empty<string>());
        if (target is null || texts.Length is 0 or > MaximumItems) return Result(InvalidParameter);
        var items = texts.Select(Parse).ToList();
        if (items.Any(item => item is null)) return Result(InvalidParameter);
        var job = Store.Change(data =>
        {
            var vm = Vm(data, target.Properties["Name"]?.Value);
            var made = new JobData { Caption = "KVP items" };
            var copy = new Dictionary<string, string>(vm.Guest.HostItems);
            if (items.All(item => change(copy, item!.Value.Name, item.Value.Data))) vm.Guest.HostItems = copy;
            else (made.ErrorCode, made.ErrorDescription) = (32773, "The item exists already, or is not there.");
            data.Jobs.RemoveAll(old => old.EndsAt < DateTime.UtcNow.AddMinutes(-5));
            data.Jobs.Add(made);
            return made;
        });
        return Result(4096, ("Job", Jobs.Row(job)));
    }

    private static (string Name, string Data)? Parse(string text)
    {
        try
        {
            var instance = XElement.Parse(text);
            string? Value(string name) => instance.Elements("PROPERTY").FirstOrDefault(one => one.Attribute("NAME")?.Value == name)?.Element("VALUE")?.Value;
            var (key, data) = (Value("Name"), Value("Data") ?? "");
            if (instance.Attribute("CLASSNAME")?.Value != "Msvm_KvpExchangeDataItem" || string.IsNullOrEmpty(key) || key.Length > 511 || data.Length > 2047) return null;
            return (key, data);
        }
        catch (System.Xml.XmlException)
        {
            return null;
        }
    }

    private static PSObject RequestStateChange(PSObject? target, IDictionary given)
    {
        var state = LanguagePrimitives.ConvertTo<int>(given["RequestedState"]);
        Store.Change(data =>
        {
            var vm = Vm(data, target!.Properties["Name"].Value);
            if (state == 2) Power.Start(data, vm);
            else if (state == 3) Power.TurnOff(vm);
            else throw VirtualizationException.NotSupported($"The rig does not emulate RequestStateChange({state}).");
        });
        return Result(0);
    }

    /// <summary>SourcePath and VirtualDiskSettingData (embedded instance with Path, Type 2 fixed or 3 dynamic): a job that lasts, and makes the file as it ends.</summary>
    private static PSObject Convert(PSObject? _, IDictionary given)
    {
        var setting = XElement.Parse(Text(given["VirtualDiskSettingData"]) ?? "<INSTANCE/>");
        string? Value(string name) => setting.Elements("PROPERTY").FirstOrDefault(one => one.Attribute("NAME")?.Value == name)?.Element("VALUE")?.Value;
        var from = WindowsPath.Full(Text(given["SourcePath"]) ?? "");
        var to = WindowsPath.Full(Value("Path") ?? "");
        var job = Store.Change(data =>
        {
            var made = Conversion.Plan(data, from, to, Value("Type") == "2" ? VhdType.Fixed : VhdType.Dynamic, 0);
            made.Create(to);
            var one = new JobData { Caption = "Convert", EndsAt = DateTime.UtcNow.AddMilliseconds(data.Behaviour.CopyMsPerMiB * (made.FileSize >> 20)) };
            data.Jobs.Add(one);
            return one;
        });
        return Result(4096, ("Job", Jobs.Row(job)));
    }

    /// <summary>Starts the process detached; powershell.exe and pwsh are this rig's. 0 and the id, or 9 (path not found).</summary>
    private static PSObject Start(string line, string? folder)
    {
        var parts = Split(line);
        if (parts.Count == 0) return Result(21, ("ProcessId", null));
        var name = parts[0].Split('\\', '/')[^1].ToLowerInvariant();
        var dll = Path.Combine(AppContext.BaseDirectory, "aetherv-powershell.dll");
        var rig = name is "powershell.exe" or "powershell" or "pwsh.exe" or "pwsh";
        // A session of its own without the caller's streams: closing the caller's channel must not touch it.
        var start = new ProcessStartInfo { FileName = "sh", UseShellExecute = false, WorkingDirectory = folder is null ? "/" : WindowsPath.Real(folder) };
        foreach (var part in new[] { "-c", "exec setsid \"$@\" </dev/null >/dev/null 2>&1", "sh" }) start.ArgumentList.Add(part);
        foreach (var part in rig ? ["dotnet", dll, .. parts.Skip(1)] : parts) start.ArgumentList.Add(part);
        if (rig) start.Environment["AETHERV_RIG_EDITION"] = name.StartsWith("pwsh", StringComparison.Ordinal) ? "7" : "5.1";
        try
        {
            using var process = Process.Start(start)!;
            return Result(0, ("ProcessId", (uint)process.Id));
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return Result(9, ("ProcessId", null));
        }
    }

    private static List<string> Split(string line)
    {
        var parts = new List<string>();
        foreach (System.Text.RegularExpressions.Match match in System.Text.RegularExpressions.Regex.Matches(line, "\"([^\"]*)\"|(\\S+)"))
        {
            parts.Add(match.Groups[1].Success ? match.Groups[1].Value : match.Groups[2].Value);
        }

        return parts;
    }

    private static PSObject Terminate(PSObject target)
    {
        try
        {
            Process.GetProcessById(LanguagePrimitives.ConvertTo<int>(target.Properties["ProcessId"].Value)).Kill();
            return Result(0);
        }
        catch (ArgumentException)
        {
            return Result(9);
        }
    }
}
