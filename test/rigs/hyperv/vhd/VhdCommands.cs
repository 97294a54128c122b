using System.Management.Automation;
using Microsoft.HyperV.PowerShell;
using Microsoft.HyperV.PowerShell.Commands;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.Vhd.PowerShell.Cmdlets;

[Cmdlet(VerbsCommon.Get, "VHD", DefaultParameterSetName = "Path")]
public sealed class GetVHD : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, ParameterSetName = "Path"), Alias("FullName"), ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, ParameterSetName = "VMId"), Alias("Id")]
    public Guid[] VMId { get; set; } = [];

    protected override void Execute()
    {
        foreach (var path in Path) Attempt(() => Put(Disks.Checked(path)));
        foreach (var id in VMId)
        {
            foreach (var drive in Vm(Store.Read(), id).Drives.Where(drive => drive.Path is not null)) Attempt(() => Put(drive.Path!));
        }
    }

    private void Put(string path) => WriteObject(new VirtualHardDisk(path, VhdFile.Read(path), Disks.IsAttached(Store.Read(), path)));
}

[Cmdlet(VerbsCommon.New, "VHD", SupportsShouldProcess = true, DefaultParameterSetName = "DynamicWithoutSource")]
public sealed class NewVhd : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true), ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    [Parameter(Position = 1, Mandatory = true, ParameterSetName = "Differencing"), ValidateNotNullOrEmpty]
    public string? ParentPath { get; set; }

    [Parameter(Position = 1, Mandatory = true, ParameterSetName = "DynamicWithoutSource")]
    [Parameter(Position = 1, Mandatory = true, ParameterSetName = "FixedWithoutSource")]
    [Parameter(ParameterSetName = "Differencing")]
    public ulong SizeBytes { get; set; }

    [Parameter(ParameterSetName = "DynamicWithoutSource")]
    public SwitchParameter Dynamic { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = "FixedWithoutSource")]
    public SwitchParameter Fixed { get; set; }

    [Parameter(ParameterSetName = "Differencing")]
    public SwitchParameter Differencing { get; set; }

    [Parameter]
    public uint BlockSizeBytes { get; set; }

    [Parameter(ParameterSetName = "DynamicWithoutSource")]
    [Parameter(ParameterSetName = "FixedWithoutSource")]
    [ValidateSet("512", "4096")]
    public uint LogicalSectorSizeBytes { get; set; } = 512;

    [Parameter(ParameterSetName = "DynamicWithoutSource")]
    [Parameter(ParameterSetName = "FixedWithoutSource")]
    [ValidateSet("512", "4096")]
    public uint PhysicalSectorSizeBytes { get; set; } = 4096;

    protected override void Execute()
    {
        foreach (var given in Path) Attempt(() => Make(Disks.Checked(given)));
    }

    private void Make(string path)
    {
        if (!ShouldProcess(path)) return;
        var file = ParentPath is null ? Plain(path) : Child(path);
        Store.Change(data =>
        {
            Disks.MustFit(data, path, file.FileSize);
            file.Create(path);
        });
        WriteObject(new VirtualHardDisk(path, file, attached: false));
    }

    private VhdFile Plain(string path)
    {
        var vhd = Disks.Extension(path) == ".vhd";
        var limit = vhd ? 2040L << 30 : 64L << 40;
        if (SizeBytes < 3 << 20 || SizeBytes > (ulong)limit || SizeBytes % 512 != 0) throw VirtualizationException.Failed($"Failed to create '{path}': the size {SizeBytes} is not possible", unchecked((int)0x80070057));
        return new VhdFile
        {
            Format = vhd ? "VHD" : "VHDX", Type = Fixed ? "Fixed" : "Dynamic", Size = (long)SizeBytes, FileSize = Fixed ? (long)SizeBytes + (4 << 20) : 4 << 20,
            BlockSize = BlockSizeBytes == 0 ? (vhd ? 2 << 20 : 32 << 20) : (int)BlockSizeBytes, LogicalSectorSize = (int)LogicalSectorSizeBytes, PhysicalSectorSize = (int)PhysicalSectorSizeBytes,
        };
    }

    private VhdFile Child(string path)
    {
        var parentPath = Disks.Checked(ParentPath!);
        if (!File.Exists(WindowsPath.Real(parentPath))) throw VirtualizationException.InvalidParameter($"The parent '{parentPath}' does not exist.");
        var parent = VhdFile.Chain(parentPath)[0].File;
        if (Disks.Extension(path).TrimStart('.') is var kind && !kind.EndsWith(parent.Format.ToLowerInvariant(), StringComparison.Ordinal)) throw VirtualizationException.InvalidParameter("A child has the format of its parent.");
        if (SizeBytes != 0 && SizeBytes < (ulong)parent.Size) throw VirtualizationException.InvalidParameter("A child cannot be smaller than its parent.");
        return new VhdFile
        {
            Format = parent.Format, Type = "Differencing", Size = SizeBytes == 0 ? parent.Size : (long)SizeBytes, FileSize = 4 << 20, ParentPath = parentPath, ParentDataWriteId = parent.DataWriteId,
            BlockSize = parent.BlockSize, LogicalSectorSize = parent.LogicalSectorSize, MinimumSize = parent.MinimumSize,
        }.Holding(parent);
    }
}

/// <summary>Commands on disks by path.</summary>
public abstract class DiskCommand : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true), Alias("FullName"), ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected abstract void OnDisk(string path);

    protected override void Execute()
    {
        foreach (var given in Path)
        {
            Attempt(() =>
            {
                var path = Disks.Checked(given);
                if (!ShouldProcess(path)) return;
                OnDisk(path);
                if (Passthru) WriteObject(new VirtualHardDisk(path, VhdFile.Read(path), Disks.IsAttached(Store.Read(), path)));
            });
        }
    }
}

[Cmdlet(VerbsCommon.Resize, "VHD", SupportsShouldProcess = true, DefaultParameterSetName = "Size")]
public sealed class ResizeVhd : DiskCommand
{
    [Parameter(Position = 1, Mandatory = true, ParameterSetName = "Size")]
    public ulong SizeBytes { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = "MinimumSize")]
    public SwitchParameter ToMinimumSize { get; set; }

    protected override void OnDisk(string path) => Store.Change(data =>
    {
        var file = VhdFile.Read(path);
        var size = ToMinimumSize ? file.MinimumSize : (long)SizeBytes;
        var limit = file.Format == "VHD" ? 2040L << 30 : 64L << 40;
        if (size <= 0 || size > limit || size % 512 != 0) throw VirtualizationException.Failed($"Failed to resize '{path}': the size {size} is not possible", unchecked((int)0x80070057));
        if (size < file.Size && (file.Format == "VHD" || file.MinimumSize == 0 || size < file.MinimumSize)) throw VirtualizationException.Failed($"Failed to resize '{path}': the disk cannot shrink below its data", unchecked((int)0xC03A0021));
        MayResize(data, path, file);
        if (file.Type == "Fixed")
        {
            Disks.MustFit(data, path, size - file.Size);
            file.FileSize += size - file.Size;
        }

        file.Size = size;
        file.Touch(path);
    });

    /// <summary>Open disks grow only as VHDX on SCSI without checkpoints.</summary>
    private static void MayResize(HostData data, string path, VhdFile file)
    {
        if (data.Vms.Any(vm => vm.Checkpoints.SelectMany(one => one.Drives).Any(drive => WindowsPath.Same(drive.Path, path))) || Disks.Extension(path).StartsWith(".avhd", StringComparison.Ordinal))
        {
            throw VirtualizationException.Failed($"Failed to resize '{path}': the disk has checkpoints", unchecked((int)0xC03A001B));
        }

        if (!Disks.IsAttached(data, path))
        {
            Disks.MustBeClosed(data, path);
            return;
        }

        var drive = Disks.Holders(data, path).SelectMany(vm => vm.Drives).FirstOrDefault(one => WindowsPath.Same(one.Path, path));
        if (drive is null || drive.ControllerType != ControllerType.SCSI || file.Format != "VHDX" || file.Type == "Differencing")
        {
            throw VirtualizationException.NotSupported($"Failed to resize '{path}': the operation is not supported while the disk is in use.");
        }
    }
}

[Cmdlet(VerbsCommon.Set, "VHD", SupportsShouldProcess = true, DefaultParameterSetName = "ParentPath")]
public sealed class SetVhd : DiskCommand
{
    [Parameter(Mandatory = true, ParameterSetName = "ParentPath")]
    public string? ParentPath { get; set; }

    [Parameter(ParameterSetName = "ParentPath")]
    public SwitchParameter IgnoreIdMismatch { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = "PhysicalSectorSize"), ValidateSet("512", "4096")]
    public uint PhysicalSectorSizeBytes { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = "ResetDiskIdentifier")]
    public SwitchParameter ResetDiskIdentifier { get; set; }

    [Parameter(ParameterSetName = "ResetDiskIdentifier")]
    public SwitchParameter Force { get; set; }

    protected override void OnDisk(string path)
    {
        if (ResetDiskIdentifier && !Force && !ShouldContinue($"Reset the identifier of \"{path}\"?", "Confirm")) return;
        Store.Change(data =>
        {
            Disks.MustBeClosed(data, path);
            var file = VhdFile.Read(path);
            if (ResetDiskIdentifier)
            {
                if (file.Format != "VHDX") throw VirtualizationException.NotSupported("Only a VHDX has a disk identifier that can be reset.");
                file.DiskIdentifier = Guid.NewGuid();
            }
            else if (ParentPath is not null) Reparent(file);
            else file.PhysicalSectorSize = (int)PhysicalSectorSizeBytes;
            if (ResetDiskIdentifier) file.Touch(path);
            else file.Update(path);
        });
    }

    private void Reparent(VhdFile file)
    {
        var parentPath = Disks.Checked(ParentPath!);
        var parent = VhdFile.Read(parentPath);
        if (parent.DataWriteId != file.ParentDataWriteId && !IgnoreIdMismatch) throw VirtualizationException.Failed("The identifiers of parent and child do not match", unchecked((int)0xC03A000E));
        (file.ParentPath, file.ParentDataWriteId) = (parentPath, parent.DataWriteId);
    }
}

[Cmdlet(VerbsData.Convert, "VHD", SupportsShouldProcess = true)]
public sealed class ConvertVhd : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true), Alias("FullName"), ValidateNotNullOrEmpty]
    public string Path { get; set; } = "";

    [Parameter(Position = 1, Mandatory = true), ValidateNotNullOrEmpty]
    public string DestinationPath { get; set; } = "";

    [Parameter]
    public VhdType VHDType { get; set; }

    [Parameter]
    public uint BlockSizeBytes { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void Execute()
    {
        var from = Disks.Checked(Path);
        var to = Disks.Checked(DestinationPath);
        if (!ShouldProcess(from)) return;
        if (VHDType == VhdType.Differencing) throw VirtualizationException.NotSupported("The rig does not convert to differencing disks.");
        var data = Store.Read();
        Disks.MustBeClosed(data, from);
        var made = Conversion.Plan(data, from, to, VHDType, BlockSizeBytes);
        Thread.Sleep(TimeSpan.FromMilliseconds(data.Behaviour.CopyMsPerMiB * (made.FileSize >> 20)));
        made.Create(to);
        if (Passthru) WriteObject(new VirtualHardDisk(to, made, attached: false));
    }
}

/// <summary>A disk flattened into a new file.</summary>
public static class Conversion
{
    public static VhdFile Plan(HostData data, string from, string to, VhdType type, uint blockSize)
    {
        var chain = VhdFile.Chain(from);
        var source = chain[0].File;
        var target = Disks.Extension(to) == ".vhd" ? "VHD" : "VHDX";
        var kind = type != VhdType.Unknown ? type.ToString() : source.Type == "Fixed" ? "Fixed" : "Dynamic";
        if (target == "VHD" && source.Size > 2040L << 30) throw VirtualizationException.Failed("The disk is too large for a VHD", unchecked((int)0x80070057));
        var bytes = kind == "Fixed" ? source.Size + (4 << 20) : chain.Sum(part => part.File.FileSize);
        if (File.Exists(WindowsPath.Real(to))) throw VirtualizationException.Failed($"Failed to create '{to}': the file exists", unchecked((int)0x80070050));
        Disks.MustFit(data, to, bytes);
        return new VhdFile
        {
            Format = target, Type = kind, Size = source.Size, FileSize = bytes, BlockSize = blockSize == 0 ? source.BlockSize : (int)blockSize, LogicalSectorSize = source.LogicalSectorSize,
            PhysicalSectorSize = source.PhysicalSectorSize, DiskIdentifier = source.DiskIdentifier, MinimumSize = source.MinimumSize, BodyBytes = chain[^1].File.BodyBytes,
        }.Holding(source);
    }
}

[Cmdlet(VerbsDiagnostic.Test, "VHD")]
public sealed class TestVhd : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true), Alias("FullName"), ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = [];

    protected override void Execute()
    {
        foreach (var given in Path)
        {
            Attempt(() =>
            {
                VhdFile.Chain(Disks.Checked(given));
                WriteObject(true);
            });
        }
    }
}

[Cmdlet(VerbsData.Mount, "VHD", SupportsShouldProcess = true)]
public sealed class MountVhd : DiskCommand
{
    [Parameter]
    public SwitchParameter ReadOnly { get; set; }

    [Parameter]
    public SwitchParameter NoDriveLetter { get; set; }

    protected override void OnDisk(string path) => Store.Change(data =>
    {
        Disks.MustBeClosed(data, path);
        VhdFile.Chain(path);
        data.Mounted.Add(path);
    });
}

[Cmdlet(VerbsData.Dismount, "VHD", SupportsShouldProcess = true)]
public sealed class DismountVHD : DiskCommand
{
    protected override void OnDisk(string path) => Store.Change(data =>
    {
        if (data.Mounted.RemoveAll(one => WindowsPath.Same(one, path)) == 0) throw VirtualizationException.InvalidState($"'{path}' is not mounted.");
    });
}
