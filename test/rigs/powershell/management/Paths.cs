using System.Management.Automation;

namespace Microsoft.PowerShell.Commands;

/// <summary>Windows paths on this machine: C:\x lies at AETHERV_RIG_ROOT/C/x.</summary>
internal static class Paths
{
    private static readonly string? Root = Environment.GetEnvironmentVariable("AETHERV_RIG_ROOT")?.TrimEnd('/');

    internal static bool IsWindows(string path) => path.Length >= 2 && char.IsAsciiLetter(path[0]) && path[1] == ':' || path.StartsWith(@"\\", StringComparison.Ordinal);

    /// <summary>The Windows name of a real path under the root; any other path as it is.</summary>
    internal static string ToWindows(string real)
    {
        if (Root is null || !real.StartsWith(Root + "/", StringComparison.Ordinal) || real.Length < Root.Length + 2) return real;
        var rest = real[(Root.Length + 1)..];
        if (rest.Length > 1 && rest[1] != '/') return real;
        return rest[0] + @":\" + (rest.Length > 2 ? rest[2..].Replace('/', '\\') : "");
    }

    /// <summary>Files and folders answer with Windows names, as they would on a Windows host.</summary>
    internal static PSObject Dress(PSObject item)
    {
        if (item.BaseObject is not FileSystemInfo info) return item;
        var name = ToWindows(info.FullName);
        if (ReferenceEquals(name, info.FullName)) return item;
        Put(item, "FullName", name);
        if (info is FileInfo) Put(item, "DirectoryName", Parent(name));
        return item;
    }

    private static void Put(PSObject item, string name, object value)
    {
        item.Properties.Remove(name);
        item.Properties.Add(new PSNoteProperty(name, value));
    }

    internal static string Join(string path, string child)
    {
        if (!IsWindows(path)) return path.TrimEnd('/') + "/" + child.Replace('\\', '/').TrimStart('/');
        return path.Replace('/', '\\').TrimEnd('\\') + "\\" + child.Replace('/', '\\').TrimStart('\\');
    }

    internal static string Parent(string path)
    {
        var mark = IsWindows(path) || !path.StartsWith('/') && path.Contains('\\') ? '\\' : '/';
        var text = path.Replace(mark == '\\' ? '/' : '\\', mark).TrimEnd(mark);
        var cut = text.LastIndexOf(mark);
        if (cut < 0) return "";
        return cut == 2 && text[1] == ':' ? text[..3] : cut == 0 ? text[..1] : text[..cut];
    }

    internal static string Leaf(string path)
    {
        var text = path.TrimEnd('\\', '/');
        return text[(text.LastIndexOfAny(['\\', '/']) + 1)..];
    }
}
