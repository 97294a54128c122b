using System.Management.Automation;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell.Commands;

/// <summary>Base of all cmdlets: counts the call, lets faults happen, turns failures into error records with the real ids.</summary>
public abstract class HyperVCommand : PSCmdlet
{
    protected string Call => MyInvocation.MyCommand.Name;

    protected bool Given(string parameter) => MyInvocation.BoundParameters.ContainsKey(parameter);

    /// <summary>The work of one pipeline input.</summary>
    protected abstract void Execute();

    protected override void ProcessRecord() => Attempt(() =>
    {
        Calls.Begin(Call);
        Execute();
        Calls.End(Call);
    });

    /// <summary>A failure is written, not thrown, as the real module does.</summary>
    protected void Attempt(Action work)
    {
        try
        {
            work();
        }
        catch (VirtualizationException error)
        {
            WriteError(new ErrorRecord(error, error.ErrorIdentifier, error.ErrorCategory, null));
        }
    }

    protected static VmData Vm(HostData data, Guid id) =>
        data.Vms.FirstOrDefault(vm => vm.Id == id) ?? throw VirtualizationException.ObjectNotFound($"The virtual machine '{id}' was not found.");

    protected static void MustBeOff(VmData vm, string what)
    {
        if (Live.State(vm) != VMState.Off) throw VirtualizationException.InvalidState($"'{vm.Name}': {what} cannot be changed while the virtual machine is {Live.State(vm)}.");
    }

    /// <summary>Saved and paused machines take almost nothing.</summary>
    protected static void MustNotBeSaved(VmData vm, string what)
    {
        if (vm.State is VMState.Saved or VMState.Paused || Live.IsBusy(vm) || vm.Critical)
        {
            throw VirtualizationException.InvalidState($"'{vm.Name}': {what} cannot be changed while the virtual machine is {Live.State(vm)}.");
        }
    }

    protected static void Within(long value, long from, long to, string name)
    {
        if (value < from || value > to) throw VirtualizationException.InvalidParameter($"{name}: {value} is not within {from} and {to}.");
    }
}

/// <summary>Cmdlets on machines given by object or by name (wildcards allowed, as in the real module).</summary>
public abstract class MachineCommand : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMName"), ValidateNotNullOrEmpty]
    public virtual string[] VMName { get; set; } = [];

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMObject"), ValidateNotNullOrEmpty]
    public VirtualMachine[] VM { get; set; } = [];

    protected override void Execute()
    {
        foreach (var id in Ids()) Attempt(() => OnMachine(id));
    }

    protected virtual IEnumerable<Guid> Ids()
    {
        foreach (var machine in VM)
        {
            if (machine.IsDeleted) Attempt(() => throw VirtualizationException.ObjectNotFound($"The virtual machine '{machine.Id}' was not found."));
            else yield return machine.Id;
        }

        foreach (var name in VMName)
        {
            var found = Machines.Named(name);
            if (found.Count == 0) Attempt(() => throw Machines.Unknown(name));
            foreach (var vm in found) yield return vm.Id;
        }
    }

    protected abstract void OnMachine(Guid id);
}

internal static class Machines
{
    internal static List<VmData> Named(string name)
    {
        var pattern = WildcardPattern.Get(name, WildcardOptions.IgnoreCase);
        return Store.Read().Vms.Where(vm => pattern.IsMatch(vm.Name)).OrderBy(vm => vm.Name, StringComparer.OrdinalIgnoreCase).ToList();
    }

    /// <summary>A missing machine is InvalidArgument in the real module, not ObjectNotFound.</summary>
    internal static VirtualizationException Unknown(string name) =>
        VirtualizationException.InvalidParameter($"Hyper-V was unable to find a virtual machine with name \"{name}\".");
}

/// <summary>Cmdlets whose name parameter is -Name (alias VMName).</summary>
public abstract class NamedMachineCommand : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "Name"), Alias("VMName"), ValidateNotNullOrEmpty]
    public string[] Name { get; set; } = [];

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMObject"), ValidateNotNullOrEmpty]
    public VirtualMachine[] VM { get; set; } = [];

    protected override void Execute()
    {
        foreach (var machine in VM)
        {
            Attempt(() => OnMachine(machine.IsDeleted ? throw VirtualizationException.ObjectNotFound($"The virtual machine '{machine.Id}' was not found.") : machine.Id));
        }

        foreach (var name in Name)
        {
            var found = Machines.Named(name);
            if (found.Count == 0) Attempt(() => throw Machines.Unknown(name));
            foreach (var vm in found) Attempt(() => OnMachine(vm.Id));
        }
    }

    protected abstract void OnMachine(Guid id);
}
