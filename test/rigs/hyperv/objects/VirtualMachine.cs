using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell;

/// <summary>Base of what the cmdlets write: properties read the host anew, as the real objects do.</summary>
public abstract class VirtualizationObject
{
    public string ComputerName => Store.Read().Host.Name;
    public bool IsDeleted => !Exists;
    protected abstract bool Exists { get; }
}

public sealed class VirtualMachine : VirtualizationObject
{
    private VmData last;
    private readonly bool planned;

    /// <param name="data">The machine.</param>
    /// <param name="planned">It is a report's, not on the host yet.</param>
    internal VirtualMachine(VmData data, bool planned = false) => (last, this.planned) = (data, planned);

    internal VmData Data => planned ? last : last = Store.Read().Vms.FirstOrDefault(vm => vm.Id == last.Id) ?? last;

    protected override bool Exists => Store.Read().Vms.Any(vm => vm.Id == last.Id);

    public Guid Id => last.Id;
    public Guid VMId => last.Id;
    public string Name => Data.Name;
    public string VMName => Data.Name;
    public VMState State => Live.State(Data);
    public string Status => Live.IsMerging(Data) ? "Merging disks" : Live.IsBusy(Data) ? "Busy" : "Operating normally";
    public string? PrimaryStatusDescription => Status;
    public string? SecondaryStatusDescription => Live.IsMerging(Data) ? "Merging disks" : null;
    public VMOperationalStatus PrimaryOperationalStatus => Data.Critical ? VMOperationalStatus.Degraded : VMOperationalStatus.Ok;
    public VMOperationalStatus? SecondaryOperationalStatus => Live.IsMerging(Data) ? VMOperationalStatus.MergingDisks : null;
    public VMOperationalStatus[] OperationalStatus => SecondaryOperationalStatus is { } second ? [PrimaryOperationalStatus, second] : [PrimaryOperationalStatus];
    public int Generation => Data.Generation;
    public string Version => Data.Version;
    public string Notes => Data.Notes;
    public string Path => Data.Path;
    public string ConfigurationLocation => Data.Path;
    public string SmartPagingFilePath => Data.SmartPagingFilePath ?? Data.Path;
    public string SnapshotFileLocation => Data.SnapshotFileLocation ?? Data.Path;
    public DateTime CreationTime => Data.CreationTime.ToLocalTime();
    public TimeSpan Uptime => Data.StartedAt is { } start ? DateTime.UtcNow - start : TimeSpan.Zero;
    public string ReplicationState => "Disabled";
    public bool IsClustered => Data.Clustered;
    public long ProcessorCount => Data.Processor.Count;
    public int CPUUsage => 0;
    public bool DynamicMemoryEnabled => Data.Memory.DynamicMemoryEnabled;
    public long MemoryStartup => Data.Memory.Startup;
    public long MemoryMinimum => Data.Memory.Minimum;
    public long MemoryMaximum => Data.Memory.Maximum;
    public long MemoryAssigned => Live.IsOn(Data) ? Data.Memory.Startup : 0;
    public long MemoryDemand => Live.IsOn(Data) ? Data.Memory.Startup / 2 : 0;
    public string MemoryStatus => Live.IsOn(Data) ? "OK" : "";
    public StartAction AutomaticStartAction => Data.AutomaticStartAction;
    public int AutomaticStartDelay => Data.AutomaticStartDelay;
    public StopAction AutomaticStopAction => Data.AutomaticStopAction;
    public CriticalErrorAction AutomaticCriticalErrorAction => Data.AutomaticCriticalErrorAction;
    public int AutomaticCriticalErrorActionTimeout => Data.AutomaticCriticalErrorActionTimeout;
    public CheckpointType CheckpointType => Data.CheckpointType;
    public bool AutomaticCheckpointsEnabled => Data.AutomaticCheckpointsEnabled;
    public OnOffState LockOnDisconnect => Data.LockOnDisconnect;
    public Guid? ParentSnapshotId => Data.Checkpoints.LastOrDefault()?.Id;
    public string? ParentSnapshotName => Data.Checkpoints.LastOrDefault()?.Name;
    public string Heartbeat => Live.Heartbeat(Data, Store.Read().Behaviour) switch { "Ok" => "OkApplicationsUnknown", var other => other };
    public HardDiskDrive[] HardDrives => Data.Drives.Select(drive => new HardDiskDrive(Id, drive, planned ? last : null)).ToArray();
    public DvdDrive[] DVDDrives => Data.Dvds.Select(drive => new DvdDrive(Id, drive)).ToArray();
    public VMNetworkAdapter[] NetworkAdapters => Data.Adapters.Select(adapter => new VMNetworkAdapter(Id, adapter)).ToArray();
    public VMIntegrationComponent[] VMIntegrationService => Services.Names.Select(name => new VMIntegrationComponent(Id, name)).ToArray();

    public override string ToString() => $"VirtualMachine (Name = '{Name}') [Id = '{Id}']";
}

public enum VMOperationalStatus { Ok = 2, Degraded = 3, PredictiveFailure = 5, InService = 11, Dormant = 15, CreatingSnapshot = 32768, ApplyingSnapshot = 32769, DeletingSnapshot = 32770, WaitingToStart = 32771, MergingDisks = 32772, ExportingVirtualMachine = 32773, MigratingVirtualMachine = 32774 }

public sealed class VMProcessor(Guid vm) : VMPart(vm)
{
    private ProcessorData Part => Owner.Processor;
    public long Count => Part.Count;
    public long Reserve => Part.Reserve;
    public long Maximum => Part.Maximum;
    public int RelativeWeight => Part.RelativeWeight;
    public bool CompatibilityForMigrationEnabled => Part.CompatibilityForMigrationEnabled;
    public bool CompatibilityForOlderOperatingSystemsEnabled => Part.CompatibilityForOlderOperatingSystemsEnabled;
    public bool ExposeVirtualizationExtensions => Part.ExposeVirtualizationExtensions;
    public long HwThreadCountPerCore => Part.HwThreadCountPerCore;
    public string Name => "Processor";
}

public sealed class VMMemory(Guid vm) : VMPart(vm)
{
    private MemoryData Part => Owner.Memory;
    public bool DynamicMemoryEnabled => Part.DynamicMemoryEnabled;
    public long Startup => Part.Startup;
    public long Minimum => Part.Minimum;
    public long Maximum => Part.Maximum;
    public int Buffer => Part.Buffer;
    public int Priority => Part.Priority;
    public string? ResourcePoolName => "Primordial";
    public string Name => "Memory";
}

public sealed class VMFirmware(Guid vm) : VMPart(vm)
{
    private FirmwareData Part => Owner.Firmware;
    public OnOffState SecureBoot => Part.SecureBoot;
    public string SecureBootTemplate => Part.SecureBootTemplate;
    public Guid? SecureBootTemplateId => Templates.Ids.TryGetValue(Part.SecureBootTemplate, out var id) ? id : null;
    public OnOffState PauseAfterBootFailure => Part.PauseAfterBootFailure;
    public string PreferredNetworkBootProtocol => Part.PreferredNetworkBootProtocol;
    public string ConsoleMode => Part.ConsoleMode;
    public VMBootSource[] BootOrder => Live.BootOrder(Owner).Select(device => new VMBootSource(VMId, device)).ToArray();
}

public sealed class VMBootSource(Guid vm, object device) : VMPart(vm)
{
    public string BootType => Device is VMNetworkAdapter ? "Network" : "Drive";
    public object Device { get; } = device;
    public string Description => BootType == "Network" ? "EFI Network" : "EFI SCSI Device";
    public string FirmwarePath => @"\AcpiEx(VMBus,0,0)";
}

public sealed class VMBios(Guid vm) : VMPart(vm)
{
    public BootDevice[] StartupOrder => Owner.BiosOrder.Select(Enum.Parse<BootDevice>).ToArray();
    public bool NumLockEnabled => Owner.NumLock;
}

public sealed class VMSecurity(Guid vm) : VMPart(vm)
{
    public bool TpmEnabled => Owner.Tpm;
    public bool KsdEnabled => false;
    public bool Shielded => Owner.Shielded;
    public bool EncryptStateAndVmMigrationTraffic => Owner.EncryptStateAndVmMigrationTraffic;
    public bool VirtualizationBasedSecurityOptOut => false;
    public bool BindToHostTpm => false;
}

public sealed class VMIntegrationComponent(Guid vm, string name) : VMPart(vm)
{
    public string Name { get; } = name;
    public string Id => $@"Microsoft:{VMId.ToString().ToUpperInvariant()}\{Services.Ids[Name]}";
    public bool Enabled => Services.IsEnabled(Owner, Name);
    public string? PrimaryStatusDescription => !Enabled || !Live.IsOn(Owner) ? null : Live.Heartbeat(Owner, Store.Read().Behaviour) == "Ok" ? "OK" : "No Contact";
    public string? SecondaryStatusDescription => null;
    public VMOperationalStatus[] OperationalStatus => PrimaryStatusDescription == "OK" ? [VMOperationalStatus.Ok] : [];
}

/// <summary>Something of a machine.</summary>
public abstract class VMPart : VirtualizationObject
{
    private VmData? last;

    protected VMPart(Guid vm)
    {
        VMId = vm;
        _ = Owner;
    }

    internal VmData Owner => last = Store.Read().Vms.FirstOrDefault(vm => vm.Id == VMId) ?? last ?? new VmData { Id = VMId };

    protected override bool Exists => Store.Read().Vms.Any(vm => vm.Id == VMId);

    public Guid VMId { get; }
    public string VMName => Owner.Name;
    public Guid VMSnapshotId => Guid.Empty;
    public string VMSnapshotName => "";
}

/// <summary>UEFI Secure Boot templates and their real ids.</summary>
public static class Templates
{
    public static readonly Dictionary<string, Guid> Ids = new(StringComparer.OrdinalIgnoreCase)
    {
        ["MicrosoftWindows"] = Guid.Parse("1734c6e8-3154-4dda-ba5f-a874cc483422"),
        ["MicrosoftUEFICertificateAuthority"] = Guid.Parse("272e7447-90a4-4563-a4b9-8e4ab00526ce"),
        ["OpenSourceShieldedVM"] = Guid.Parse("4292ae2b-ee2c-42b5-a969-dd8f8689f6f3"),
    };
}

/// <summary>Integration services: English names and the fixed ids, which do not depend on the language.</summary>
public static class Services
{
    public static readonly Dictionary<string, string> Ids = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Guest Service Interface"] = "6C09BB55-D683-4DA0-8931-C9BF705F6480",
        ["Heartbeat"] = "84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47",
        ["Key-Value Pair Exchange"] = "2A34B1C2-FD73-4043-8A5B-DD2159BC743F",
        ["Shutdown"] = "9F8233AC-BE49-4C79-8EE3-E7E1985B2077",
        ["Time Synchronization"] = "2497F4DE-E9FA-4204-80E4-4B75C46419C0",
        ["VSS"] = "5CED1297-4598-4915-A5FC-AD21BB4D02A4",
    };

    public static IEnumerable<string> Names => Ids.Keys;

    public static bool IsEnabled(VmData vm, string name) =>
        vm.Services.TryGetValue(Names.First(known => string.Equals(known, name, StringComparison.OrdinalIgnoreCase)), out var on) ? on : name != "Guest Service Interface";
}
