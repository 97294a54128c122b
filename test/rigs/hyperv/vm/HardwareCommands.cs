using System.Management.Automation;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell.Commands;

internal static class Processors
{
    internal static void SetCount(HostData data, VmData vm, long count)
    {
        if (count == vm.Processor.Count) return;
        var limit = Math.Min(data.Host.LogicalProcessors, vm.Generation == 1 ? 64 : 1024);
        if (count < 1 || count > limit) throw VirtualizationException.InvalidParameter($"The number of virtual processors must be within 1 and {limit}.");
        if (vm.State != VMState.Off) throw VirtualizationException.InvalidState("The number of virtual processors cannot be changed while the virtual machine is not off.");
        vm.Processor.Count = count;
    }
}

internal static class Memory
{
    private const long MiB = 1L << 20;

    internal sealed record Wish(bool? Dynamic, long? Startup, long? Minimum, long? Maximum, int? Buffer, int? Priority);

    internal static long Checked(long bytes, string name)
    {
        if (bytes < 32 * MiB || bytes > 240L << 40 || bytes % (2 * MiB) != 0) throw VirtualizationException.InvalidParameter($"{name}: {bytes} is not a multiple of 2 MB from 32 MB to 240 TB.");
        return bytes;
    }

    internal static void Set(HostData data, VmData vm, Wish wish)
    {
        if (wish is { Dynamic: null, Startup: null, Minimum: null, Maximum: null, Buffer: null, Priority: null }) return;
        if (vm.State is VMState.Saved or VMState.Paused) throw VirtualizationException.InvalidState("Memory cannot be changed in this state.");
        var memory = vm.Memory;
        if (wish.Dynamic is { } dynamic && dynamic != memory.DynamicMemoryEnabled)
        {
            Off(vm, "Dynamic memory cannot be turned on or off");
            memory.DynamicMemoryEnabled = dynamic;
        }

        if (wish.Startup is { } startup && startup != memory.Startup) SetStartup(data, vm, Checked(startup, "StartupBytes"));
        if (wish.Minimum is { } minimum && minimum != memory.Minimum)
        {
            if (minimum > memory.Minimum) Off(vm, "The minimum cannot go up");
            memory.Minimum = Checked(minimum, "MinimumBytes");
        }

        if (wish.Maximum is { } maximum && maximum != memory.Maximum)
        {
            if (maximum < memory.Maximum) Off(vm, "The maximum cannot go down");
            memory.Maximum = Checked(maximum, "MaximumBytes");
        }

        memory.Buffer = wish.Buffer ?? memory.Buffer;
        memory.Priority = wish.Priority ?? memory.Priority;
        if (!memory.DynamicMemoryEnabled) return;
        if (memory.Minimum > memory.Startup || memory.Startup > memory.Maximum) throw VirtualizationException.InvalidParameter("The startup memory must be within the minimum and the maximum.");
    }

    private static void SetStartup(HostData data, VmData vm, long bytes)
    {
        if (vm.State != VMState.Off)
        {
            if (vm.Memory.DynamicMemoryEnabled) Off(vm, "The startup memory of a dynamic machine cannot be changed");
            var refused = !vm.Guest.HotMemory || vm.Guest.Os == "None" || (vm.Guest.Os == "Linux" && bytes < vm.Memory.Startup);
            if (refused) throw VirtualizationException.Failed("The operating system in the virtual machine does not support this change of memory", unchecked((int)0x80070032));
            if (bytes - vm.Memory.Startup > Free(data)) throw VirtualizationException.OutOfMemory("Not enough memory in the system.");
        }

        vm.Memory.Startup = bytes;
    }

    internal static long Free(HostData data) => data.Host.MemoryBytes - data.Host.ReservedBytes - data.Vms.Where(Live.IsOn).Sum(vm => vm.Memory.Startup);

    private static void Off(VmData vm, string what)
    {
        if (vm.State != VMState.Off) throw VirtualizationException.InvalidState($"{what} while the virtual machine is running.");
    }
}

[Cmdlet(VerbsCommon.Get, "VMProcessor", DefaultParameterSetName = "VMName")]
public sealed class GetVMProcessor : MachineCommand
{
    protected override void OnMachine(Guid id) => WriteObject(new VMProcessor(id));
}

[Cmdlet(VerbsCommon.Set, "VMProcessor", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class SetVMProcessor : MachineCommand
{
    [Parameter]
    public long? Count { get; set; }

    [Parameter]
    public bool? CompatibilityForMigrationEnabled { get; set; }

    [Parameter]
    public bool? CompatibilityForOlderOperatingSystemsEnabled { get; set; }

    [Parameter]
    public bool? ExposeVirtualizationExtensions { get; set; }

    [Parameter]
    public long? HwThreadCountPerCore { get; set; }

    [Parameter]
    public long? Maximum { get; set; }

    [Parameter]
    public long? Reserve { get; set; }

    [Parameter]
    public int? RelativeWeight { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("processor")) return;
        Store.Change(data =>
        {
            var vm = Vm(data, id);
            MustNotBeSaved(vm, "The processor");
            if (Count is { } count) Processors.SetCount(data, vm, count);
            WhenOff(vm);
            if (Reserve is { } reserve) Within(reserve, 0, 100, "Reserve");
            if (Maximum is { } maximum) Within(maximum, 0, 100, "Maximum");
            if (RelativeWeight is { } weight) Within(weight, 1, 10000, "RelativeWeight");
            vm.Processor.Reserve = Reserve ?? vm.Processor.Reserve;
            vm.Processor.Maximum = Maximum ?? vm.Processor.Maximum;
            vm.Processor.RelativeWeight = RelativeWeight ?? vm.Processor.RelativeWeight;
            if (vm.Processor.Reserve > vm.Processor.Maximum) throw VirtualizationException.InvalidParameter("The reserve is above the maximum.");
        });
        if (Passthru) WriteObject(new VMProcessor(id));
    }

    private void WhenOff(VmData vm)
    {
        var part = vm.Processor;
        var changes = (CompatibilityForMigrationEnabled ?? part.CompatibilityForMigrationEnabled) != part.CompatibilityForMigrationEnabled
            || (CompatibilityForOlderOperatingSystemsEnabled ?? part.CompatibilityForOlderOperatingSystemsEnabled) != part.CompatibilityForOlderOperatingSystemsEnabled
            || (ExposeVirtualizationExtensions ?? part.ExposeVirtualizationExtensions) != part.ExposeVirtualizationExtensions
            || (HwThreadCountPerCore ?? part.HwThreadCountPerCore) != part.HwThreadCountPerCore;
        if (changes) MustBeOff(vm, "The processor's compatibility");
        part.CompatibilityForMigrationEnabled = CompatibilityForMigrationEnabled ?? part.CompatibilityForMigrationEnabled;
        part.CompatibilityForOlderOperatingSystemsEnabled = CompatibilityForOlderOperatingSystemsEnabled ?? part.CompatibilityForOlderOperatingSystemsEnabled;
        part.ExposeVirtualizationExtensions = ExposeVirtualizationExtensions ?? part.ExposeVirtualizationExtensions;
        part.HwThreadCountPerCore = HwThreadCountPerCore ?? part.HwThreadCountPerCore;
    }
}

[Cmdlet(VerbsCommon.Get, "VMMemory", DefaultParameterSetName = "VMName")]
public sealed class GetVMMemory : MachineCommand
{
    protected override void OnMachine(Guid id) => WriteObject(new VMMemory(id));
}

[Cmdlet(VerbsCommon.Set, "VMMemory", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class SetVMMemory : MachineCommand
{
    [Parameter]
    public int? Buffer { get; set; }

    [Parameter(Position = 1)]
    public bool? DynamicMemoryEnabled { get; set; }

    [Parameter]
    public long? MaximumBytes { get; set; }

    [Parameter]
    public long? MinimumBytes { get; set; }

    [Parameter]
    public long? StartupBytes { get; set; }

    [Parameter]
    public int? Priority { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("memory")) return;
        if (Buffer is { } buffer) Within(buffer, 5, 2000, "Buffer");
        if (Priority is { } priority) Within(priority, 0, 100, "Priority");
        Store.Change(data =>
        {
            var vm = Vm(data, id);
            Memory.Set(data, vm, new Memory.Wish(DynamicMemoryEnabled, StartupBytes, MinimumBytes, MaximumBytes, Buffer, Priority));
        });
        if (Passthru) WriteObject(new VMMemory(id));
    }
}

[Cmdlet(VerbsCommon.Get, "VMFirmware", DefaultParameterSetName = "VMName")]
public sealed class GetVMFirmware : MachineCommand
{
    protected override void OnMachine(Guid id)
    {
        Firmware.MustBe(Vm(Store.Read(), id), 2);
        WriteObject(new VMFirmware(id));
    }
}

internal static class Firmware
{
    internal static void MustBe(VmData vm, int generation)
    {
        if (vm.Generation != generation) throw VirtualizationException.InvalidParameter($"The operation is not supported for virtual machine generation {vm.Generation}.");
    }
}

[Cmdlet(VerbsCommon.Set, "VMFirmware", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class SetVMFirmware : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMName")]
    public string[] VMName { get; set; } = [];

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMObject")]
    public VirtualMachine[] VM { get; set; } = [];

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMFirmware")]
    public VMFirmware[] VMFirmware { get; set; } = [];

    [Parameter, ValidateNotNull]
    public object[]? BootOrder { get; set; }

    [Parameter, ValidateNotNull]
    public object? FirstBootDevice { get; set; }

    [Parameter]
    public OnOffState? EnableSecureBoot { get; set; }

    [Parameter, ValidateNotNullOrEmpty]
    public string? SecureBootTemplate { get; set; }

    [Parameter]
    public Guid? SecureBootTemplateId { get; set; }

    [Parameter]
    public IPProtocolPreference? PreferredNetworkBootProtocol { get; set; }

    [Parameter]
    public ConsoleModeType? ConsoleMode { get; set; }

    [Parameter]
    public OnOffState? PauseAfterBootFailure { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    /// <summary>Here a missing machine is ObjectNotFound.</summary>
    protected override void Execute()
    {
        foreach (var id in VM.Select(vm => vm.Id).Concat(VMFirmware.Select(part => part.VMId))) Attempt(() => Apply(id));
        foreach (var name in VMName)
        {
            var found = Machines.Named(name);
            if (found.Count == 0) Attempt(() => throw VirtualizationException.ObjectNotFound($"Hyper-V was unable to find a virtual machine with name \"{name}\"."));
            foreach (var vm in found) Attempt(() => Apply(vm.Id));
        }
    }

    private void Apply(Guid id)
    {
        if (!ShouldProcess("firmware")) return;
        Store.Change(data =>
        {
            var vm = Vm(data, id);
            Firmware.MustBe(vm, 2);
            MustNotBeSaved(vm, "The firmware");
            SecureBoot(vm);
            Order(vm);
            if (ConsoleMode is not null) MustBeOff(vm, "The console mode");
            vm.Firmware.ConsoleMode = ConsoleMode?.ToString() ?? vm.Firmware.ConsoleMode;
            vm.Firmware.PreferredNetworkBootProtocol = PreferredNetworkBootProtocol?.ToString() ?? vm.Firmware.PreferredNetworkBootProtocol;
            vm.Firmware.PauseAfterBootFailure = PauseAfterBootFailure ?? vm.Firmware.PauseAfterBootFailure;
        });
        if (Passthru) WriteObject(new VMFirmware(id));
    }

    private void SecureBoot(VmData vm)
    {
        var template = SecureBootTemplate ?? (SecureBootTemplateId is { } id ? Templates.Ids.FirstOrDefault(pair => pair.Value == id).Key ?? "" : null);
        if (template is not null)
        {
            var known = Templates.Ids.Keys.FirstOrDefault(name => string.Equals(name, template, StringComparison.OrdinalIgnoreCase))
                ?? throw VirtualizationException.InvalidParameter($"The Secure Boot template '{template}' is not known.");
            if (known != vm.Firmware.SecureBootTemplate)
            {
                MustBeOff(vm, "The Secure Boot template");
                if (vm.Tpm) throw VirtualizationException.Failed("The Secure Boot template cannot be changed after the virtual TPM was initialised");
                vm.Firmware.SecureBootTemplate = known;
            }
        }

        if (EnableSecureBoot is { } on && on != vm.Firmware.SecureBoot)
        {
            MustBeOff(vm, "Secure Boot");
            vm.Firmware.SecureBoot = on;
        }
    }

    private void Order(VmData vm)
    {
        var devices = BootOrder ?? (FirstBootDevice is null ? null : [FirstBootDevice]);
        if (devices is null) return;
        var ids = devices.Select(device => Ids.Of(device is PSObject wrapped ? wrapped.BaseObject : device)).ToList();
        var known = Live.BootOrder(vm).Select(Ids.Of).ToList();
        if (ids.Any(id => !known.Contains(id))) throw VirtualizationException.InvalidParameter("The boot order names a device that is not of this virtual machine.");
        if (BootOrder is not null && ids.Distinct().Count() != ids.Count) throw VirtualizationException.InvalidParameter("The boot order names a device twice.");
        vm.Firmware.BootOrder = FirstBootDevice is null ? ids : [.. ids, .. known.Except(ids)];
    }
}

[Cmdlet(VerbsCommon.Get, "VMBios", DefaultParameterSetName = "VMName")]
public sealed class GetVMBios : MachineCommand
{
    protected override void OnMachine(Guid id)
    {
        Firmware.MustBe(Vm(Store.Read(), id), 1);
        WriteObject(new VMBios(id));
    }
}

[Cmdlet(VerbsCommon.Set, "VMBios", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class SetVMBios : MachineCommand
{
    [Parameter]
    public BootDevice[]? StartupOrder { get; set; }

    [Parameter]
    public SwitchParameter EnableNumLock { get; set; }

    [Parameter]
    public SwitchParameter DisableNumLock { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("BIOS")) return;
        Store.Change(data =>
        {
            var vm = Vm(data, id);
            Firmware.MustBe(vm, 1);
            MustBeOff(vm, "The BIOS");
            if (StartupOrder is not null)
            {
                var classes = new[] { BootDevice.CD, BootDevice.Floppy, BootDevice.IDE, BootDevice.LegacyNetworkAdapter };
                if (!StartupOrder.Order().SequenceEqual(classes.Order())) throw VirtualizationException.InvalidParameter("StartupOrder must name CD, IDE, LegacyNetworkAdapter and Floppy once each.");
                vm.BiosOrder = StartupOrder.Select(device => device.ToString()).ToList();
            }

            if (EnableNumLock || DisableNumLock) vm.NumLock = EnableNumLock;
        });
        if (Passthru) WriteObject(new VMBios(id));
    }
}

[Cmdlet(VerbsCommon.Get, "VMSecurity", DefaultParameterSetName = "VMName")]
public sealed class GetVMSecurity : MachineCommand
{
    protected override void OnMachine(Guid id) => WriteObject(new VMSecurity(id));
}

[Cmdlet(VerbsCommon.Set, "VMSecurity", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class SetVMSecurity : MachineCommand
{
    [Parameter]
    public bool? EncryptStateAndVmMigrationTraffic { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("security")) return;
        Store.Change(data =>
        {
            var vm = Vm(data, id);
            MustBeOff(vm, "Security");
            vm.EncryptStateAndVmMigrationTraffic = EncryptStateAndVmMigrationTraffic ?? vm.EncryptStateAndVmMigrationTraffic;
        });
        if (Passthru) WriteObject(new VMSecurity(id));
    }
}

[Cmdlet(VerbsCommon.Get, "VMKeyProtector", DefaultParameterSetName = "VMName")]
public sealed class GetVMKeyProtector : MachineCommand
{
    /// <summary>A machine that never had one answers four bytes.</summary>
    protected override void OnMachine(Guid id)
    {
        var kept = Vm(Store.Read(), id).KeyProtector;
        WriteObject(kept is null ? [0, 0, 0, 4] : Convert.FromBase64String(kept), enumerateCollection: false);
    }
}

[Cmdlet(VerbsCommon.Set, "VMKeyProtector", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class SetVMKeyProtector : MachineCommand
{
    [Parameter]
    public byte[]? KeyProtector { get; set; }

    [Parameter]
    public SwitchParameter NewLocalKeyProtector { get; set; }

    [Parameter]
    public SwitchParameter RestoreLastKnownGoodKeyProtector { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("key protector")) return;
        if (RestoreLastKnownGoodKeyProtector || (KeyProtector is null) == !NewLocalKeyProtector) throw VirtualizationException.InvalidParameter("Give -NewLocalKeyProtector or -KeyProtector.");
        Store.Change(data =>
        {
            var vm = Vm(data, id);
            MustBeOff(vm, "The key protector");
            Firmware.MustBe(vm, 2);
            vm.KeyProtector = Convert.ToBase64String(KeyProtector ?? Guid.NewGuid().ToByteArray().Concat(Guid.NewGuid().ToByteArray()).ToArray());
            // The second one makes the TPM's state undecryptable; tests look at this count.
            vm.KeyProtectorsSet++;
        });
    }
}

[Cmdlet(VerbsLifecycle.Enable, "VMTPM", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class EnableVMTPM : MachineCommand
{
    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("TPM")) return;
        Store.Change(data =>
        {
            var vm = Vm(data, id);
            Firmware.MustBe(vm, 2);
            MustBeOff(vm, "The TPM");
            if (vm.KeyProtector is null) throw VirtualizationException.Failed("The virtual machine has no key protector", unchecked((int)0x80070057));
            vm.Tpm = true;
        });
    }
}

[Cmdlet(VerbsLifecycle.Disable, "VMTPM", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class DisableVMTPM : MachineCommand
{
    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("TPM")) return;
        Store.Change(data =>
        {
            var vm = Vm(data, id);
            MustBeOff(vm, "The TPM");
            vm.Tpm = false;
        });
    }
}

[Cmdlet(VerbsCommon.Get, "VMIntegrationService", DefaultParameterSetName = "VMName")]
public sealed class GetVMIntegrationService : MachineCommand
{
    [Parameter(Position = 1)]
    public string[]? Name { get; set; }

    protected override void OnMachine(Guid id)
    {
        foreach (var service in Services.Names.Where(known => Name is null || Name.Any(name => WildcardPattern.Get(name, WildcardOptions.IgnoreCase).IsMatch(known))))
        {
            WriteObject(new VMIntegrationComponent(id, service));
        }
    }
}

/// <summary>Enable- and Disable-VMIntegrationService.</summary>
public abstract class IntegrationServiceCommand : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true)]
    public string[] Name { get; set; } = [];

    [Parameter(Position = 1, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMName")]
    public string[] VMName { get; set; } = [];

    [Parameter(Position = 1, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMObject")]
    public VirtualMachine[] VM { get; set; } = [];

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMIntegrationComponent")]
    public VMIntegrationComponent[] VMIntegrationService { get; set; } = [];

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected abstract bool On { get; }

    protected override void Execute()
    {
        foreach (var part in VMIntegrationService) Attempt(() => Switch(part.VMId, [part.Name]));
        foreach (var vm in VM) Attempt(() => Switch(vm.Id, Name));
        foreach (var name in VMName)
        {
            foreach (var vm in Machines.Named(name)) Attempt(() => Switch(vm.Id, Name));
            if (Machines.Named(name).Count == 0) Attempt(() => throw Machines.Unknown(name));
        }
    }

    private void Switch(Guid id, string[] names)
    {
        if (!ShouldProcess(string.Join(", ", names))) return;
        Store.Change(data =>
        {
            var vm = Vm(data, id);
            MustNotBeSaved(vm, "Integration services");
            foreach (var name in names)
            {
                var known = Services.Names.FirstOrDefault(one => string.Equals(one, name, StringComparison.OrdinalIgnoreCase))
                    ?? throw VirtualizationException.InvalidParameter($"Hyper-V was unable to find an integration service with name \"{name}\".");
                vm.Services[known] = On;
            }
        });
    }
}

[Cmdlet(VerbsLifecycle.Enable, "VMIntegrationService", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class EnableVMIntegrationService : IntegrationServiceCommand
{
    protected override bool On => true;
}

[Cmdlet(VerbsLifecycle.Disable, "VMIntegrationService", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class DisableVMIntegrationService : IntegrationServiceCommand
{
    protected override bool On => false;
}
