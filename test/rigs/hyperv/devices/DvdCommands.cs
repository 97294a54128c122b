using System.Management.Automation;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell.Commands;

[Cmdlet(VerbsCommon.Get, "VMDvdDrive", DefaultParameterSetName = "VMName")]
public sealed class GetVMDvdDrive : MachineCommand
{
    [Parameter]
    public int? ControllerNumber { get; set; }

    [Parameter]
    public int? ControllerLocation { get; set; }

    protected override void OnMachine(Guid id)
    {
        foreach (var dvd in Vm(Store.Read(), id).Dvds)
        {
            if ((ControllerNumber ?? dvd.ControllerNumber) == dvd.ControllerNumber && (ControllerLocation ?? dvd.ControllerLocation) == dvd.ControllerLocation) WriteObject(new DvdDrive(id, dvd));
        }
    }
}

internal static class Media
{
    internal static string? Checked(string? given)
    {
        if (string.IsNullOrEmpty(given)) return null;
        var path = WindowsPath.Full(given);
        if (!File.Exists(WindowsPath.Real(path))) throw VirtualizationException.Failed($"The medium '{path}' was not found", unchecked((int)0x80070002));
        return path;
    }
}

[Cmdlet(VerbsCommon.Add, "VMDvdDrive", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class AddVMDvdDrive : MachineCommand
{
    [Parameter(Position = 1)]
    public int? ControllerNumber { get; set; }

    [Parameter(Position = 2)]
    public int? ControllerLocation { get; set; }

    [Parameter(Position = 3)]
    public string? Path { get; set; }

    [Parameter]
    public SwitchParameter AllowUnverifiedPaths { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("DVD drive")) return;
        var made = Store.Change(data =>
        {
            var vm = Vm(data, id);
            var kind = vm.Generation == 1 ? ControllerType.IDE : ControllerType.SCSI;
            var (type, number, location) = Places.Find(vm, kind, ControllerNumber, ControllerLocation);
            Attachments.MayChange(vm, type, "Drives");
            var dvd = new DvdData { ControllerType = type, ControllerNumber = number, ControllerLocation = location, Path = Media.Checked(Path) };
            vm.Dvds.Add(dvd);
            return dvd;
        });
        if (Passthru) WriteObject(new DvdDrive(id, made));
    }
}

/// <summary>Takes the drive, or machine and place by name: -VM is no parameter here.</summary>
public abstract class DvdCommand : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMDvdDrive")]
    public DvdDrive[] VMDvdDrive { get; set; } = [];

    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "VMName")]
    public string VMName { get; set; } = "";

    [Parameter(Position = 1, ParameterSetName = "VMName")]
    public int? ControllerNumber { get; set; }

    [Parameter(Position = 2, ParameterSetName = "VMName")]
    public int? ControllerLocation { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected abstract void OnDrive(DvdDrive drive);

    protected override void Execute()
    {
        foreach (var drive in VMDvdDrive) Attempt(() => OnDrive(drive));
        if (ParameterSetName != "VMName") return;
        var vm = Machines.Named(VMName).FirstOrDefault() ?? throw Machines.Unknown(VMName);
        var found = vm.Dvds.FirstOrDefault(dvd => (ControllerNumber ?? dvd.ControllerNumber) == dvd.ControllerNumber && (ControllerLocation ?? dvd.ControllerLocation) == dvd.ControllerLocation)
            ?? throw VirtualizationException.InvalidParameter("There is no DVD drive at this place.");
        OnDrive(new DvdDrive(vm.Id, found));
    }
}

[Cmdlet(VerbsCommon.Set, "VMDvdDrive", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class SetVMDvdDrive : DvdCommand
{
    /// <summary>Null ejects.</summary>
    [Parameter, AllowNull]
    public string? Path { get; set; }

    [Parameter]
    public int? ToControllerNumber { get; set; }

    [Parameter]
    public int? ToControllerLocation { get; set; }

    [Parameter]
    public SwitchParameter AllowUnverifiedPaths { get; set; }

    protected override void OnDrive(DvdDrive drive)
    {
        if (!ShouldProcess(drive.Name)) return;
        Store.Change(data =>
        {
            var vm = Vm(data, drive.VMId);
            MustNotBeSaved(vm, "The medium");
            var dvd = Attachments.Find(vm, drive);
            if (ToControllerNumber is not null || ToControllerLocation is not null)
            {
                MustBeOff(vm, "The place of a DVD drive");
                var (_, number, location) = Places.Find(vm, dvd.ControllerType, ToControllerNumber ?? dvd.ControllerNumber, ToControllerLocation ?? dvd.ControllerLocation);
                (dvd.ControllerNumber, dvd.ControllerLocation) = (number, location);
            }

            if (Given(nameof(Path))) dvd.Path = Media.Checked(Path);
        });
        if (Passthru) WriteObject(drive);
    }
}

[Cmdlet(VerbsCommon.Remove, "VMDvdDrive", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class RemoveVMDvdDrive : DvdCommand
{
    protected override void OnDrive(DvdDrive drive)
    {
        if (!ShouldProcess(drive.Name)) return;
        Store.Change(data =>
        {
            var vm = Vm(data, drive.VMId);
            Attachments.MayChange(vm, drive.ControllerType, "Drives");
            vm.Firmware.BootOrder.Remove(drive.Id);
            vm.Dvds.Remove(Attachments.Find(vm, drive));
        });
        if (Passthru) WriteObject(drive);
    }
}
