using System.Collections;
using System.Management.Automation;
using Microsoft.HyperV.PowerShell.Rig;
using Microsoft.Vhd.PowerShell;

namespace Microsoft.HyperV.PowerShell.Commands;

/// <summary>Moves single disks (-VHDs); moving whole machines is not emulated.</summary>
[Cmdlet(VerbsCommon.Move, "VMStorage", SupportsShouldProcess = true, DefaultParameterSetName = "Name")]
public sealed class MoveVMStorage : NamedMachineCommand
{
    /// <summary>Tables with SourceFilePath and DestinationFilePath.</summary>
    [Parameter(Mandatory = true)]
    public Hashtable[] VHDs { get; set; } = [];

    [Parameter]
    public SwitchParameter RetainVhdCopiesOnSource { get; set; }

    [Parameter]
    public SwitchParameter RemoveSourceUnmanagedVhds { get; set; }

    [Parameter]
    public SwitchParameter AllowUnverifiedPaths { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("storage")) return;
        var moves = VHDs.Select(Pair).ToList();
        Thread.Sleep(TimeSpan.FromMilliseconds(Store.Read().Behaviour.CopyMsPerMiB * moves.Sum(move => VhdFile.Read(move.From).FileSize >> 20)));
        Store.Change(data =>
        {
            var vm = Vm(data, id);
            if (Live.IsBusy(vm) || Live.IsMerging(vm)) throw VirtualizationException.InvalidState($"'{vm.Name}' is busy.");
            foreach (var move in moves) Move(data, vm, move.From, move.To);
        });
    }

    private static (string From, string To) Pair(Hashtable table)
    {
        string Text(string key) => LanguagePrimitives.ConvertTo<string>(table[key]) is { Length: > 0 } text ? WindowsPath.Full(text) : throw VirtualizationException.InvalidParameter($"VHDs: {key} is missing.");
        var (from, to) = (Text("SourceFilePath"), Text("DestinationFilePath"));
        if (!string.Equals(WindowsPath.Leaf(from), WindowsPath.Leaf(to), StringComparison.OrdinalIgnoreCase)) throw VirtualizationException.InvalidParameter("The file name must be the same at source and destination.");
        return (from, to);
    }

    private void Move(HostData data, VmData vm, string from, string to)
    {
        var drives = vm.Drives.Concat(vm.Checkpoints.SelectMany(one => one.Drives)).Where(drive => WindowsPath.Same(drive.Path, from)).ToList();
        if (drives.Count == 0) throw VirtualizationException.InvalidParameter($"'{from}' is not of this virtual machine.");
        var file = VhdFile.Read(from);
        Disks.MustFit(data, to, file.FileSize);
        if (File.Exists(WindowsPath.Real(to))) throw VirtualizationException.Failed($"'{to}': the file exists", unchecked((int)0x80070050));
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(WindowsPath.Real(to))!);
        File.Copy(WindowsPath.Real(from), WindowsPath.Real(to));
        foreach (var drive in drives) drive.Path = to;
        foreach (var path in vm.Drives.Concat(vm.Checkpoints.SelectMany(one => one.Drives)).Select(drive => drive.Path!).Where(path => path is not null && !WindowsPath.Same(path, to)))
        {
            var child = VhdFile.Read(path);
            if (!WindowsPath.Same(child.ParentPath, from)) continue;
            child.ParentPath = to;
            child.Update(path);
        }

        if (!RetainVhdCopiesOnSource) File.Delete(WindowsPath.Real(from));
        foreach (var tracking in new[] { ".rct", ".mrt" }) if (File.Exists(WindowsPath.Real(from + tracking))) File.Move(WindowsPath.Real(from + tracking), WindowsPath.Real(to + tracking));
        // The trap of the real one: what the disk was made from goes too.
        if (RemoveSourceUnmanagedVhds && file.ParentPath is not null) File.Delete(WindowsPath.Real(file.ParentPath));
    }
}

public sealed record VMCompatibilityIncompatibility(string Message, int MessageId, object? Source);

/// <summary>What Compare-VM found.</summary>
public sealed class VMCompatibilityReport(string path, VmData machine, List<VMCompatibilityIncompatibility> found)
{
    internal VmData Machine => machine;
    public VirtualMachine VM => new(machine, planned: true);
    public string OperationType => "ImportVirtualMachine";
    public string Path => path;
    public VMCompatibilityIncompatibility[] Incompatibilities => [.. found];
}

internal static class Imports
{
    internal static VMCompatibilityReport Compare(string given)
    {
        var path = WindowsPath.Full(given);
        var machine = Machine.ReadConfiguration(path);
        if (!string.Equals(System.IO.Path.GetFileNameWithoutExtension(WindowsPath.Leaf(path)), machine.Id.ToString(), StringComparison.OrdinalIgnoreCase)) throw VirtualizationException.InvalidParameter($"'{path}' does not bear the id of its virtual machine.");
        return Judge(path, machine);
    }

    /// <summary>A report again, of the machine as it was changed since the one before.</summary>
    internal static VMCompatibilityReport Judge(string path, VmData machine)
    {
        var data = Store.Read();
        var found = new List<VMCompatibilityIncompatibility>();
        if (data.Vms.Any(vm => vm.Id == machine.Id)) found.Add(new("A virtual machine with this id exists.", 40019, null));
        foreach (var adapter in machine.Adapters.Where(adapter => adapter.SwitchId is { } id && data.Switches.All(one => one.Id != id))) found.Add(new($"Could not find the switch of '{adapter.Name}'.", 33012, new VMNetworkAdapter(machine.Id, adapter)));
        foreach (var drive in machine.Drives.Where(drive => drive.Path is not null && !File.Exists(WindowsPath.Real(drive.Path)))) found.Add(new($"'{drive.Path}' was not found.", 40010, new HardDiskDrive(machine.Id, drive, machine)));
        return new VMCompatibilityReport(path, machine, found);
    }
}

[Cmdlet(VerbsData.Compare, "VM", SupportsShouldProcess = true, DefaultParameterSetName = "Register")]
public sealed class CompareVM : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Register")]
    public string Path { get; set; } = "";

    [Parameter(ParameterSetName = "Register")]
    public SwitchParameter Register { get; set; }

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "CompatibilityReport")]
    public VMCompatibilityReport? CompatibilityReport { get; set; }

    protected override void Execute() => WriteObject(CompatibilityReport is { } report ? Imports.Judge(report.Path, report.Machine) : Imports.Compare(Path));
}

[Cmdlet(VerbsData.Import, "VM", SupportsShouldProcess = true, DefaultParameterSetName = "Register")]
public sealed class ImportVM : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Register")]
    public string Path { get; set; } = "";

    [Parameter(ParameterSetName = "Register")]
    public SwitchParameter Register { get; set; }

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "CompatibilityReport")]
    public VMCompatibilityReport? CompatibilityReport { get; set; }

    /// <summary>Registers in place: id, MACs and TPM stay.</summary>
    protected override void Execute()
    {
        var report = CompatibilityReport is { } given ? Imports.Judge(given.Path, given.Machine) : Imports.Compare(Path);
        if (!ShouldProcess(report.Path)) return;
        if (report.Incompatibilities.Length > 0)
        {
            throw new VirtualizationException("Unable to import the virtual machine due to configuration errors. Use Compare-VM to repair it.", "OperationFailed", ErrorCategory.InvalidOperation);
        }

        Store.Change(data =>
        {
            var vm = report.Machine;
            if (vm.State is not (VMState.Off or VMState.Saved)) vm.State = VMState.Off;
            vm.Due.Clear();
            data.Vms.Add(vm);
        });
        WriteObject(new VirtualMachine(report.Machine));
    }
}
