using System.Management.Automation;
using Microsoft.HyperV.PowerShell;
using Microsoft.HyperV.PowerShell.Rig;
using static AetherV.Rig.Cim.Rows;
using static AetherV.Rig.Cim.Virtualization;

namespace AetherV.Rig.Cim;

/// <summary>Controllers, drives and what lies in them.</summary>
internal static class Storage
{
    private const string Device = "Msvm_ResourceAllocationSettingData";
    private const string Allocation = "Msvm_StorageAllocationSettingData";

    private static string Controller(VmData vm, Guid settings, ControllerType type, int number) => type == ControllerType.IDE
        ? $@"{Prefix(settings)}\{Ids.Ide}\{number}"
        : $@"{Prefix(settings)}\{Upper(number < vm.Scsi.Count ? vm.Scsi[number].Id : Guid.Empty)}\0";

    internal static IEnumerable<PSObject> Devices(VmData vm, Guid settings, CheckpointData? checkpoint)
    {
        for (var number = 0; number < (vm.Generation == 1 ? 2 : 0); number++)
        {
            yield return Row(Space, Device, ("InstanceID", Controller(vm, settings, ControllerType.IDE, number)), ("ElementName", $"IDE Controller {number}"), ("ResourceType", (ushort)5), ("ResourceSubType", "Microsoft:Hyper-V:Emulated IDE Controller"), ("Address", $"{number}"), ("AddressOnParent", null), ("Parent", null), ("HostResource", null));
        }

        for (var number = 0; number < vm.Scsi.Count; number++)
        {
            yield return Row(Space, Device, ("InstanceID", Controller(vm, settings, ControllerType.SCSI, number)), ("ElementName", "SCSI Controller"), ("ResourceType", (ushort)6), ("ResourceSubType", "Microsoft:Hyper-V:Synthetic SCSI Controller"), ("Address", null), ("AddressOnParent", null), ("Parent", null), ("HostResource", null));
        }

        foreach (var drive in checkpoint?.Drives ?? vm.Drives) yield return Bay(vm, settings, drive.ControllerType, drive.ControllerNumber, drive.ControllerLocation, dvd: false);
        foreach (var drive in vm.Dvds) yield return Bay(vm, settings, drive.ControllerType, drive.ControllerNumber, drive.ControllerLocation, dvd: true);
    }

    private static PSObject Bay(VmData vm, Guid settings, ControllerType type, int number, int location, bool dvd)
    {
        var controller = Controller(vm, settings, type, number);
        return Row(
            Space, Device, ("InstanceID", $@"{controller}\{location}\D"), ("ElementName", dvd ? "DVD Drive" : "Hard Drive"), ("ResourceType", (ushort)(dvd ? 16 : 17)), ("ResourceSubType", dvd ? "Microsoft:Hyper-V:Synthetic DVD Drive" : "Microsoft:Hyper-V:Synthetic Disk Drive"),
            ("Address", null), ("AddressOnParent", $"{location}"), ("Parent", Path(Device, "InstanceID", controller)), ("HostResource", null));
    }

    /// <summary>A row for each medium: the files of running settings and of checkpoints alike.</summary>
    internal static IEnumerable<PSObject> Allocations(VmData vm, Guid settings, CheckpointData? checkpoint)
    {
        foreach (var drive in (checkpoint?.Drives ?? vm.Drives).Where(drive => drive.Path is not null))
        {
            yield return Medium(vm, settings, (drive.ControllerType, drive.ControllerNumber, drive.ControllerLocation, drive.Path!), dvd: false, drive);
        }

        foreach (var drive in vm.Dvds.Where(drive => drive.Path is not null))
        {
            yield return Medium(vm, settings, (drive.ControllerType, drive.ControllerNumber, drive.ControllerLocation, drive.Path!), dvd: true, null);
        }
    }

    private static PSObject Medium(VmData vm, Guid settings, (ControllerType Type, int Number, int Location, string File) at, bool dvd, DriveData? drive)
    {
        var bay = $@"{Controller(vm, settings, at.Type, at.Number)}\{at.Location}";
        return Row(
            Space, Allocation, ("InstanceID", $@"{bay}\L"), ("ElementName", dvd ? "ISO Disk Image" : "Hard Disk Image"), ("ResourceType", (ushort)31), ("ResourceSubType", dvd ? "Microsoft:Hyper-V:Virtual CD/DVD Disk" : "Microsoft:Hyper-V:Virtual Hard Disk"), ("Parent", Path(Device, "InstanceID", $@"{bay}\D")),
            ("HostResource", new[] { at.File }), ("IOPSLimit", drive?.MaximumIOPS ?? 0UL), ("IOPSReservation", drive?.MinimumIOPS ?? 0UL), ("StorageQoSPolicyID", (drive?.QoSPolicyID ?? Guid.Empty).ToString()), ("PersistentReservationsSupported", drive?.SupportPersistentReservations ?? false));
    }
}
