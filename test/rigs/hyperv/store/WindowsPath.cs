namespace Microsoft.HyperV.PowerShell.Rig;

/// <summary>Windows paths of the emulated host and where they lie on this machine: C:\x is AETHERV_RIG_ROOT/C/x, in any case of letters.</summary>
public static class WindowsPath
{
    private static readonly string Root = (Environment.GetEnvironmentVariable("AETHERV_RIG_ROOT") ?? "/nonexistent").TrimEnd('/');

    /// <summary>The full Windows name: real paths under the root come back as drive letters, slashes turn, dots are resolved.</summary>
    public static string Full(string given)
    {
        var path = given.StartsWith(Root + "/", StringComparison.Ordinal) ? given[(Root.Length + 1)..].Insert(1, ":") : given;
        path = path.Replace('/', '\\');
        if (path.StartsWith(@"\\?\", StringComparison.Ordinal)) path = path[4..];
        if (path.Length < 3 || path[1] != ':' || path[2] != '\\') throw VirtualizationException.InvalidParameter($"The path '{given}' is not a full path of a local drive.");
        var parts = new List<string>();
        foreach (var part in path[3..].Split('\\', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == "..") parts.RemoveRange(Math.Max(0, parts.Count - 1), Math.Min(1, parts.Count));
            else if (part != ".") parts.Add(part);
        }

        return char.ToUpperInvariant(path[0]) + @":\" + string.Join('\\', parts);
    }

    public static bool Same(string? left, string? right) =>
        left is not null && right is not null && string.Equals(Full(left), Full(right), StringComparison.OrdinalIgnoreCase);

    /// <summary>Where the file lies here; parts that exist are found whatever their case.</summary>
    public static string Real(string given)
    {
        var full = Full(given);
        var at = System.IO.Path.Combine(Root, full[..1]);
        foreach (var part in full[3..].Split('\\', StringSplitOptions.RemoveEmptyEntries))
        {
            var exact = System.IO.Path.Combine(at, part);
            at = System.IO.Path.Exists(exact) || !Directory.Exists(at)
                ? exact
                : Directory.EnumerateFileSystemEntries(at).FirstOrDefault(entry => string.Equals(System.IO.Path.GetFileName(entry), part, StringComparison.OrdinalIgnoreCase)) ?? exact;
        }

        return at;
    }

    public static string Folder(string path)
    {
        var cut = path.LastIndexOf('\\');
        return cut <= 2 ? path[..3] : path[..cut];
    }

    public static string Leaf(string path) => path[(path.LastIndexOf('\\') + 1)..];

    public static string Join(string folder, string name) => folder.TrimEnd('\\') + "\\" + name;
}
