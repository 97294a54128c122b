using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.Vhd.PowerShell;

public enum VhdFormat { Unknown = 0, VHD = 2, VHDX = 3, VHDSet = 4 }

public enum VhdType { Unknown = 0, Fixed = 2, Dynamic = 3, Differencing = 4 }

/// <summary>What Get-VHD answers: the file as it was read.</summary>
public sealed class VirtualHardDisk(string path, VhdFile file, bool attached)
{
    public string ComputerName => Store.Read().Host.Name;
    public string Path => path;
    public VhdFormat VhdFormat => Enum.Parse<VhdFormat>(file.Format);
    public VhdType VhdType => Enum.Parse<VhdType>(file.Type);
    public ulong FileSize => (ulong)file.FileSize;
    public ulong Size => (ulong)file.Size;
    public ulong? MinimumSize => file.MinimumSize == 0 ? null : (ulong)file.MinimumSize;
    public uint LogicalSectorSize => (uint)file.LogicalSectorSize;
    public uint PhysicalSectorSize => (uint)file.PhysicalSectorSize;
    public uint BlockSize => file.Type == "Fixed" ? 0 : (uint)file.BlockSize;
    public string ParentPath => file.ParentPath ?? "";
    public string DiskIdentifier => file.DiskIdentifier.ToString().ToUpperInvariant();
    public uint? FragmentationPercentage => file.Type == "Fixed" ? null : 0;
    public int Alignment => 1;
    public bool Attached => attached;
    public uint? DiskNumber => null;
    public uint? Number => null;
    public bool IsPMEMCompatible => false;
    public string AddressAbstractionType => "None";
}
