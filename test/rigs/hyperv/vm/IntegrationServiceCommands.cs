using System.Management.Automation;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell.Commands;

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
    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "VMName")]
    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "VMObject")]
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
