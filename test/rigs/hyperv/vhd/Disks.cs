using Microsoft.HyperV.PowerShell;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.Vhd.PowerShell;

/// <summary>Who uses a disk, and how much room its volume has.</summary>
public static class Disks
{
    /// <summary>Running machines that have the disk open, itself or as a parent.</summary>
    public static IEnumerable<VmData> Holders(HostData data, string path) => data.Vms.Where(vm => Live.IsOn(vm) && vm.Drives.Any(drive => drive.Path is not null && Uses(drive.Path, path)));

    private static bool Uses(string leaf, string path)
    {
        try
        {
            return WindowsPath.Same(leaf, path) || VhdFile.Chain(leaf).Any(part => WindowsPath.Same(part.Path, path));
        }
        catch (VirtualizationException)
        {
            return false;
        }
    }

    public static bool IsAttached(HostData data, string path) => data.Mounted.Any(one => WindowsPath.Same(one, path)) || Holders(data, path).Any();

    internal static void MustBeClosed(HostData data, string path)
    {
        if (IsAttached(data, path)) throw new VirtualizationException($"The process cannot access '{path}' because it is being used by another process (0x80070020).", "ObjectInUse", System.Management.Automation.ErrorCategory.ResourceBusy) { HResult = unchecked((int)0x80070020) };
        if (data.Due.Concat(data.Vms.SelectMany(vm => vm.Due)).SelectMany(due => due.Merges).Any(merge => WindowsPath.Same(merge.From, path) || WindowsPath.Same(merge.Into, path)))
        {
            throw new VirtualizationException($"'{path}' is being merged.", "ObjectInUse", System.Management.Automation.ErrorCategory.ResourceBusy) { HResult = unchecked((int)0x80070020) };
        }
    }

    public static VolumeData Volume(HostData data, string path) =>
        data.Volumes.Where(volume => WindowsPath.Full(path).StartsWith(volume.Root, StringComparison.OrdinalIgnoreCase)).OrderByDescending(volume => volume.Root.Length).FirstOrDefault()
        ?? throw VirtualizationException.Failed($"'{path}': the system cannot find the drive", unchecked((int)0x8007000F));

    /// <summary>Bytes left on the volume.</summary>
    public static long Free(HostData data, VolumeData volume)
    {
        var root = WindowsPath.Real(volume.Root);
        if (!Directory.Exists(root)) return volume.Capacity - volume.OtherBytes;
        var files = Directory.EnumerateFiles(root, "*.*vhd*", SearchOption.AllDirectories).Select(WindowsPath.Full).Where(path => ReferenceEquals(Volume(data, path), volume));
        return volume.Capacity - volume.OtherBytes - files.Sum(FileBytes);
    }

    private static long FileBytes(string path)
    {
        try
        {
            return VhdFile.Read(path).FileSize;
        }
        catch (VirtualizationException)
        {
            return new FileInfo(WindowsPath.Real(path)) is { Exists: true } file ? file.Length : 0;
        }
    }

    internal static void MustFit(HostData data, string path, long bytes)
    {
        if (Free(data, Volume(data, path)) < bytes) throw VirtualizationException.Failed($"Failed to create '{path}': there is not enough space on the disk", unchecked((int)0x80070070));
    }

    internal static string Extension(string path) => System.IO.Path.GetExtension(WindowsPath.Leaf(path)).ToLowerInvariant();

    /// <summary>VHD cmdlets refuse other extensions.</summary>
    internal static string Checked(string given)
    {
        var path = WindowsPath.Full(given);
        return Extension(path) is ".vhd" or ".vhdx" or ".avhd" or ".avhdx" ? path : throw VirtualizationException.InvalidParameter($"'{given}' is not an existing virtual hard disk file: the extension must be .vhd, .avhd, .vhdx or .avhdx.");
    }
}
