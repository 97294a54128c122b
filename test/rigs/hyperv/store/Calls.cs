using System.Diagnostics;
using System.Management.Automation;
using System.Text.Json;

namespace Microsoft.HyperV.PowerShell.Rig;

/// <summary>
/// calls.log: one line a call, so that tests count them. faults.json: what goes wrong, see Fault.
/// </summary>
public static class Calls
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>
    /// `on`: a cmdlet's name, "CIM:class", "CIM:class.method" or "*" with prefix matching ("CIM:*"). `do`: hang (for `ms`, default for ever), throw (id,
    /// category, message, hresult), denied, empty (CIM: no rows), kill (the process dies), delay (ms). `when`: before (default) or after the
    /// call. `skip`: calls that pass first; `times`: how often (default always).
    /// </summary>
    public sealed class Fault
    {
        public string On { get; set; } = "*";
        public string Do { get; set; } = "throw";
        public string When { get; set; } = "before";
        public int Skip { get; set; }
        public int? Times { get; set; }
        public int? Ms { get; set; }
        public string Id { get; set; } = "OperationFailed";
        public string Category { get; set; } = "NotSpecified";
        public string Message { get; set; } = "The operation failed.";
        public int? Hresult { get; set; }
    }

    /// <summary>Notes the call and lets the fault before it happen. True: a query answers no rows.</summary>
    public static bool Begin(string call)
    {
        Directory.CreateDirectory(Store.Folder);
        using (var log = new FileStream(Path.Combine(Store.Folder, "calls.log"), FileMode.Append, FileAccess.Write, FileShare.ReadWrite))
        {
            log.Write(System.Text.Encoding.UTF8.GetBytes(call + "\n"));
        }

        return Happen(call, "before");
    }

    public static void End(string call) => Happen(call, "after");

    private static bool Happen(string call, string when)
    {
        var path = Path.Combine(Store.Folder, "faults.json");
        if (!File.Exists(path)) return false;
        var fault = Take(path, call, when);
        if (fault is null) return false;
        switch (fault.Do)
        {
            case "empty": return true;
            case "delay":
            case "hang": Thread.Sleep(fault.Ms ?? Timeout.Infinite); return false;
            case "denied": throw VirtualizationException.AccessDenied();
            case "kill": Process.GetCurrentProcess().Kill(); Thread.Sleep(Timeout.Infinite); return false;
            case "throw":
                throw new VirtualizationException(fault.Message, fault.Id, Enum.Parse<ErrorCategory>(fault.Category)) { HResult = fault.Hresult ?? unchecked((int)0x80004005) };
            default: throw new InvalidDataException($"faults.json: unknown fault '{fault.Do}'");
        }
    }

    private static Fault? Take(string path, string call, string when)
    {
        var faults = JsonSerializer.Deserialize<List<Fault>>(File.ReadAllText(path), Json) ?? [];
        var fault = faults.FirstOrDefault(one => one.When == when && Matches(one.On, call) && one.Times is not 0);
        if (fault is null) return null;
        var passes = fault.Skip > 0;
        if (passes) fault.Skip--;
        else if (fault.Times is not null) fault.Times--;
        if (passes || fault.Times is not null)
        {
            var making = path + "." + Environment.ProcessId;
            File.WriteAllText(making, JsonSerializer.Serialize(faults, Json));
            File.Move(making, path, overwrite: true);
        }

        return passes ? null : fault;
    }

    private static bool Matches(string on, string call) =>
        on.EndsWith('*') ? call.StartsWith(on[..^1], StringComparison.OrdinalIgnoreCase) : string.Equals(on, call, StringComparison.OrdinalIgnoreCase);
}
