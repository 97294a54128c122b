using System.Management.Automation;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell.Commands;

internal static class Checkpoints
{
    internal static CheckpointData Take(HostData data, VmData vm, string name, SnapshotType type)
    {
        var made = new CheckpointData { Name = name, SnapshotType = type, ParentId = vm.Checkpoints.LastOrDefault()?.Id };
        foreach (var drive in vm.Drives.Where(drive => drive.Path is not null))
        {
            made.Drives.Add(new DriveData { ControllerType = drive.ControllerType, ControllerNumber = drive.ControllerNumber, ControllerLocation = drive.ControllerLocation, Path = drive.Path });
            var parent = VhdFile.Read(drive.Path!);
            var stem = System.IO.Path.GetFileNameWithoutExtension(WindowsPath.Leaf(drive.Path!)).Split('_')[0];
            var path = WindowsPath.Join(WindowsPath.Folder(drive.Path!), $"{stem}_{Guid.NewGuid().ToString().ToUpperInvariant()}.a{parent.Format.ToLowerInvariant()}");
            new VhdFile { Format = parent.Format, Type = "Differencing", Size = parent.Size, FileSize = 4 << 20, ParentPath = drive.Path, ParentDataWriteId = parent.DataWriteId, DiskIdentifier = parent.DiskIdentifier }.Holding(parent).Create(path);
            drive.Path = path;
        }

        vm.Checkpoints.Add(made);
        return made;
    }

    /// <summary>What merging needs when the checkpoint goes: the file that came after it, into the one it kept.</summary>
    internal static List<MergeData> Merges(VmData vm, CheckpointData gone)
    {
        var merges = new List<MergeData>();
        var next = vm.Checkpoints.SkipWhile(one => one.Id != gone.Id).Skip(1).FirstOrDefault();
        foreach (var kept in gone.Drives)
        {
            var after = (next?.Drives ?? vm.Drives).FirstOrDefault(drive => Places.Same(drive, kept))?.Path;
            if (after is not null && kept.Path is not null && !WindowsPath.Same(after, kept.Path)) merges.Add(new MergeData { From = after, Into = kept.Path });
        }

        return merges;
    }

    internal static List<MergeData> AllMerges(VmData vm)
    {
        var merges = new List<MergeData>();
        foreach (var one in Enumerable.Reverse(vm.Checkpoints)) merges.AddRange(Merges(vm, one));
        return merges;
    }
}

[Cmdlet(VerbsData.Checkpoint, "VM", SupportsShouldProcess = true, DefaultParameterSetName = "Name")]
public sealed class CheckpointVM : NamedMachineCommand
{
    [Parameter(Position = 1), Alias("CheckpointName")]
    public string? SnapshotName { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("checkpoint")) return;
        var made = Store.Change(data =>
        {
            var vm = Vm(data, id);
            if (vm.CheckpointType == CheckpointType.Disabled) throw VirtualizationException.Failed("Checkpoints are disabled for this virtual machine");
            if (Live.IsBusy(vm) || vm.Critical) throw VirtualizationException.InvalidState($"'{vm.Name}' is {Live.State(vm)}.");
            var type = vm.State == VMState.Running && vm.CheckpointType != CheckpointType.Standard ? SnapshotType.Production : SnapshotType.Standard;
            return Checkpoints.Take(data, vm, SnapshotName ?? $"{vm.Name} - ({DateTime.Now:G})", type);
        });
        if (Passthru) WriteObject(new VMSnapshot(id, made));
    }
}

[Cmdlet(VerbsCommon.Get, "VMSnapshot", DefaultParameterSetName = "VMName"), Alias("Get-VMCheckpoint")]
public sealed class GetVMSnapshot : MachineCommand
{
    [Parameter(Position = 1)]
    public string? Name { get; set; }

    [Parameter, Alias("VMRecoveryCheckpoint")]
    public SnapshotType? SnapshotType { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = "Id")]
    public Guid? Id { get; set; }

    protected override void Execute()
    {
        if (Id is null)
        {
            base.Execute();
            return;
        }

        foreach (var vm in Store.Read().Vms)
        {
            foreach (var one in vm.Checkpoints.Where(one => one.Id == Id)) WriteObject(new VMSnapshot(vm.Id, one));
        }
    }

    protected override void OnMachine(Guid id)
    {
        var pattern = Name is null ? null : WildcardPattern.Get(Name, WildcardOptions.IgnoreCase);
        var found = Vm(Store.Read(), id).Checkpoints.Where(one => (pattern?.IsMatch(one.Name) ?? true) && (SnapshotType ?? one.SnapshotType) == one.SnapshotType).ToList();
        if (found.Count == 0 && Name is not null && !WildcardPattern.ContainsWildcardCharacters(Name)) throw VirtualizationException.ObjectNotFound($"Hyper-V was unable to find a snapshot with name \"{Name}\".");
        foreach (var one in found) WriteObject(new VMSnapshot(id, one));
    }
}

[Cmdlet(VerbsCommon.Remove, "VMSnapshot", SupportsShouldProcess = true, DefaultParameterSetName = "SnapshotName"), Alias("Remove-VMCheckpoint")]
public sealed class RemoveVMSnapshot : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "SnapshotObject"), Alias("VMCheckpoint")]
    public VMSnapshot[] VMSnapshot { get; set; } = [];

    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "SnapshotName")]
    public string[] VMName { get; set; } = [];

    [Parameter(Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMObject")]
    public VirtualMachine[] VM { get; set; } = [];

    [Parameter(Position = 1, ParameterSetName = "SnapshotName")]
    [Parameter(ParameterSetName = "VMObject")]
    public string[] Name { get; set; } = ["*"];

    [Parameter, Alias("IncludeAllChildCheckpoints")]
    public SwitchParameter IncludeAllChildSnapshots { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void Execute()
    {
        foreach (var one in VMSnapshot) Attempt(() => Remove(one.VMId, one.Id));
        var owners = VMName.SelectMany(Machines.Named).Concat(VM.Select(vm => vm.Data)).ToList();
        foreach (var vm in owners)
        {
            var found = vm.Checkpoints.Where(one => Name.Any(name => WildcardPattern.Get(name, WildcardOptions.IgnoreCase).IsMatch(one.Name))).ToList();
            foreach (var one in found) Attempt(() => Remove(vm.Id, one.Id));
        }
    }

    private void Remove(Guid machine, Guid id)
    {
        if (!ShouldProcess("checkpoint")) return;
        Store.Change(data =>
        {
            var vm = Vm(data, machine);
            var one = vm.Checkpoints.FirstOrDefault(known => known.Id == id) ?? throw VirtualizationException.ObjectNotFound("The checkpoint was not found.");
            if (Live.IsBusy(vm)) throw VirtualizationException.InvalidState($"'{vm.Name}' is {vm.State}.");
            var children = IncludeAllChildSnapshots ? vm.Checkpoints.SkipWhile(known => known.Id != id).Reverse().ToList() : [one];
            foreach (var gone in children)
            {
                var merges = Checkpoints.Merges(vm, gone);
                vm.Checkpoints.Remove(gone);
                foreach (var child in vm.Checkpoints.Where(known => known.ParentId == gone.Id)) child.ParentId = gone.ParentId;
                if (merges.Count > 0) vm.Due.Add(new DueData { At = DateTime.UtcNow.AddMilliseconds(data.Behaviour.MergeMs), What = "Merged", Merges = merges });
            }
        });
    }
}
