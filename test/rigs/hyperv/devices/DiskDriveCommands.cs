using System.Management.Automation;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell.Commands;

internal static class Attachments
{
    /// <summary>What a machine that is on or off takes: IDE and generation 1 drives only while off.</summary>
    internal static void MayChange(VmData vm, ControllerType type, string what)
    {
        if (vm.State is VMState.Saved or VMState.Paused || Live.IsBusy(vm) || vm.Critical) throw VirtualizationException.InvalidState($"'{vm.Name}': {what} cannot be changed while it is {Live.State(vm)}.");
        if (vm.State != VMState.Off && type == ControllerType.IDE) throw VirtualizationException.InvalidState($"'{vm.Name}': IDE devices cannot be added or removed while it is running.");
    }

    /// <summary>The path of an existing disk that the machine can use. Two machines that are off may name one file: only running ones exclude each other.</summary>
    internal static string Disk(HostData data, VmData vm, string given)
    {
        var path = WindowsPath.Full(given);
        var disk = VhdFile.Read(path);
        if (vm.Generation == 2 && disk.Format != "VHDX") throw VirtualizationException.Failed($"Attachment '{path}' is not supported: generation 2 takes VHDX only", unchecked((int)0xC03A0014));
        if (vm.Drives.Any(drive => WindowsPath.Same(drive.Path, path))) throw VirtualizationException.Failed($"Attachment '{path}' is in use by this virtual machine", unchecked((int)0x80070020));
        var running = data.Vms.Where(other => other.Id != vm.Id && Live.IsOn(other)).SelectMany(other => other.Drives);
        if (vm.State != VMState.Off && running.Any(drive => WindowsPath.Same(drive.Path, path))) throw VirtualizationException.Failed($"Attachment '{path}' is being used by another process", unchecked((int)0x80070020));
        return path;
    }

    internal static DriveData Find(VmData vm, HardDiskDrive drive) =>
        vm.Drives.FirstOrDefault(one => one.ControllerType == drive.ControllerType && one.ControllerNumber == drive.ControllerNumber && one.ControllerLocation == drive.ControllerLocation)
        ?? throw VirtualizationException.ObjectNotFound("The hard disk drive was not found.");

    internal static DvdData Find(VmData vm, DvdDrive drive) =>
        vm.Dvds.FirstOrDefault(one => one.ControllerType == drive.ControllerType && one.ControllerNumber == drive.ControllerNumber && one.ControllerLocation == drive.ControllerLocation)
        ?? throw VirtualizationException.ObjectNotFound("The DVD drive was not found.");

    internal static void NoCheckpoints(VmData vm, string what)
    {
        if (vm.Checkpoints.Count > 0 && vm.State != VMState.Off) throw VirtualizationException.Failed($"{what}: the virtual machine has checkpoints", unchecked((int)0xC03A001C));
    }
}

[Cmdlet(VerbsCommon.Add, "VMHardDiskDrive", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class AddVMHardDiskDrive : MachineCommand
{
    [Parameter(Position = 1)]
    public ControllerType? ControllerType { get; set; }

    [Parameter(Position = 2)]
    public int? ControllerNumber { get; set; }

    [Parameter(Position = 3)]
    public int? ControllerLocation { get; set; }

    [Parameter(Position = 4), ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    [Parameter, Alias("ShareVirtualDisk")]
    public SwitchParameter SupportPersistentReservations { get; set; }

    [Parameter]
    public SwitchParameter AllowUnverifiedPaths { get; set; }

    [Parameter]
    public ulong? MaximumIOPS { get; set; }

    [Parameter]
    public ulong? MinimumIOPS { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("hard disk drive")) return;
        if ((MaximumIOPS ?? 0) > 0 && (MinimumIOPS ?? 0) > MaximumIOPS) throw VirtualizationException.InvalidParameter("MinimumIOPS is above MaximumIOPS.");
        var made = Store.Change(data =>
        {
            var vm = Vm(data, id);
            var (type, number, location) = Places.Find(vm, ControllerType, ControllerNumber, ControllerLocation);
            Attachments.MayChange(vm, type, "Drives");
            var drive = new DriveData
            {
                ControllerType = type, ControllerNumber = number, ControllerLocation = location, Path = Path is null ? null : Attachments.Disk(data, vm, Path),
                MaximumIOPS = MaximumIOPS ?? 0, MinimumIOPS = MinimumIOPS ?? 0, SupportPersistentReservations = SupportPersistentReservations,
            };
            vm.Drives.Add(drive);
            return drive;
        });
        if (Passthru) WriteObject(new HardDiskDrive(id, made));
    }
}

[Cmdlet(VerbsCommon.Get, "VMHardDiskDrive", DefaultParameterSetName = "VMName")]
public sealed class GetVMHardDiskDrive : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMName")]
    public string[] VMName { get; set; } = [];

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMObject")]
    public VirtualMachine[] VM { get; set; } = [];

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMSnapshot"), Alias("VMCheckpoint")]
    public VMSnapshot? VMSnapshot { get; set; }

    [Parameter]
    public ControllerType? ControllerType { get; set; }

    [Parameter]
    public int? ControllerNumber { get; set; }

    [Parameter]
    public int? ControllerLocation { get; set; }

    protected override void Execute()
    {
        foreach (var drive in VMSnapshot?.HardDrives ?? []) Put(drive);
        foreach (var vm in VM) Of(vm.Data);
        foreach (var name in VMName)
        {
            if (Machines.Named(name).Count == 0) Attempt(() => throw Machines.Unknown(name));
            foreach (var vm in Machines.Named(name)) Of(vm);
        }
    }

    private void Of(VmData vm)
    {
        foreach (var drive in vm.Drives) Put(new HardDiskDrive(vm.Id, drive));
    }

    private void Put(HardDiskDrive drive)
    {
        if ((ControllerType ?? drive.ControllerType) != drive.ControllerType) return;
        if ((ControllerNumber ?? drive.ControllerNumber) != drive.ControllerNumber || (ControllerLocation ?? drive.ControllerLocation) != drive.ControllerLocation) return;
        WriteObject(drive);
    }
}

/// <summary>Takes the drive, not the machine: -VM is no parameter here.</summary>
[Cmdlet(VerbsCommon.Remove, "VMHardDiskDrive", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class RemoveVMHardDiskDrive : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMHardDiskDrive")]
    public HardDiskDrive[] VMHardDiskDrive { get; set; } = [];

    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "VMName")]
    public string VMName { get; set; } = "";

    [Parameter(Position = 1, Mandatory = true, ParameterSetName = "VMName")]
    public ControllerType? ControllerType { get; set; }

    [Parameter(Position = 2, Mandatory = true, ParameterSetName = "VMName")]
    public int? ControllerNumber { get; set; }

    [Parameter(Position = 3, Mandatory = true, ParameterSetName = "VMName")]
    public int? ControllerLocation { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void Execute()
    {
        var drives = ParameterSetName == "VMName" ? Named() : VMHardDiskDrive;
        foreach (var drive in drives) Attempt(() => Remove(drive));
    }

    private HardDiskDrive[] Named()
    {
        var vm = Machines.Named(VMName).FirstOrDefault() ?? throw Machines.Unknown(VMName);
        var wanted = new DriveData { ControllerType = ControllerType!.Value, ControllerNumber = ControllerNumber!.Value, ControllerLocation = ControllerLocation!.Value };
        var found = vm.Drives.FirstOrDefault(drive => Places.Same(drive, wanted)) ?? throw VirtualizationException.InvalidParameter("There is no hard disk drive at this place.");
        return [new HardDiskDrive(vm.Id, found)];
    }

    private void Remove(HardDiskDrive drive)
    {
        if (!ShouldProcess(drive.Name)) return;
        if (drive.Planned is { } planned)
        {
            planned.Firmware.BootOrder.Remove(drive.Id);
            planned.Drives.Remove(drive.Data);
            if (Passthru) WriteObject(drive);
            return;
        }

        Store.Change(data =>
        {
            var vm = Vm(data, drive.VMId);
            Attachments.MayChange(vm, drive.ControllerType, "Drives");
            vm.Firmware.BootOrder.Remove(drive.Id);
            vm.Drives.Remove(Attachments.Find(vm, drive));
        });
        if (Passthru) WriteObject(drive);
    }
}

[Cmdlet(VerbsCommon.Set, "VMHardDiskDrive", SupportsShouldProcess = true, DefaultParameterSetName = "VMHardDiskDrive")]
public sealed class SetVMHardDiskDrive : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMHardDiskDrive")]
    public HardDiskDrive[] VMHardDiskDrive { get; set; } = [];

    [Parameter, ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    [Parameter]
    public ControllerType? ToControllerType { get; set; }

    [Parameter]
    public int? ToControllerNumber { get; set; }

    [Parameter]
    public int? ToControllerLocation { get; set; }

    [Parameter]
    public ulong? MaximumIOPS { get; set; }

    [Parameter]
    public ulong? MinimumIOPS { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void Execute()
    {
        foreach (var drive in VMHardDiskDrive) Attempt(() => Set(drive));
    }

    private void Set(HardDiskDrive drive)
    {
        if (!ShouldProcess(drive.Name)) return;
        var made = Store.Change(data =>
        {
            var vm = Vm(data, drive.VMId);
            var found = Attachments.Find(vm, drive);
            var moves = ToControllerType is not null || ToControllerNumber is not null || ToControllerLocation is not null;
            if (moves || Path is not null) Attachments.MayChange(vm, drive.ControllerType, "Drives");
            else MustNotBeSaved(vm, "Drives");
            if (moves)
            {
                if (vm.State != VMState.Off) throw VirtualizationException.InvalidState("A drive cannot move to another place while the virtual machine is running.");
                var (type, number, location) = Places.Find(vm, ToControllerType ?? found.ControllerType, ToControllerNumber ?? found.ControllerNumber, ToControllerLocation ?? found.ControllerLocation);
                (found.ControllerType, found.ControllerNumber, found.ControllerLocation) = (type, number, location);
            }

            if (Path is not null && !WindowsPath.Same(Path, found.Path)) found.Path = Attachments.Disk(data, vm, Path);
            found.MaximumIOPS = MaximumIOPS ?? found.MaximumIOPS;
            found.MinimumIOPS = MinimumIOPS ?? found.MinimumIOPS;
            if (found.MaximumIOPS > 0 && found.MinimumIOPS > found.MaximumIOPS) throw VirtualizationException.InvalidParameter("MinimumIOPS is above MaximumIOPS.");
            return found;
        });
        if (Passthru) WriteObject(new HardDiskDrive(drive.VMId, made));
    }
}

[Cmdlet(VerbsCommon.Get, "VMScsiController", DefaultParameterSetName = "VMName")]
public sealed class GetVMScsiController : MachineCommand
{
    [Parameter(Position = 1)]
    public int? ControllerNumber { get; set; }

    protected override void OnMachine(Guid id)
    {
        foreach (var (one, at) in Vm(Store.Read(), id).Scsi.Select((one, at) => (one, at)))
        {
            if (ControllerNumber is null || ControllerNumber == at) WriteObject(new VMScsiController(id, one.Id));
        }
    }
}

[Cmdlet(VerbsCommon.Add, "VMScsiController", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class AddVMScsiController : MachineCommand
{
    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("SCSI controller")) return;
        var made = Store.Change(data =>
        {
            var vm = Vm(data, id);
            MustBeOff(vm, "SCSI controllers");
            if (vm.Scsi.Count == 4) throw VirtualizationException.InvalidParameter("A virtual machine has four SCSI controllers at most.");
            var one = new ControllerData();
            vm.Scsi.Add(one);
            return one;
        });
        if (Passthru) WriteObject(new VMScsiController(id, made.Id));
    }
}

[Cmdlet(VerbsCommon.Remove, "VMScsiController", SupportsShouldProcess = true)]
public sealed class RemoveVMScsiController : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true)]
    public VMScsiController[] VMScsiController { get; set; } = [];

    protected override void Execute()
    {
        foreach (var one in VMScsiController)
        {
            if (!ShouldProcess(one.Name)) continue;
            Store.Change(data =>
            {
                var vm = Vm(data, one.VMId);
                MustBeOff(vm, "SCSI controllers");
                if (Places.On(vm, ControllerType.SCSI, one.ControllerNumber).Length > 0) throw VirtualizationException.Failed("The controller has drives");
                var at = one.ControllerNumber;
                vm.Scsi.RemoveAt(at);
                foreach (var drive in vm.Drives.Where(drive => drive.ControllerType == ControllerType.SCSI && drive.ControllerNumber > at)) drive.ControllerNumber--;
                foreach (var drive in vm.Dvds.Where(drive => drive.ControllerType == ControllerType.SCSI && drive.ControllerNumber > at)) drive.ControllerNumber--;
            });
        }
    }
}

[Cmdlet(VerbsCommon.Get, "VMIdeController", DefaultParameterSetName = "VMName")]
public sealed class GetVMIdeController : MachineCommand
{
    protected override void OnMachine(Guid id)
    {
        if (Vm(Store.Read(), id).Generation == 2) return;
        WriteObject(new VMIdeController(id, 0));
        WriteObject(new VMIdeController(id, 1));
    }
}
