using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Microsoft.HyperV.PowerShell.Rig;

/// <summary>
/// A virtual disk's file: a small real file. 8 KiB of header (JSON padded with blanks), a body, and a footer that repeats the body's length, so that
/// a cut copy is seen to be corrupt. What the disk "holds" is Content: copies keep it, as they keep the disk identifier.
/// </summary>
public sealed class VhdFile
{
    private const int HeaderLength = 8192;
    private const string Magic = "AETHERVHD1";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter() } };

    public string Format { get; set; } = "VHDX";
    public string Type { get; set; } = "Dynamic";
    /// <summary>Bytes the guest sees.</summary>
    public long Size { get; set; }
    /// <summary>Bytes the file would take on the host.</summary>
    public long FileSize { get; set; }
    public int BlockSize { get; set; } = 32 << 20;
    public int LogicalSectorSize { get; set; } = 512;
    public int PhysicalSectorSize { get; set; } = 4096;
    public Guid DiskIdentifier { get; set; } = Guid.NewGuid();
    public string? ParentPath { get; set; }
    /// <summary>Changes whenever the disk's content changes; a child remembers its parent's.</summary>
    public Guid DataWriteId { get; set; } = Guid.NewGuid();
    public Guid? ParentDataWriteId { get; set; }
    /// <summary>Smallest size it may shrink to.</summary>
    public long MinimumSize { get; set; }
    /// <summary>Free text that stands for what is on the disk.</summary>
    public string Content { get; set; } = "";
    /// <summary>The operating system that boots from it: None, Linux or Windows.</summary>
    public string Os { get; set; } = "None";
    public string OsName { get; set; } = "";
    public string OsVersion { get; set; } = "";
    /// <summary>Generations of machine whose firmware finds its boot loader; empty: all.</summary>
    public List<int> Generations { get; set; } = [];
    public int BodyBytes { get; set; } = 4096;

    /// <summary>Reads a disk; failures as the host's service words them.</summary>
    public static VhdFile Read(string path)
    {
        var real = WindowsPath.Real(path);
        if (!File.Exists(real)) throw new VirtualizationException($"The system cannot find the file '{path}'.", "ObjectNotFound", System.Management.Automation.ErrorCategory.ObjectNotFound) { HResult = unchecked((int)0x80070002) };
        try
        {
            using var stream = new FileStream(real, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return Parse(stream) ?? throw VirtualizationException.Failed($"Failed to get the disk information of '{path}': the file or directory is corrupted and unreadable", unchecked((int)0x80070570));
        }
        catch (IOException error)
        {
            throw new VirtualizationException($"The process cannot access '{path}' because it is being used: {error.Message}", "ObjectInUse", System.Management.Automation.ErrorCategory.ResourceBusy) { HResult = unchecked((int)0x80070020) };
        }
        catch (UnauthorizedAccessException)
        {
            throw VirtualizationException.AccessDenied();
        }
    }

    private static VhdFile? Parse(Stream stream)
    {
        var header = new byte[HeaderLength];
        if (stream.ReadAtLeast(header, HeaderLength, throwOnEndOfStream: false) < HeaderLength) return null;
        var text = Encoding.UTF8.GetString(header).TrimEnd(' ', '\n');
        if (!text.StartsWith(Magic, StringComparison.Ordinal)) return null;
        try
        {
            var file = JsonSerializer.Deserialize<VhdFile>(text[Magic.Length..], Json);
            if (file is null || stream.Length != HeaderLength + file.BodyBytes + 8) return null;
            stream.Seek(-8, SeekOrigin.End);
            var footer = new byte[8];
            stream.ReadExactly(footer);
            return Encoding.ASCII.GetString(footer) == "FOOTER01" ? file : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The disk and its parents, leaf first; a parent that is missing or was written to breaks the chain.</summary>
    public static List<(string Path, VhdFile File)> Chain(string path)
    {
        var chain = new List<(string, VhdFile)>();
        VhdFile? child = null;
        for (var at = WindowsPath.Full(path); ; at = child.ParentPath)
        {
            if (chain.Count > 0 && !File.Exists(WindowsPath.Real(at))) throw VirtualizationException.Failed($"The chain of virtual hard disks is broken: '{at}' is missing", unchecked((int)0xC03A000D));
            var file = Read(at);
            if (child is not null && child.ParentDataWriteId != file.DataWriteId) throw VirtualizationException.Failed($"The chain of virtual hard disks is corrupted: the identifiers of '{at}' and its child do not match", unchecked((int)0xC03A000E));
            chain.Add((at, file));
            if (file.ParentPath is null) return chain;
            child = file;
        }
    }

    /// <summary>Takes over what boots from another disk.</summary>
    public VhdFile Holding(VhdFile other)
    {
        (Content, Os, OsName, OsVersion, Generations) = (other.Content, other.Os, other.OsName, other.OsVersion, other.Generations);
        return this;
    }

    /// <summary>The content was written to.</summary>
    public void Touch(string path)
    {
        DataWriteId = Guid.NewGuid();
        Update(path);
    }

    public void Create(string path)
    {
        var real = WindowsPath.Real(path);
        if (File.Exists(real)) throw VirtualizationException.Failed($"Failed to create '{path}': the file exists", unchecked((int)0x80070050));
        if (!Directory.Exists(Path.GetDirectoryName(real))) throw VirtualizationException.Failed($"Failed to create '{path}': the system cannot find the path", unchecked((int)0x80070003));
        using var stream = Open(real, FileMode.CreateNew);
        Write(stream);
    }

    /// <summary>Writes changed header fields.</summary>
    public void Update(string path)
    {
        var real = WindowsPath.Real(path);
        if ((File.GetAttributes(real) & FileAttributes.ReadOnly) != 0) throw VirtualizationException.AccessDenied();
        using var stream = Open(real, FileMode.Open);
        Write(stream);
    }

    private static FileStream Open(string real, FileMode mode)
    {
        try
        {
            return new FileStream(real, mode, FileAccess.ReadWrite, FileShare.None);
        }
        catch (UnauthorizedAccessException)
        {
            throw VirtualizationException.AccessDenied();
        }
        catch (IOException error)
        {
            throw new VirtualizationException(error.Message, "ObjectInUse", System.Management.Automation.ErrorCategory.ResourceBusy) { HResult = unchecked((int)0x80070020) };
        }
    }

    private void Write(FileStream stream)
    {
        var text = Encoding.UTF8.GetBytes(Magic + JsonSerializer.Serialize(this, Json));
        var header = new byte[HeaderLength];
        Array.Fill(header, (byte)' ');
        text.CopyTo(header, 0);
        stream.Write(header);
        stream.SetLength(HeaderLength + BodyBytes + 8);
        stream.Seek(-8, SeekOrigin.End);
        stream.Write("FOOTER01"u8);
        stream.Flush(flushToDisk: false);
    }
}
