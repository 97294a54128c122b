namespace Microsoft.HyperV.PowerShell.Rig;

/// <summary>Everything the emulated host keeps, as state.json holds it (camel case; enums as text; sizes in bytes).</summary>
public sealed class HostData
{
    public HostSettings Host { get; set; } = new();
    public Behaviour Behaviour { get; set; } = new();
    public List<SwitchData> Switches { get; set; } = [];
    public List<VmData> Vms { get; set; } = [];
    public List<JobData> Jobs { get; set; } = [];
    public List<VolumeData> Volumes { get; set; } = [new VolumeData { Root = @"C:\" }, new VolumeData { Root = @"D:\" }];
    /// <summary>Disks mounted on the host itself.</summary>
    public List<string> Mounted { get; set; } = [];
    /// <summary>Merges of machines that are gone.</summary>
    public List<DueData> Due { get; set; } = [];
    /// <summary>The last octets of the next dynamic MAC.</summary>
    public int NextMac { get; set; } = 1;
}

public sealed class HostSettings
{
    public string Name { get; set; } = "HV01";
    public string Os { get; set; } = "Microsoft Windows Server 2022 Standard";
    public string OsVersion { get; set; } = "10.0.20348";
    public int LogicalProcessors { get; set; } = 16;
    public long MemoryBytes { get; set; } = 64L << 30;
    /// <summary>Kept by the parent partition.</summary>
    public long ReservedBytes { get; set; } = 4L << 30;
    public string VirtualMachinePath { get; set; } = @"C:\ProgramData\Microsoft\Windows\Hyper-V";
    public string VirtualHardDiskPath { get; set; } = @"C:\Users\Public\Documents\Hyper-V\Virtual Hard Disks";
    public string MacAddressMinimum { get; set; } = "00155D010000";
    public string MacAddressMaximum { get; set; } = "00155D0100FF";
    public List<string> SupportedVersions { get; set; } = ["8.0", "9.0", "10.0"];
    public string DefaultVersion { get; set; } = "10.0";
    /// <summary>The most that Hyper-V gives one machine.</summary>
    public int MaximumVmProcessors { get; set; } = 1024;
    public long MaximumVmMemoryBytes { get; set; } = 12L << 40;
    /// <summary>The failover cluster the host belongs to.</summary>
    public string? Cluster { get; set; }
    public DateTime BootTime { get; set; } = DateTime.UtcNow.AddDays(-3);
}

/// <summary>How long the emulated host takes, in milliseconds.</summary>
public sealed class Behaviour
{
    public int BootMs { get; set; } = 200;
    public int ShutdownMs { get; set; } = 200;
    public int MergeMs { get; set; } = 200;
    public int SaveMs { get; set; }
    /// <summary>Milliseconds a MiB of a converted disk takes.</summary>
    public double CopyMsPerMiB { get; set; }
    /// <summary>What New-VM creates: true adds the default adapter, as the real one does.</summary>
    public bool DefaultAdapter { get; set; } = true;
}

/// <summary>A volume; free space is what its disks' FileSize leaves.</summary>
public sealed class VolumeData
{
    /// <summary>Drive letter or mount point, ending in a backslash.</summary>
    public string Root { get; set; } = "";
    public Guid Id { get; set; } = Guid.NewGuid();
    public long Capacity { get; set; } = 1L << 40;
    /// <summary>Taken by files that are not emulated.</summary>
    public long OtherBytes { get; set; }
}

public sealed class SwitchData
{
    public Guid Id { get; set; } = Guid.NewGuid();
    public string Name { get; set; } = "";
    public string SwitchType { get; set; } = "External";
    public string BandwidthReservationMode { get; set; } = "Absolute";
    public string Notes { get; set; } = "";
    public bool AllowManagementOS { get; set; } = true;
    public string? NetAdapter { get; set; } = "Ethernet";
}

public sealed class VmData
{
    public Guid Id { get; set; } = Guid.NewGuid();
    public string Name { get; set; } = "";
    public int Generation { get; set; } = 2;
    public string Version { get; set; } = "10.0";
    public VMState State { get; set; } = VMState.Off;
    public string Notes { get; set; } = "";
    /// <summary>The folder of "Virtual Machines", "Snapshots" and so on: keeps the name it was made with.</summary>
    public string Path { get; set; } = "";
    public string? SmartPagingFilePath { get; set; }
    public string? SnapshotFileLocation { get; set; }
    public DateTime CreationTime { get; set; } = DateTime.UtcNow;
    public DateTime StateSince { get; set; } = DateTime.UtcNow;
    public DateTime? StartedAt { get; set; }
    public bool Critical { get; set; }
    public bool Clustered { get; set; }
    public ProcessorData Processor { get; set; } = new();
    public MemoryData Memory { get; set; } = new();
    public FirmwareData Firmware { get; set; } = new();
    public List<string> BiosOrder { get; set; } = ["CD", "IDE", "LegacyNetworkAdapter", "Floppy"];
    public bool NumLock { get; set; }
    /// <summary>Base64; null or short: none.</summary>
    public string? KeyProtector { get; set; }
    public int KeyProtectorsSet { get; set; }
    public bool Tpm { get; set; }
    public bool Shielded { get; set; }
    public bool EncryptStateAndVmMigrationTraffic { get; set; }
    public StartAction AutomaticStartAction { get; set; } = StartAction.StartIfRunning;
    public int AutomaticStartDelay { get; set; }
    public StopAction AutomaticStopAction { get; set; } = StopAction.Save;
    public CriticalErrorAction AutomaticCriticalErrorAction { get; set; } = CriticalErrorAction.Pause;
    public int AutomaticCriticalErrorActionTimeout { get; set; } = 30;
    public CheckpointType CheckpointType { get; set; } = CheckpointType.Production;
    public bool AutomaticCheckpointsEnabled { get; set; }
    public OnOffState LockOnDisconnect { get; set; }
    public Dictionary<string, bool> Services { get; set; } = [];
    public List<ControllerData> Scsi { get; set; } = [];
    public List<DriveData> Drives { get; set; } = [];
    public List<DvdData> Dvds { get; set; } = [];
    public List<AdapterData> Adapters { get; set; } = [];
    public List<CheckpointData> Checkpoints { get; set; } = [];
    public GuestData Guest { get; set; } = new();
    public List<DueData> Due { get; set; } = [];
}

public sealed class ControllerData
{
    public Guid Id { get; set; } = Guid.NewGuid();
}

public sealed class ProcessorData
{
    public long Count { get; set; } = 1;
    public long Reserve { get; set; }
    public long Maximum { get; set; } = 100;
    public int RelativeWeight { get; set; } = 100;
    public bool CompatibilityForMigrationEnabled { get; set; }
    public bool CompatibilityForOlderOperatingSystemsEnabled { get; set; }
    public bool ExposeVirtualizationExtensions { get; set; }
    public long HwThreadCountPerCore { get; set; }
}

public sealed class MemoryData
{
    public bool DynamicMemoryEnabled { get; set; }
    public long Startup { get; set; } = 1L << 30;
    public long Minimum { get; set; } = 512L << 20;
    public long Maximum { get; set; } = 1L << 40;
    public int Buffer { get; set; } = 20;
    /// <summary>0 to 100; the cmdlets' Priority.</summary>
    public int Priority { get; set; } = 50;
}

public sealed class FirmwareData
{
    public OnOffState SecureBoot { get; set; } = OnOffState.On;
    public string SecureBootTemplate { get; set; } = "MicrosoftWindows";
    /// <summary>Device ids in boot order.</summary>
    public List<string> BootOrder { get; set; } = [];
    public OnOffState PauseAfterBootFailure { get; set; }
    public string PreferredNetworkBootProtocol { get; set; } = "IPv4";
    public string ConsoleMode { get; set; } = "Default";
}

/// <summary>A hard disk drive; Path null: an empty drive.</summary>
public sealed class DriveData
{
    public ControllerType ControllerType { get; set; } = ControllerType.SCSI;
    public int ControllerNumber { get; set; }
    public int ControllerLocation { get; set; }
    public string? Path { get; set; }
    public ulong MinimumIOPS { get; set; }
    public ulong MaximumIOPS { get; set; }
    public Guid QoSPolicyID { get; set; }
    public bool SupportPersistentReservations { get; set; }
}

public sealed class DvdData
{
    public ControllerType ControllerType { get; set; } = ControllerType.SCSI;
    public int ControllerNumber { get; set; }
    public int ControllerLocation { get; set; }
    public string? Path { get; set; }
}

public sealed class AdapterData
{
    public Guid Id { get; set; } = Guid.NewGuid();
    public string Name { get; set; } = "Network Adapter";
    public bool Legacy { get; set; }
    public bool Dynamic { get; set; } = true;
    /// <summary>Twelve hexadecimal digits; zeros until the first start of a dynamic one.</summary>
    public string Mac { get; set; } = "000000000000";
    public Guid? SwitchId { get; set; }
    /// <summary>The switch a disconnected or lost connection knew last.</summary>
    public string? LastSwitchName { get; set; }
    public OnOffState MacAddressSpoofing { get; set; }
    public OnOffState DhcpGuard { get; set; }
    public OnOffState RouterGuard { get; set; }
    public OnOffState AllowTeaming { get; set; }
    public OnOffState IeeePriorityTag { get; set; }
    public OnOffState DeviceNaming { get; set; }
    public string PortMirroring { get; set; } = "None";
    /// <summary>Bits a second; 0: no limit.</summary>
    public long MaximumBandwidth { get; set; }
    public long MinimumBandwidthAbsolute { get; set; }
    public int MinimumBandwidthWeight { get; set; }
    public VlanData Vlan { get; set; } = new();
    public int VmqWeight { get; set; } = 100;
    public int IovWeight { get; set; }
    public bool ClusterMonitored { get; set; } = true;
}

public sealed class VlanData
{
    public VMNetworkAdapterVlanMode Mode { get; set; } = VMNetworkAdapterVlanMode.Untagged;
    public int AccessVlanId { get; set; }
    public int NativeVlanId { get; set; }
    public List<int> AllowedVlanIds { get; set; } = [];
    public VMNetworkAdapterPrivateVlanMode PrivateMode { get; set; }
    public int PrimaryVlanId { get; set; }
    public int SecondaryVlanId { get; set; }
    public List<int> SecondaryVlanIds { get; set; } = [];
}

public sealed class CheckpointData
{
    public Guid Id { get; set; } = Guid.NewGuid();
    public string Name { get; set; } = "";
    public Guid? ParentId { get; set; }
    public DateTime CreationTime { get; set; } = DateTime.UtcNow;
    /// <summary>Standard, Production, Recovery (transient, of backup products), Replica...</summary>
    public SnapshotType SnapshotType { get; set; } = SnapshotType.Standard;
    /// <summary>The drives as they were: paths of the files the checkpoint keeps.</summary>
    public List<DriveData> Drives { get; set; } = [];
}

/// <summary>What runs inside.</summary>
public sealed class GuestData
{
    /// <summary>None: nothing boots. Windows or Linux.</summary>
    public string Os { get; set; } = "None";
    public string OsName { get; set; } = "";
    public string OsVersion { get; set; } = "";
    /// <summary>Takes startup memory of a static VM while it runs; a Linux guest cannot shrink.</summary>
    public bool HotMemory { get; set; } = true;
    /// <summary>Answers nothing, never shuts down.</summary>
    public bool Hung { get; set; }
    /// <summary>Locked at its console: Stop-VM without -Force prompts.</summary>
    public bool Locked { get; set; }
    public bool HasServices { get; set; } = true;
    public Dictionary<string, string> HostItems { get; set; } = [];
    public Dictionary<string, string> GuestItems { get; set; } = [];
    public Dictionary<string, string> IntrinsicItems { get; set; } = [];
}

/// <summary>A change that comes by itself.</summary>
public sealed class DueData
{
    public DateTime At { get; set; }
    /// <summary>Running, Off, Saved, GuestUp, Merged.</summary>
    public string What { get; set; } = "";
    public List<MergeData> Merges { get; set; } = [];
}

/// <summary>A checkpoint file going back into its parent.</summary>
public sealed class MergeData
{
    public string From { get; set; } = "";
    public string Into { get; set; } = "";
}

public sealed class JobData
{
    public Guid Id { get; set; } = Guid.NewGuid();
    public string Caption { get; set; } = "";
    public DateTime StartedAt { get; set; } = DateTime.UtcNow;
    public DateTime EndsAt { get; set; } = DateTime.UtcNow;
    /// <summary>0 or a Win32/Hyper-V error code, once it ended.</summary>
    public int ErrorCode { get; set; }
    public string ErrorDescription { get; set; } = "";
}
