using System.Management.Automation;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell.Commands;

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
