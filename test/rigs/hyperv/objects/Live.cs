using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell;

/// <summary>What follows from the kept state and the clock.</summary>
public static class Live
{
    public static VMState State(VmData vm) => vm.Critical
        ? vm.State switch { VMState.Running => VMState.RunningCritical, VMState.Off => VMState.OffCritical, VMState.Saved => VMState.SavedCritical, VMState.Paused => VMState.PausedCritical, _ => vm.State }
        : vm.State;

    /// <summary>Memory is taken.</summary>
    public static bool IsOn(VmData vm) => vm.State is not (VMState.Off or VMState.Saved);

    public static bool IsMerging(VmData vm) => vm.Due.Any(due => due.What == "Merged");

    public static bool IsBusy(VmData vm) => vm.State is VMState.Starting or VMState.Stopping or VMState.Saving or VMState.Pausing or VMState.Resuming;

    /// <summary>Ok, NoContact, Disabled or "" when the machine is not on.</summary>
    public static string Heartbeat(VmData vm, Behaviour behaviour)
    {
        if (vm.State != VMState.Running) return "";
        if (!Services.IsEnabled(vm, "Heartbeat")) return "Disabled";
        var up = vm.StartedAt is { } start && DateTime.UtcNow >= start.AddMilliseconds(behaviour.BootMs);
        return up && vm.Guest is { HasServices: true, Hung: false } && vm.Guest.Os != "None" ? "Ok" : "NoContact";
    }

    public static string[] Addresses(AdapterData adapter)
    {
        var bytes = Convert.FromHexString(adapter.Mac);
        return [$"10.0.{bytes[4]}.{bytes[5]}", $"fe80::215:5dff:fe{bytes[3]:x2}:{bytes[4]:x2}{bytes[5]:x2}"];
    }

    /// <summary>Guest items the integration services report by themselves, and what tests set.</summary>
    public static Dictionary<string, string> Intrinsic(VmData vm, Behaviour behaviour)
    {
        if (Heartbeat(vm, behaviour) != "Ok") return [];
        var ips = vm.Adapters.Where(adapter => adapter.SwitchId is not null).SelectMany(Addresses).ToList();
        var items = new Dictionary<string, string>
        {
            ["FullyQualifiedDomainName"] = vm.Name,
            ["OSName"] = vm.Guest.OsName,
            ["OSVersion"] = vm.Guest.OsVersion,
            ["OSPlatformId"] = vm.Guest.Os == "Windows" ? "2" : "0",
            ["NetworkAddressIPv4"] = string.Join(';', ips.Where(ip => ip.Contains('.'))),
            ["NetworkAddressIPv6"] = string.Join(';', ips.Where(ip => ip.Contains(':'))),
        };
        foreach (var (name, value) in vm.Guest.IntrinsicItems) items[name] = value;
        return items;
    }

    /// <summary>Devices in the order the firmware tries them; those never ordered come last.</summary>
    public static IEnumerable<object> BootOrder(VmData vm)
    {
        var devices = vm.Drives.Select(drive => (object)new HardDiskDrive(vm.Id, drive))
            .Concat(vm.Dvds.Select(drive => new DvdDrive(vm.Id, drive)))
            .Concat(vm.Adapters.Select(adapter => new VMNetworkAdapter(vm.Id, adapter)));
        return devices.OrderBy(device => vm.Firmware.BootOrder.IndexOf(Ids.Of(device)) is var at && at < 0 ? int.MaxValue : at);
    }
}

/// <summary>Ids as the WMI provider forms them.</summary>
public static class Ids
{
    public const string Ide = "83F8638B-8DCA-4152-9EDA-2CA8B33039B4";

    public static string Drive(VmData vm, ControllerType type, int number, int location)
    {
        var owner = vm.Id.ToString().ToUpperInvariant();
        if (type == ControllerType.IDE) return $@"Microsoft:{owner}\{Ide}\{number}\{location}\D";
        var controller = number < vm.Scsi.Count ? vm.Scsi[number].Id : Guid.Empty;
        return $@"Microsoft:{owner}\{controller.ToString().ToUpperInvariant()}\0\{location}\D";
    }

    public static string Of(object device) => device switch
    {
        Drive drive => drive.Id,
        VMNetworkAdapter adapter => adapter.Id,
        VMBootSource source => Of(source.Device),
        _ => throw VirtualizationException.InvalidParameter($"'{device.GetType().Name}' is not a boot device."),
    };
}

/// <summary>Places on controllers.</summary>
internal static class Places
{
    internal static bool Same(DriveData left, DriveData right) =>
        left.ControllerType == right.ControllerType && left.ControllerNumber == right.ControllerNumber && left.ControllerLocation == right.ControllerLocation;

    internal static bool Same(DvdData left, DvdData right) =>
        left.ControllerType == right.ControllerType && left.ControllerNumber == right.ControllerNumber && left.ControllerLocation == right.ControllerLocation;

    internal static Drive[] On(VmData vm, ControllerType type, int number) =>
    [
        .. vm.Drives.Where(drive => drive.ControllerType == type && drive.ControllerNumber == number).Select(drive => new HardDiskDrive(vm.Id, drive)),
        .. vm.Dvds.Where(drive => drive.ControllerType == type && drive.ControllerNumber == number).Select(drive => new DvdDrive(vm.Id, drive)),
    ];

    internal static bool Taken(VmData vm, ControllerType type, int number, int location) =>
        vm.Drives.Any(drive => drive.ControllerType == type && drive.ControllerNumber == number && drive.ControllerLocation == location) ||
        vm.Dvds.Any(drive => drive.ControllerType == type && drive.ControllerNumber == number && drive.ControllerLocation == location);

    /// <summary>The wanted place, or the first vacant one: IDE before SCSI, as the real module tries.</summary>
    internal static (ControllerType Type, int Number, int Location) Find(VmData vm, ControllerType? type, int? number, int? location)
    {
        var kinds = type is { } given ? [given] : vm.Generation == 1 ? new[] { ControllerType.IDE, ControllerType.SCSI } : [ControllerType.SCSI];
        foreach (var kind in kinds)
        {
            if (kind == ControllerType.IDE && vm.Generation == 2) throw VirtualizationException.InvalidParameter("A generation 2 virtual machine has no IDE controller.");
            if (kind == ControllerType.PMEM) throw VirtualizationException.NotSupported("PMEM controllers are not emulated.");
            var controllers = kind == ControllerType.IDE ? 2 : vm.Scsi.Count;
            var locations = kind == ControllerType.IDE ? 2 : 64;
            foreach (var at in Enumerable.Range(0, controllers).Where(at => number is null || at == number))
            {
                foreach (var place in Enumerable.Range(0, locations).Where(place => location is null || place == location))
                {
                    if (!Taken(vm, kind, at, place)) return (kind, at, place);
                }
            }
        }

        throw VirtualizationException.InvalidParameter("The controller or location is not there, or is taken.");
    }
}
