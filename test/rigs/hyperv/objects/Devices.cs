using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell;

/// <summary>A drive bay of a machine.</summary>
public abstract class Drive(Guid vm) : VMPart(vm)
{
    public abstract ControllerType ControllerType { get; }
    public abstract int ControllerNumber { get; }
    public abstract int ControllerLocation { get; }
    public abstract string? Path { get; }
    public string Id => Ids.Drive(Owner, ControllerType, ControllerNumber, ControllerLocation);
    public string? PoolName => "Primordial";
}

public sealed class HardDiskDrive(Guid vm, DriveData data, VmData? planned = null) : Drive(vm)
{
    private DriveData last = data;

    /// <summary>The machine of a compatibility report, which is not on the host yet.</summary>
    internal VmData? Planned => planned;

    /// <summary>The bay as it is now; found by its place.</summary>
    internal DriveData Data => last = (planned ?? Owner).Drives.FirstOrDefault(drive => Places.Same(drive, last)) ?? last;

    public override ControllerType ControllerType => last.ControllerType;
    public override int ControllerNumber => last.ControllerNumber;
    public override int ControllerLocation => last.ControllerLocation;
    public override string? Path => Data.Path;
    public uint? DiskNumber => null;
    public string Name => $"Hard Drive on {ControllerType} controller number {ControllerNumber} at location {ControllerLocation}";
    public ulong MaximumIOPS => Data.MaximumIOPS;
    public ulong MinimumIOPS => Data.MinimumIOPS;
    public Guid QoSPolicyID => Data.QoSPolicyID;
    public bool SupportPersistentReservations => Data.SupportPersistentReservations;
    public string? AttachedDiskType => Path is null ? "None" : "Virtual";
}

public sealed class DvdDrive(Guid vm, DvdData data) : Drive(vm)
{
    private DvdData last = data;

    internal DvdData Data => last = Owner.Dvds.FirstOrDefault(drive => Places.Same(drive, last)) ?? last;

    public override ControllerType ControllerType => last.ControllerType;
    public override int ControllerNumber => last.ControllerNumber;
    public override int ControllerLocation => last.ControllerLocation;
    public override string? Path => Data.Path;
    public string DvdMediaType => Path is null ? "None" : "ISO";
    public string Name => $"DVD Drive on {ControllerType} controller number {ControllerNumber} at location {ControllerLocation}";
}

public sealed class VMScsiController(Guid vm, Guid id) : VMPart(vm)
{
    internal Guid Guid { get; } = id;
    public int ControllerNumber => Owner.Scsi.FindIndex(one => one.Id == Guid);
    public string Id => $@"Microsoft:{VMId.ToString().ToUpperInvariant()}\{Guid.ToString().ToUpperInvariant()}\0";
    public string Name => "SCSI Controller";
    public Drive[] Drives => Places.On(Owner, ControllerType.SCSI, ControllerNumber);
}

public sealed class VMIdeController(Guid vm, int number) : VMPart(vm)
{
    public int ControllerNumber { get; } = number;
    public string Id => $@"Microsoft:{VMId.ToString().ToUpperInvariant()}\{Ids.Ide}\{ControllerNumber}";
    public string Name => $"IDE Controller {ControllerNumber}";
    public Drive[] Drives => Places.On(Owner, ControllerType.IDE, ControllerNumber);
}

public sealed class VMNetworkAdapter(Guid vm, AdapterData data) : VMPart(vm)
{
    private AdapterData last = data;

    internal AdapterData Data => last = Owner.Adapters.FirstOrDefault(adapter => adapter.Id == last.Id) ?? last;

    public string Id => $@"Microsoft:{VMId.ToString().ToUpperInvariant()}\{last.Id.ToString().ToUpperInvariant()}";
    public string AdapterId => last.Id.ToString().ToUpperInvariant();
    public string Name => Data.Name;
    public bool IsLegacy => Data.Legacy;
    public bool IsManagementOs => false;
    public bool IsExternalAdapter => false;
    public bool DynamicMacAddressEnabled => Data.Dynamic;
    public string MacAddress => Data.Mac;
    public bool Connected => Switch is not null;
    private SwitchData? Switch => Data.SwitchId is { } id ? Store.Read().Switches.FirstOrDefault(one => one.Id == id) : null;
    public string? SwitchName => Switch?.Name ?? (Data.SwitchId is null ? null : Data.LastSwitchName);
    public Guid? SwitchId => Data.SwitchId;
    public OnOffState MacAddressSpoofing => Data.MacAddressSpoofing;
    public OnOffState DhcpGuard => Data.DhcpGuard;
    public OnOffState RouterGuard => Data.RouterGuard;
    public OnOffState AllowTeaming => Data.AllowTeaming;
    public OnOffState IeeePriorityTag => Data.IeeePriorityTag;
    public OnOffState DeviceNaming => Data.DeviceNaming;
    public string PortMirroringMode => Data.PortMirroring;
    public int VmqWeight => Data.VmqWeight;
    public int IovWeight => Data.IovWeight;
    public bool ClusterMonitored => Data.ClusterMonitored;
    public string[] IPAddresses => Live.Heartbeat(Owner, Store.Read().Behaviour) == "Ok" && Connected ? Live.Addresses(Data) : [];
    public string[] Status => Live.IsOn(Owner) ? ["Ok"] : [];
    public VMNetworkAdapterVlanSetting VlanSetting => new(VMId, last);
    /// <summary>Null when no bandwidth was ever set, as with the real one.</summary>
    public VMNetworkAdapterBandwidthSetting? BandwidthSetting =>
        Data is { MaximumBandwidth: 0, MinimumBandwidthAbsolute: 0, MinimumBandwidthWeight: 0 } ? null : new VMNetworkAdapterBandwidthSetting(Data);
}

public sealed class VMNetworkAdapterBandwidthSetting(AdapterData data)
{
    public long? MaximumBandwidth => data.MaximumBandwidth == 0 ? null : data.MaximumBandwidth;
    public long? MinimumBandwidthAbsolute => data.MinimumBandwidthAbsolute == 0 ? null : data.MinimumBandwidthAbsolute;
    public long? MinimumBandwidthWeight => data.MinimumBandwidthWeight == 0 ? null : data.MinimumBandwidthWeight;
}

public sealed class VMNetworkAdapterVlanSetting(Guid vm, AdapterData adapter) : VMPart(vm)
{
    private VlanData Data => (Owner.Adapters.FirstOrDefault(one => one.Id == adapter.Id) ?? adapter).Vlan;
    public VMNetworkAdapter ParentAdapter => new(VMId, adapter);
    public VMNetworkAdapterVlanMode OperationMode => Data.Mode;
    public int AccessVlanId => Data.AccessVlanId;
    public int NativeVlanId => Data.NativeVlanId;
    public List<int> AllowedVlanIdList => Data.AllowedVlanIds;
    public string AllowedVlanIdListString => string.Join(',', Data.AllowedVlanIds);
    public VMNetworkAdapterPrivateVlanMode PrivateVlanMode => Data.PrivateMode;
    public int PrimaryVlanId => Data.PrimaryVlanId;
    public int SecondaryVlanId => Data.SecondaryVlanId;
    public List<int> SecondaryVlanIdList => Data.SecondaryVlanIds;
}

public sealed class VMSwitch(SwitchData data) : VirtualizationObject
{
    protected override bool Exists => Store.Read().Switches.Any(one => one.Id == data.Id);
    public Guid Id => data.Id;
    public string Name => data.Name;
    public VMSwitchType SwitchType => Enum.Parse<VMSwitchType>(data.SwitchType);
    public VMSwitchBandwidthMode BandwidthReservationMode => Enum.Parse<VMSwitchBandwidthMode>(data.BandwidthReservationMode);
    public string Notes => data.Notes;
    public bool AllowManagementOS => data.AllowManagementOS;
    public string? NetAdapterInterfaceDescription => data.NetAdapter;
    public bool EmbeddedTeamingEnabled => false;
    public bool IovEnabled => false;
}

public sealed class VMSnapshot(Guid vm, CheckpointData data) : VMPart(vm)
{
    internal CheckpointData Data => data;
    public Guid Id => data.Id;
    public string Name => data.Name;
    public SnapshotType SnapshotType => data.SnapshotType;
    public DateTime CreationTime => data.CreationTime.ToLocalTime();
    public Guid? ParentSnapshotId => data.ParentId;
    public string? ParentSnapshotName => Owner.Checkpoints.FirstOrDefault(one => one.Id == data.ParentId)?.Name;
    public HardDiskDrive[] HardDrives => data.Drives.Select(drive => new HardDiskDrive(VMId, drive)).ToArray();
    public VMState State => VMState.Off;
    public bool IsAutomaticCheckpoint => false;
}

public sealed class VMHost : VirtualizationObject
{
    private static HostSettings Data => Store.Read().Host;
    protected override bool Exists => true;
    public string Name => Data.Name;
    public string FullyQualifiedDomainName => Data.Name;
    public int LogicalProcessorCount => Data.LogicalProcessors;
    public long MemoryCapacity => Data.MemoryBytes;
    public string VirtualMachinePath => Data.VirtualMachinePath;
    public string VirtualHardDiskPath => Data.VirtualHardDiskPath;
    public string MacAddressMinimum => Data.MacAddressMinimum;
    public string MacAddressMaximum => Data.MacAddressMaximum;
    public string[] SupportedVmVersions => [.. Data.SupportedVersions];
    public bool NumaSpanningEnabled => true;
    public bool EnableEnhancedSessionMode => false;
    public bool VirtualMachineMigrationEnabled => false;
    public int MaximumStorageMigrations => 2;
    public int MaximumVirtualMachineMigrations => 2;
}

public sealed record VMHostSupportedVersion(string Name, Version Version, bool IsDefault);
