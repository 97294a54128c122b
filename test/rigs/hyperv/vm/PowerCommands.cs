using System.Management.Automation;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell.Commands;

/// <summary>Changes of power. -AsJob is not emulated.</summary>
public static class Power
{
    private static void Enter(VmData vm, VMState state)
    {
        vm.State = state;
        vm.StateSince = DateTime.UtcNow;
    }

    public static void Start(HostData data, VmData vm)
    {
        if (vm.Critical) throw VirtualizationException.InvalidState($"'{vm.Name}' is {Live.State(vm)}.");
        if (Live.IsBusy(vm)) throw VirtualizationException.InvalidState($"'{vm.Name}' is {vm.State}.");
        if (vm.State == VMState.Paused)
        {
            Enter(vm, VMState.Running);
            return;
        }

        if (vm.Processor.Count > data.Host.LogicalProcessors) throw VirtualizationException.Failed("Not enough logical processors", unchecked((int)0xC0350005));
        if (vm.Memory.Startup > Memory.Free(data)) throw VirtualizationException.OutOfMemory($"'{vm.Name}' failed to start: not enough memory in the system.");
        if (vm.Tpm && vm.KeyProtector is null) throw VirtualizationException.Failed("The key protector could not be unwrapped", unchecked((int)0x80070490));
        var boots = OpenDisks(data, vm).FirstOrDefault(disk => disk.Os != "None" && (disk.Generations.Count == 0 || disk.Generations.Contains(vm.Generation)) && Trusts(vm, disk)) ?? new VhdFile();
        (vm.Guest.Os, vm.Guest.OsName, vm.Guest.OsVersion) = (boots.Os, boots.OsName, boots.OsVersion);
        foreach (var adapter in vm.Adapters.Where(adapter => adapter.Dynamic && adapter.Mac == "000000000000")) adapter.Mac = Networks.NextMac(data);
        foreach (var adapter in vm.Adapters.Where(adapter => adapter.SwitchId is { } at && data.Switches.All(known => known.Id != at)))
        {
            throw VirtualizationException.Failed($"The switch of adapter '{adapter.Name}' was not found", unchecked((int)0x80070490));
        }

        Enter(vm, VMState.Running);
        vm.StartedAt = DateTime.UtcNow;
    }

    /// <summary>Secure Boot starts only a loader that its template's authority signed.</summary>
    private static bool Trusts(VmData vm, VhdFile disk) =>
        vm.Generation == 1 || vm.Firmware.SecureBoot != OnOffState.On ||
        vm.Firmware.SecureBootTemplate == (disk.Os == "Windows" ? "MicrosoftWindows" : "MicrosoftUEFICertificateAuthority");

    /// <summary>The disks, each of which must open and be of no other running machine.</summary>
    private static List<VhdFile> OpenDisks(HostData data, VmData vm)
    {
        var disks = new List<VhdFile>();
        foreach (var path in vm.Drives.Where(drive => drive.Path is not null).Select(drive => drive.Path!))
        {
            var others = data.Vms.Where(other => other.Id != vm.Id && Live.IsOn(other)).SelectMany(other => other.Drives);
            if (others.Any(drive => WindowsPath.Same(drive.Path, path))) throw VirtualizationException.Failed($"Failed to start: the process cannot access '{path}' because it is being used by another process", unchecked((int)0x80070020));
            try
            {
                var chain = VhdFile.Chain(path);
                disks.Add(chain[0].File);
                chain[0].File.Touch(path);
            }
            catch (VirtualizationException error)
            {
                throw VirtualizationException.Failed($"Failed to start: '{path}': {error.Message}", error.HResult);
            }
        }

        foreach (var dvd in vm.Dvds.Where(dvd => dvd.Path is not null && !File.Exists(WindowsPath.Real(dvd.Path)))) throw VirtualizationException.Failed($"The medium '{dvd.Path}' was not found", unchecked((int)0x80070002));
        return disks;
    }

    public static void TurnOff(VmData vm)
    {
        Enter(vm, VMState.Off);
        vm.StartedAt = null;
        vm.Due.RemoveAll(due => due.What is "Off" or "Saved" or "Running");
        vm.Guest.GuestItems.Clear();
        vm.Guest.IntrinsicItems.Clear();
        vm.Guest.Hung = false;
    }

    /// <summary>Asks the guest; it goes down later by itself. 0, or the code the shutdown component answers.</summary>
    public static uint AskGuest(HostData data, VmData vm, bool force)
    {
        if (vm.State != VMState.Running) return 32775;
        if (!Services.IsEnabled(vm, "Shutdown") || !vm.Guest.HasServices || vm.Guest.Os == "None") return 32768;
        if (Live.Heartbeat(vm, data.Behaviour) is not ("Ok" or "Disabled") && !vm.Guest.Hung) return 32768;
        if (vm.Guest.Locked && !force) return 32772;
        if (vm.Guest.Hung) return 0;
        Enter(vm, VMState.Stopping);
        vm.Due.Add(new DueData { At = DateTime.UtcNow.AddMilliseconds(data.Behaviour.ShutdownMs), What = "Off" });
        return 0;
    }

    public static void Save(HostData data, VmData vm)
    {
        if (vm.State is not (VMState.Running or VMState.Paused)) throw VirtualizationException.InvalidState($"'{vm.Name}' is {vm.State}.");
        Enter(vm, VMState.Saved);
    }
}

[Cmdlet(VerbsLifecycle.Start, "VM", SupportsShouldProcess = true, DefaultParameterSetName = "Name")]
public sealed class StartVM : NamedMachineCommand
{
    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        var vm = Vm(Store.Read(), id);
        if (!ShouldProcess(vm.Name)) return;
        if (vm.State == VMState.Running) WriteWarning("The virtual machine is already in the specified state.");
        else Store.Change(data => Power.Start(data, Vm(data, id)));
        if (Passthru) WriteObject(new VirtualMachine(vm));
    }
}

[Cmdlet(VerbsLifecycle.Stop, "VM", SupportsShouldProcess = true, DefaultParameterSetName = "Name")]
public sealed class StopVM : NamedMachineCommand
{
    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    public SwitchParameter Save { get; set; }

    [Parameter]
    public SwitchParameter TurnOff { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        var vm = Vm(Store.Read(), id);
        if (!ShouldProcess(vm.Name)) return;
        if (vm.State == VMState.Off) WriteWarning("The virtual machine is already in the specified state.");
        else if (Save) Store.Change(data => Power.Save(data, Vm(data, id)));
        else if (TurnOff) Store.Change(data => Power.TurnOff(Vm(data, id)));
        else ShutDown(id, vm);
        if (Passthru) WriteObject(new VirtualMachine(vm));
    }

    private void ShutDown(Guid id, VmData vm)
    {
        if (vm.Guest.Locked)
        {
            // Without -Force the real one prompts; with it a locked guest is turned off at once.
            if (!Force && !ShouldContinue($"Hyper-V cannot shut down \"{vm.Name}\" because it is locked. Turn it off?", "Confirm")) return;
            Store.Change(data => Power.TurnOff(Vm(data, id)));
            return;
        }

        var code = Store.Change(data => Power.AskGuest(data, Vm(data, id), Force));
        if (code != 0) throw VirtualizationException.InvalidState($"'{vm.Name}' cannot be shut down: {code}.");
        for (var waited = 0; Vm(Store.Read(), id).State != VMState.Off; waited += 20)
        {
            if (waited > 10_000) throw new VirtualizationException("The guest does not answer.", "OperationTimeout", ErrorCategory.OperationTimeout);
            Thread.Sleep(20);
        }
    }
}

[Cmdlet(VerbsLifecycle.Suspend, "VM", SupportsShouldProcess = true, DefaultParameterSetName = "Name")]
public sealed class SuspendVM : NamedMachineCommand
{
    protected override void OnMachine(Guid id) => Store.Change(data =>
    {
        var vm = Vm(data, id);
        if (vm.State != VMState.Running) throw VirtualizationException.InvalidState($"'{vm.Name}' is {vm.State}.");
        vm.State = VMState.Paused;
    });
}

[Cmdlet(VerbsLifecycle.Resume, "VM", SupportsShouldProcess = true, DefaultParameterSetName = "Name")]
public sealed class ResumeVM : NamedMachineCommand
{
    protected override void OnMachine(Guid id) => Store.Change(data =>
    {
        var vm = Vm(data, id);
        if (vm.State != VMState.Paused) throw VirtualizationException.InvalidState($"'{vm.Name}' is {vm.State}.");
        vm.State = VMState.Running;
    });
}

[Cmdlet(VerbsData.Save, "VM", SupportsShouldProcess = true, DefaultParameterSetName = "Name")]
public sealed class SaveVM : NamedMachineCommand
{
    protected override void OnMachine(Guid id) => Store.Change(data => Power.Save(data, Vm(data, id)));
}

[Cmdlet(VerbsLifecycle.Restart, "VM", SupportsShouldProcess = true, DefaultParameterSetName = "Name")]
public sealed class RestartVM : NamedMachineCommand
{
    [Parameter]
    public SwitchParameter Force { get; set; }

    [Parameter]
    public SwitchParameter Wait { get; set; }

    /// <summary>A hard reset, as the real one.</summary>
    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("restart")) return;
        if (Wait) throw VirtualizationException.NotSupported("The rig does not emulate -Wait.");
        if (!Force && !ShouldContinue("Are you sure you want to restart?", "Confirm")) return;
        Store.Change(data =>
        {
            var vm = Vm(data, id);
            if (vm.State != VMState.Running) throw VirtualizationException.InvalidState($"'{vm.Name}' is {vm.State}.");
            Power.TurnOff(vm);
            Power.Start(data, vm);
        });
    }
}
