using System.Management.Automation;
using System.Security;
using Microsoft.HyperV.PowerShell;
using Microsoft.HyperV.PowerShell.Rig;
using static AetherV.Rig.Cim.Rows;

namespace AetherV.Rig.Cim;

/// <summary>Classes of root\virtualization\v2, whole: InstanceIDs join as the real ones do.</summary>
internal static class Virtualization
{
    internal const string Space = @"root\virtualization\v2";

    internal static readonly Dictionary<string, Func<HostData, IEnumerable<PSObject>>> Classes = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Msvm_ComputerSystem"] = data => data.Vms.Select(vm => System(data, vm)).Prepend(HostSystem(data)),
        ["Msvm_VirtualSystemSettingData"] = data => data.Vms.SelectMany(Settings),
        ["Msvm_ProcessorSettingData"] = data => data.Vms.SelectMany(vm => EachSettings(vm, (id, _) => Processor(vm, id))).Append(Maximum("Msvm_ProcessorSettingData", "B637F346-6A0E-4DEC-AF52-BD70CB80A21D", data.Host.MaximumVmProcessors)),
        ["Msvm_MemorySettingData"] = data => data.Vms.SelectMany(vm => EachSettings(vm, (id, _) => Memory(vm, id))).Append(Maximum("Msvm_MemorySettingData", "4764334D-E001-4176-82EE-5594EC9B530E", data.Host.MaximumVmMemoryBytes >> 20)),
        ["Msvm_StorageAllocationSettingData"] = data => data.Vms.SelectMany(vm => EachSettings(vm, (id, checkpoint) => Storage.Allocations(vm, id, checkpoint)).SelectMany(rows => rows)),
        ["Msvm_ResourceAllocationSettingData"] = data => data.Vms.SelectMany(vm => EachSettings(vm, (id, checkpoint) => Storage.Devices(vm, id, checkpoint)).SelectMany(rows => rows)),
        ["Msvm_SyntheticEthernetPortSettingData"] = data => data.Vms.SelectMany(vm => Ports.Settings(vm, legacy: false)),
        ["Msvm_EmulatedEthernetPortSettingData"] = data => data.Vms.SelectMany(vm => Ports.Settings(vm, legacy: true)),
        ["Msvm_EthernetPortAllocationSettingData"] = data => data.Vms.SelectMany(vm => Ports.Allocations(data, vm)),
        ["Msvm_EthernetSwitchPortVlanSettingData"] = data => data.Vms.SelectMany(Ports.Vlans),
        ["Msvm_EthernetSwitchPortSecuritySettingData"] = data => data.Vms.SelectMany(Ports.Security),
        ["Msvm_EthernetSwitchPortBandwidthSettingData"] = data => data.Vms.SelectMany(Ports.Bandwidth),
        ["Msvm_VirtualEthernetSwitch"] = data => data.Switches.Select(one => Row(Space, "Msvm_VirtualEthernetSwitch", ("Name", Upper(one.Id)), ("ElementName", one.Name), ("CreationClassName", "Msvm_VirtualEthernetSwitch"), ("EnabledState", (ushort)2))),
        ["Msvm_VirtualEthernetSwitchSettingData"] = data => data.Switches.Select(one => Row(Space, "Msvm_VirtualEthernetSwitchSettingData", ("InstanceID", $"Microsoft:{Upper(one.Id)}"), ("ElementName", one.Name), ("VirtualSystemIdentifier", Upper(one.Id)), ("BandwidthReservationMode", Mode(one)), ("Notes", new[] { one.Notes }))),
        ["Msvm_KvpExchangeComponent"] = data => data.Vms.SelectMany(vm => Component(data, vm, "Msvm_KvpExchangeComponent", "Key-Value Pair Exchange", ("GuestExchangeItems", Items(vm.Guest.GuestItems, 1)), ("GuestIntrinsicExchangeItems", Items(Live.Intrinsic(vm, data.Behaviour), 2)))),
        ["Msvm_KvpExchangeComponentSettingData"] = data => data.Vms.SelectMany(vm => EachSettings(vm, (id, _) => Kvp(vm, id))),
        ["Msvm_HeartbeatComponent"] = data => data.Vms.SelectMany(vm => Component(data, vm, "Msvm_HeartbeatComponent", "Heartbeat")),
        ["Msvm_ShutdownComponent"] = data => data.Vms.SelectMany(vm => Component(data, vm, "Msvm_ShutdownComponent", "Shutdown")),
        ["Msvm_HeartbeatComponentSettingData"] = data => data.Vms.Select(vm => ServiceSetting(vm, "Msvm_HeartbeatComponentSettingData", "Heartbeat")),
        ["Msvm_ShutdownComponentSettingData"] = data => data.Vms.Select(vm => ServiceSetting(vm, "Msvm_ShutdownComponentSettingData", "Shutdown")),
        ["Msvm_TimeSyncComponentSettingData"] = data => data.Vms.Select(vm => ServiceSetting(vm, "Msvm_TimeSyncComponentSettingData", "Time Synchronization")),
        ["Msvm_VssComponentSettingData"] = data => data.Vms.Select(vm => ServiceSetting(vm, "Msvm_VssComponentSettingData", "VSS")),
        ["Msvm_GuestServiceInterfaceComponentSettingData"] = data => data.Vms.Select(vm => ServiceSetting(vm, "Msvm_GuestServiceInterfaceComponentSettingData", "Guest Service Interface")),
        ["Msvm_SecuritySettingData"] = data => data.Vms.Select(vm => Row(Space, "Msvm_SecuritySettingData", ("InstanceID", $@"{Prefix(vm.Id)}\36D4EA6F-9E63-4B73-A7B5-5A3B6C6AFD6B"), ("TpmEnabled", vm.Tpm), ("ShieldingRequested", vm.Shielded), ("EncryptStateAndVmMigrationTraffic", vm.EncryptStateAndVmMigrationTraffic), ("KeyProtector", vm.KeyProtector is null ? [0, 0, 0, 4] : Convert.FromBase64String(vm.KeyProtector)))),
        ["Msvm_VirtualSystemManagementService"] = data => [Row(Space, "Msvm_VirtualSystemManagementService", ("Name", "vmms"), ("ElementName", "Hyper-V Virtual System Management"), ("SystemName", data.Host.Name), ("CreationClassName", "Msvm_VirtualSystemManagementService"), ("Started", true))],
        ["Msvm_VirtualSystemManagementServiceSettingData"] = data => [Row(Space, "Msvm_VirtualSystemManagementServiceSettingData", ("DefaultExternalDataRoot", data.Host.VirtualMachinePath), ("DefaultVirtualHardDiskPath", data.Host.VirtualHardDiskPath), ("MinimumMacAddress", data.Host.MacAddressMinimum), ("MaximumMacAddress", data.Host.MacAddressMaximum))],
        ["Msvm_ImageManagementService"] = data => [Row(Space, "Msvm_ImageManagementService", ("Name", "vhdsvc"), ("SystemName", data.Host.Name))],
        ["Msvm_BootSourceSettingData"] = data => data.Vms.Where(vm => vm.Generation == 2).SelectMany(vm => Live.BootOrder(vm).Select(device => Boot(vm, device))),
        ["Msvm_Memory"] = data => data.Vms.Where(Live.IsOn).Select(vm => Row(Space, "Msvm_Memory", ("SystemName", Upper(vm.Id)), ("DeviceID", $@"{Prefix(vm.Id)}\4764334d-e001-4176-82ee-5594ec9b530e"), ("ElementName", "Memory"), ("BlockSize", 1048576UL), ("NumberOfBlocks", (ulong)vm.Memory.Startup >> 20))),
        ["Msvm_GuestNetworkAdapterConfiguration"] = data => data.Vms.SelectMany(vm => vm.Adapters.Select(adapter => Row(Space, "Msvm_GuestNetworkAdapterConfiguration", ("InstanceID", $@"Microsoft:GuestNetwork\{Upper(vm.Id)}\{Upper(adapter.Id)}"), ("IPAddresses", Live.Heartbeat(vm, data.Behaviour) == "Ok" && adapter.SwitchId is not null ? Live.Addresses(adapter) : []), ("DHCPEnabled", true)))),
        ["Msvm_ConcreteJob"] = data => data.Jobs.Select(Jobs.Row),
        ["Msvm_StorageJob"] = data => data.Jobs.Select(Jobs.Row),
    };

    /// <summary>The definition of a resource: what the host gives at most.</summary>
    private static PSObject Maximum(string type, string resource, long most) => Row(Space, type, ("InstanceID", $@"Microsoft:Definition\{resource}\Maximum"), ("ElementName", "Maximum"), ("VirtualQuantity", (ulong)most));

    internal static string Upper(Guid id) => id.ToString().ToUpperInvariant();

    internal static string Prefix(Guid id) => $"Microsoft:{Upper(id)}";

    /// <summary>The realised settings, then each checkpoint's.</summary>
    private static IEnumerable<T> EachSettings<T>(VmData vm, Func<Guid, CheckpointData?, T> make)
    {
        yield return make(vm.Id, null);
        foreach (var checkpoint in vm.Checkpoints) yield return make(checkpoint.Id, checkpoint);
    }

    private static PSObject HostSystem(HostData data) => Row(
        Space, "Msvm_ComputerSystem", ("CreationClassName", "Msvm_ComputerSystem"), ("Name", data.Host.Name), ("ElementName", data.Host.Name), ("Caption", "Hosting Computer System"), ("Description", "Microsoft Hosting Computer System"), ("EnabledState", (ushort)2), ("HealthState", (ushort)5), ("OperationalStatus", new ushort[] { 2 }), ("InstallDate", null),
        ("OnTimeInMilliseconds", null), ("ProcessID", null), ("TimeOfLastStateChange", null), ("TimeOfLastConfigurationChange", null), ("ReplicationMode", null));

    private static PSObject System(HostData data, VmData vm) => Row(
        Space, "Msvm_ComputerSystem", ("CreationClassName", "Msvm_ComputerSystem"), ("Name", Upper(vm.Id)), ("ElementName", vm.Name), ("Caption", "Virtual Machine"), ("Description", "Microsoft Virtual Machine"), ("EnabledState", State(vm)), ("HealthState", vm.Critical ? (ushort)25 : (ushort)5),
        ("OperationalStatus", Live.IsMerging(vm) ? new ushort[] { 2, 32772 } : [2]), ("InstallDate", vm.CreationTime.ToLocalTime()), ("OnTimeInMilliseconds", vm.StartedAt is { } start ? (ulong)(DateTime.UtcNow - start).TotalMilliseconds : 0UL), ("ProcessID", Live.IsOn(vm) ? 4242u : 0u), ("TimeOfLastStateChange", vm.StateSince.ToLocalTime()), ("TimeOfLastConfigurationChange", vm.StateSince.ToLocalTime()), ("ReplicationMode", (ushort)0));

    /// <summary>Enabled, disabled, shutting down, enabled but offline (saved), quiesce (paused), starting.</summary>
    private static ushort State(VmData vm) => vm.State switch
    {
        VMState.Running => 2, VMState.Off => 3, VMState.Stopping => 4, VMState.Saved => 6, VMState.Paused => 9, VMState.Starting => 10, VMState.Saving => 32773, VMState.Pausing => 32776, VMState.Resuming => 32777, _ => 1,
    };

    private static IEnumerable<PSObject> Settings(VmData vm) => EachSettings(vm, (id, checkpoint) => Row(
        Space, "Msvm_VirtualSystemSettingData", ("InstanceID", Prefix(id)), ("ElementName", checkpoint?.Name ?? vm.Name), ("VirtualSystemIdentifier", Upper(vm.Id)), ("ConfigurationID", Upper(id)), ("VirtualSystemType", Kind(checkpoint)), ("VirtualSystemSubType", $"Microsoft:Hyper-V:SubType:{vm.Generation}"), ("Version", vm.Version),
        ("Notes", new[] { vm.Notes }), ("CreationTime", (checkpoint?.CreationTime ?? vm.CreationTime).ToLocalTime()), ("ConfigurationDataRoot", vm.Path), ("ConfigurationFile", $@"Virtual Machines\{Upper(vm.Id)}.vmcx"), ("SnapshotDataRoot", vm.SnapshotFileLocation ?? vm.Path), ("SwapFileDataRoot", vm.SmartPagingFilePath ?? vm.Path),
        ("Parent", checkpoint?.ParentId is { } parent ? Path("Msvm_VirtualSystemSettingData", "InstanceID", Prefix(parent)) : null), ("SecureBootEnabled", vm.Generation == 2 && vm.Firmware.SecureBoot == OnOffState.On), ("SecureBootTemplateId", vm.Generation == 2 ? Templates.Ids[vm.Firmware.SecureBootTemplate].ToString().ToUpperInvariant() : null),
        ("BootOrder", vm.BiosOrder.Select(Order).ToArray()), ("BootSourceOrder", vm.Generation == 2 ? Live.BootOrder(vm).Select(device => Path("Msvm_BootSourceSettingData", "InstanceID", BootId(device))).ToArray() : null), ("BIOSNumLock", vm.NumLock), ("PauseAfterBootFailure", vm.Firmware.PauseAfterBootFailure == OnOffState.On), ("NetworkBootPreferredProtocol", vm.Firmware.PreferredNetworkBootProtocol == "IPv6" ? (ushort)4097 : (ushort)4096), ("ConsoleMode", vm.Firmware.ConsoleMode == "Default" ? (ushort)0 : (ushort)1),
        ("AutomaticStartupAction", (ushort)vm.AutomaticStartAction), ("AutomaticStartupActionDelay", TimeSpan.FromSeconds(vm.AutomaticStartDelay)), ("AutomaticShutdownAction", (ushort)vm.AutomaticStopAction), ("AutomaticCriticalErrorAction", (ushort)vm.AutomaticCriticalErrorAction), ("AutomaticSnapshotsEnabled", vm.AutomaticCheckpointsEnabled), ("UserSnapshotType", (ushort)vm.CheckpointType), ("LockOnDisconnect", vm.LockOnDisconnect == OnOffState.On), ("GuestControlledCacheTypes", false)));

    private static string Kind(CheckpointData? checkpoint) => checkpoint?.SnapshotType switch
    {
        null => "Microsoft:Hyper-V:System:Realized",
        SnapshotType.Recovery => "Microsoft:Hyper-V:Snapshot:Recovery",
        _ => "Microsoft:Hyper-V:Snapshot:Realized",
    };

    private static string BootId(object device) => Ids.Of(device).Insert(Ids.Of(device).IndexOf('\\'), @"\BootSource");

    /// <summary>A boot source; its firmware path holds the controller's or port's GUID in bytes.</summary>
    private static PSObject Boot(VmData vm, object device)
    {
        const string vmbus = @"\AcpiEx(VMBus,0,0)\VenHw(9B17E5A2-0891-42DD-B653-80B5C22809BA,";
        var drive = device as Drive;
        var path = drive is not null
            ? $@"{vmbus}D96361BAA104294DB60572E2FFB1DC7F{Convert.ToHexString(vm.Scsi[drive.ControllerNumber].Id.ToByteArray())})\Scsi(0,{drive.ControllerLocation})"
            : $@"{vmbus}635161F83EDFC546913FF2D2F965ED0E{Convert.ToHexString(Guid.Parse(((VMNetworkAdapter)device).AdapterId).ToByteArray())})\MAC({((VMNetworkAdapter)device).MacAddress},0x0)";
        return Row(Space, "Msvm_BootSourceSettingData", ("InstanceID", BootId(device)), ("ElementName", "Boot Source"), ("BootSourceType", drive is null ? 2u : 1u), ("BootSourceDescription", drive is null ? "EFI Network" : "EFI SCSI Device"), ("FirmwareDevicePath", path), ("OtherLocation", null));
    }

    private static ushort Order(string device) => device switch { "Floppy" => 0, "CD" => 1, "IDE" => 2, _ => 3 };

    private static PSObject Processor(VmData vm, Guid id) => Row(
        Space, "Msvm_ProcessorSettingData", ("InstanceID", $@"{Prefix(id)}\b637f346-6a0e-4dec-af52-bd70cb80a21d\0"), ("ElementName", "Processor"), ("VirtualQuantity", (ulong)vm.Processor.Count), ("Reservation", (ulong)vm.Processor.Reserve * 1000), ("Limit", (ulong)vm.Processor.Maximum * 1000), ("Weight", (uint)vm.Processor.RelativeWeight), ("LimitProcessorFeatures", vm.Processor.CompatibilityForMigrationEnabled),
        ("LimitCPUID", vm.Processor.CompatibilityForOlderOperatingSystemsEnabled), ("ExposeVirtualizationExtensions", vm.Processor.ExposeVirtualizationExtensions), ("HwThreadsPerCore", (ulong)vm.Processor.HwThreadCountPerCore));

    /// <summary>In MB.</summary>
    private static PSObject Memory(VmData vm, Guid id) => Row(
        Space, "Msvm_MemorySettingData", ("InstanceID", $@"{Prefix(id)}\4764334d-e001-4176-82ee-5594ec9b530e"), ("ElementName", "Memory"), ("AllocationUnits", "byte * 2^20"), ("VirtualQuantity", (ulong)vm.Memory.Startup >> 20), ("Reservation", (ulong)(vm.Memory.DynamicMemoryEnabled ? vm.Memory.Minimum : vm.Memory.Startup) >> 20), ("Limit", (ulong)(vm.Memory.DynamicMemoryEnabled ? vm.Memory.Maximum : vm.Memory.Startup) >> 20),
        ("DynamicMemoryEnabled", vm.Memory.DynamicMemoryEnabled), ("TargetMemoryBuffer", (uint)vm.Memory.Buffer), ("Weight", (uint)vm.Memory.Priority * 100));

    private static uint Mode(SwitchData one) => one.BandwidthReservationMode switch { "Default" => 0, "Weight" => 1, "Absolute" => 2, _ => 3 };

    /// <summary>Components of running machines only, as the provider answers.</summary>
    private static IEnumerable<PSObject> Component(HostData data, VmData vm, string type, string service, params (string, object?)[] more)
    {
        if (vm.State is not (VMState.Running or VMState.Paused or VMState.Stopping) || !Services.IsEnabled(vm, service)) yield break;
        var ok = Live.Heartbeat(vm, data.Behaviour) is "Ok" or "Disabled";
        yield return Row(Space, type, [("SystemName", Upper(vm.Id)), ("SystemCreationClassName", "Msvm_ComputerSystem"), ("CreationClassName", type), ("DeviceID", $@"{Prefix(vm.Id)}\{Services.Ids[service]}"), ("ElementName", service), ("EnabledState", (ushort)2), ("OperationalStatus", new ushort[] { ok ? (ushort)2 : (ushort)12 }), .. more]);
    }

    private static PSObject ServiceSetting(VmData vm, string type, string service) =>
        Row(Space, type, ("InstanceID", $@"{Prefix(vm.Id)}\{Services.Ids[service]}"), ("ElementName", service), ("EnabledState", (ushort)(Services.IsEnabled(vm, service) ? 2 : 3)));

    private static PSObject Kvp(VmData vm, Guid id) => Row(
        Space, "Msvm_KvpExchangeComponentSettingData", ("InstanceID", $@"{Prefix(id)}\{Services.Ids["Key-Value Pair Exchange"]}"), ("ElementName", "Key-Value Pair Exchange"), ("EnabledState", (ushort)(Services.IsEnabled(vm, "Key-Value Pair Exchange") ? 2 : 3)), ("HostExchangeItems", id == vm.Id ? Items(vm.Guest.HostItems, 0) : []), ("HostOnlyItems", Array.Empty<string>()));

    /// <summary>Items as embedded instances in CIM's XML. Source: 0 host, 1 guest, 2 intrinsic.</summary>
    private static string[] Items(Dictionary<string, string> items, int source) => items.Select(pair =>
        "<INSTANCE CLASSNAME=\"Msvm_KvpExchangeDataItem\"><PROPERTY NAME=\"Caption\" PROPAGATED=\"true\" TYPE=\"string\"></PROPERTY>" +
        $"<PROPERTY NAME=\"Data\" TYPE=\"string\"><VALUE>{SecurityElement.Escape(pair.Value)}</VALUE></PROPERTY>" +
        $"<PROPERTY NAME=\"Name\" TYPE=\"string\"><VALUE>{SecurityElement.Escape(pair.Key)}</VALUE></PROPERTY>" +
        $"<PROPERTY NAME=\"Source\" TYPE=\"uint16\"><VALUE>{source}</VALUE></PROPERTY></INSTANCE>").ToArray();
}

internal static class Jobs
{
    internal static PSObject Row(JobData job)
    {
        var now = DateTime.UtcNow;
        var done = now >= job.EndsAt;
        var share = job.EndsAt <= job.StartedAt ? 1 : Math.Min(1, (now - job.StartedAt) / (job.EndsAt - job.StartedAt));
        return Rows.Row(
            Virtualization.Space, "Msvm_ConcreteJob", ("InstanceID", Virtualization.Upper(job.Id)), ("Caption", job.Caption), ("JobState", (ushort)(!done ? 4 : job.ErrorCode == 0 ? 7 : 10)), ("PercentComplete", (ushort)(done ? 100 : share * 100)),
            ("ErrorCode", (ushort)(done ? job.ErrorCode : 0)), ("ErrorDescription", done ? job.ErrorDescription : ""), ("StartTime", job.StartedAt.ToLocalTime()), ("ElapsedTime", now - job.StartedAt));
    }
}
