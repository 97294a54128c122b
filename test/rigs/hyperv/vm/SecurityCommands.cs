using System.Management.Automation;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell.Commands;

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
