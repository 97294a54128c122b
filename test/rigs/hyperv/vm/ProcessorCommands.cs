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
