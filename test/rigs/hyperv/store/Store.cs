using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.HyperV.PowerShell.Rig;

/// <summary>
/// state.json of the emulated host. Written under a lock file that processes of any language can take: `lock`, created exclusively, with the
/// owner's pid; a dead owner's lock is taken over.
/// </summary>
public static class Store
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter() },
    };

    private static (DateTime Written, long Length, HostData Data)? cached;

    public static string Folder { get; } =
        Environment.GetEnvironmentVariable("AETHERV_RIG_HYPERV")
        ?? Path.Combine(Environment.GetEnvironmentVariable("AETHERV_RIG_ROOT") ?? throw new InvalidOperationException("AETHERV_RIG_ROOT is not set."), "hyperv");

    private static string StateFile => Path.Combine(Folder, "state.json");

    /// <summary>The state as of now; changes to it are lost.</summary>
    public static HostData Read()
    {
        var file = new FileInfo(StateFile);
        if (!file.Exists) return new HostData();
        MergeWhatIsDue(file);
        file.Refresh();
        if (cached is { } kept && kept.Written == file.LastWriteTimeUtc && kept.Length == file.Length)
        {
            if (Settle.Pending(kept.Data)) Settle.Apply(kept.Data, DateTime.UtcNow, files: false);
            return kept.Data;
        }

        var data = Load();
        Settle.Apply(data, DateTime.UtcNow, files: false);
        cached = (file.LastWriteTimeUtc, file.Length, data);
        return data;
    }

    /// <summary>Merges end by themselves, whether or not anybody changes something then: a reader settles them.</summary>
    private static void MergeWhatIsDue(FileInfo file)
    {
        var data = cached is { } kept && kept.Written == file.LastWriteTimeUtc && kept.Length == file.Length ? kept.Data : Load();
        var now = DateTime.UtcNow;
        if (data.Due.Concat(data.Vms.SelectMany(vm => vm.Due)).Any(due => due.What == "Merged" && due.At <= now)) Change(_ => { });
    }

    /// <summary>Changes the state, all or nothing, one process at a time.</summary>
    public static T Change<T>(Func<HostData, T> work)
    {
        Directory.CreateDirectory(Folder);
        using var held = Lock();
        var data = File.Exists(StateFile) ? Load() : new HostData();
        Settle.Apply(data, DateTime.UtcNow, files: true);
        var result = work(data);
        var making = StateFile + "." + Environment.ProcessId;
        File.WriteAllText(making, JsonSerializer.Serialize(data, Json));
        File.Move(making, StateFile, overwrite: true);
        cached = null;
        return result;
    }

    public static void Change(Action<HostData> work) => Change(data =>
    {
        work(data);
        return true;
    });

    private static HostData Load()
    {
        using var stream = new FileStream(StateFile, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        return JsonSerializer.Deserialize<HostData>(stream, Json) ?? throw new InvalidDataException("state.json is empty");
    }

    private static IDisposable Lock()
    {
        var path = Path.Combine(Folder, "lock");
        for (var wait = 1; ; wait = Math.Min(wait * 2, 20))
        {
            try
            {
                using (var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.ReadWrite))
                {
                    file.Write(System.Text.Encoding.ASCII.GetBytes($"{Environment.ProcessId}"));
                }

                return new Release(path);
            }
            catch (IOException)
            {
                TakeOverFromTheDead(path);
                Thread.Sleep(wait);
            }
        }
    }

    private static void TakeOverFromTheDead(string path)
    {
        try
        {
            var text = File.ReadAllText(path);
            if (int.TryParse(text, out var owner) && !Directory.Exists($"/proc/{owner}")) File.Delete(path);
        }
        catch (IOException)
        {
            // Released meanwhile.
        }
    }

    private sealed class Release(string path) : IDisposable
    {
        public void Dispose() => File.Delete(path);
    }
}
