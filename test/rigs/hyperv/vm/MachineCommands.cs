using System.Management.Automation;
using System.Text.Json;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell.Commands;

[Cmdlet(VerbsCommon.Get, "VM", DefaultParameterSetName = "Name"), OutputType(typeof(VirtualMachine))]
public sealed class GetVM : HyperVCommand
{
    [Parameter(Position = 0, ValueFromPipeline = true, ParameterSetName = "Name"), Alias("VMName"), ValidateNotNullOrEmpty]
    public string[] Name { get; set; } = ["*"];

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, ParameterSetName = "Id")]
    public Guid? Id { get; set; }

    protected override void Execute()
    {
        if (Id is { } id)
        {
            var found = Store.Read().Vms.FirstOrDefault(vm => vm.Id == id) ?? throw VirtualizationException.InvalidParameter($"Hyper-V was unable to find a virtual machine with id \"{id}\".");
            WriteObject(new VirtualMachine(found));
            return;
        }

        foreach (var name in Name)
        {
            var found = Machines.Named(name);
            if (found.Count == 0 && !WildcardPattern.ContainsWildcardCharacters(name)) Attempt(() => throw Machines.Unknown(name));
            foreach (var vm in found) WriteObject(new VirtualMachine(vm));
        }
    }
}

[Cmdlet(VerbsCommon.New, "VM", SupportsShouldProcess = true, DefaultParameterSetName = "No VHD"), OutputType(typeof(VirtualMachine))]
public sealed class NewVM : HyperVCommand
{
    [Parameter(Position = 0), Alias("VMName"), ValidateNotNullOrEmpty]
    public string Name { get; set; } = "New Virtual Machine";

    [Parameter(Position = 1), ValidateNotNullOrEmpty]
    public long? MemoryStartupBytes { get; set; }

    [Parameter]
    public BootDevice? BootDevice { get; set; }

    [Parameter(ParameterSetName = "No VHD")]
    public SwitchParameter NoVHD { get; set; }

    [Parameter, ValidateNotNullOrEmpty]
    public string? SwitchName { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = "Existing VHD"), ValidateNotNullOrEmpty]
    public string? VHDPath { get; set; }

    [Parameter, ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    [Parameter]
    public Version? Version { get; set; }

    [Parameter(Position = 2), ValidateSet("1", "2")]
    public short Generation { get; set; } = 1;

    [Parameter]
    public SwitchParameter Force { get; set; }

    protected override void Execute()
    {
        if (!ShouldProcess(Name)) return;
        var made = Store.Change(data =>
        {
            var vm = Make(data);
            data.Vms.Add(vm);
            return vm;
        });
        WriteObject(new VirtualMachine(made));
    }

    private VmData Make(HostData data)
    {
        if (Name.IndexOfAny(['\\', '/', ':', '*', '?', '"', '<', '>', '|']) >= 0 && Path is null) throw VirtualizationException.Failed($"'{Name}' cannot be the name of a folder", unchecked((int)0x8007007B));
        var version = Version is null ? data.Host.DefaultVersion : $"{Version.Major}.{Version.Minor}";
        if (!data.Host.SupportedVersions.Contains(version)) throw VirtualizationException.InvalidParameter($"The version {version} is not supported by this host.");
        var vm = new VmData { Name = Name, Generation = Generation, Version = version };
        if (MemoryStartupBytes is { } memory) vm.Memory.Startup = Memory.Checked(memory, "MemoryStartupBytes");
        vm.Path = WindowsPath.Full(Path is null ? data.Host.VirtualMachinePath : WindowsPath.Join(Path, Name));
        vm.Services = Services.Names.ToDictionary(name => name, name => name != "Guest Service Interface");
        vm.Scsi.Add(new ControllerData());
        vm.AutomaticCheckpointsEnabled = false;
        AddAdapter(data, vm);
        if (Generation == 1) vm.Dvds.Add(new DvdData { ControllerType = ControllerType.IDE, ControllerNumber = 1 });
        if (VHDPath is not null) AddDisk(vm);
        var folder = WindowsPath.Real(WindowsPath.Join(vm.Path, "Virtual Machines"));
        Directory.CreateDirectory(folder);
        Machine.WriteConfiguration(vm);
        return vm;
    }

    private void AddAdapter(HostData data, VmData vm)
    {
        if (!data.Behaviour.DefaultAdapter && SwitchName is null) return;
        var adapter = new AdapterData { Legacy = BootDevice == PowerShell.BootDevice.LegacyNetworkAdapter };
        if (SwitchName is not null)
        {
            var at = Networks.Named(data, SwitchName);
            adapter.SwitchId = at.Id;
            adapter.LastSwitchName = at.Name;
        }

        vm.Adapters.Add(adapter);
    }

    private void AddDisk(VmData vm)
    {
        var path = WindowsPath.Full(VHDPath!);
        if (!File.Exists(WindowsPath.Real(path))) throw VirtualizationException.InvalidParameter($"The path '{path}' does not exist.");
        vm.Drives.Add(new DriveData { ControllerType = Generation == 1 ? ControllerType.IDE : ControllerType.SCSI, Path = path });
    }
}

/// <summary>Files and rules of machines.</summary>
internal static class Machine
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new System.Text.Json.Serialization.JsonStringEnumConverter() },
    };

    internal static string Configuration(VmData vm) => WindowsPath.Join(WindowsPath.Join(vm.Path, "Virtual Machines"), vm.Id.ToString().ToUpperInvariant() + ".vmcx");

    internal static void WriteConfiguration(VmData vm)
    {
        var real = WindowsPath.Real(Configuration(vm));
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(real)!);
        File.WriteAllText(real, JsonSerializer.Serialize(vm, Json));
    }

    internal static VmData ReadConfiguration(string path)
    {
        var real = WindowsPath.Real(path);
        if (!File.Exists(real)) throw VirtualizationException.ObjectNotFound($"'{path}' was not found.");
        try
        {
            return JsonSerializer.Deserialize<VmData>(File.ReadAllText(real), Json) ?? throw new JsonException();
        }
        catch (JsonException)
        {
            throw new VirtualizationException($"'{path}' is no configuration of a virtual machine.", "OperationFailed", ErrorCategory.InvalidOperation);
        }
    }
}

[Cmdlet(VerbsCommon.Remove, "VM", SupportsShouldProcess = true, DefaultParameterSetName = "Name")]
public sealed class RemoveVM : NamedMachineCommand
{
    [Parameter]
    public SwitchParameter Force { get; set; }

    protected override void OnMachine(Guid id)
    {
        var name = Vm(Store.Read(), id).Name;
        if (!ShouldProcess(name)) return;
        if (!Force && !ShouldContinue($"Are you sure you want to remove the virtual machine \"{name}\"?", "Confirm")) return;
        Store.Change(data =>
        {
            var vm = Vm(data, id);
            if (vm.State is not (VMState.Off or VMState.Saved)) throw VirtualizationException.InvalidState($"'{vm.Name}' cannot be removed while it is {vm.State}.");
            data.Vms.Remove(vm);
            // The checkpoints' files are merged after the machine is gone.
            var merges = Checkpoints.AllMerges(vm);
            if (merges.Count > 0) data.Due.Add(new DueData { At = DateTime.UtcNow.AddMilliseconds(data.Behaviour.MergeMs), What = "Merged", Merges = merges });
            File.Delete(WindowsPath.Real(Machine.Configuration(vm)));
        });
    }
}

[Cmdlet(VerbsCommon.Rename, "VM", SupportsShouldProcess = true, DefaultParameterSetName = "Name")]
public sealed class RenameVM : NamedMachineCommand
{
    [Parameter(Position = 1, Mandatory = true), ValidateNotNullOrEmpty]
    public string NewName { get; set; } = "";

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess(NewName)) return;
        var renamed = Store.Change(data =>
        {
            var vm = Vm(data, id);
            vm.Name = NewName;
            return vm;
        });
        if (Passthru) WriteObject(new VirtualMachine(renamed));
    }
}

[Cmdlet(VerbsCommon.Set, "VM", SupportsShouldProcess = true, DefaultParameterSetName = "Name")]
public sealed class SetVM : NamedMachineCommand
{
    [Parameter]
    public CriticalErrorAction? AutomaticCriticalErrorAction { get; set; }

    [Parameter]
    public int? AutomaticCriticalErrorActionTimeout { get; set; }

    [Parameter]
    public StartAction? AutomaticStartAction { get; set; }

    [Parameter]
    public int? AutomaticStartDelay { get; set; }

    [Parameter]
    public StopAction? AutomaticStopAction { get; set; }

    [Parameter]
    public bool? AutomaticCheckpointsEnabled { get; set; }

    [Parameter]
    public CheckpointType? CheckpointType { get; set; }

    [Parameter]
    public SwitchParameter DynamicMemory { get; set; }

    [Parameter]
    public SwitchParameter StaticMemory { get; set; }

    [Parameter]
    public OnOffState? LockOnDisconnect { get; set; }

    [Parameter]
    public long? MemoryMaximumBytes { get; set; }

    [Parameter]
    public long? MemoryMinimumBytes { get; set; }

    [Parameter]
    public long? MemoryStartupBytes { get; set; }

    [Parameter, ValidateNotNullOrEmpty]
    public string? NewVMName { get; set; }

    [Parameter, ValidateNotNull]
    public string? Notes { get; set; }

    [Parameter]
    public long? ProcessorCount { get; set; }

    [Parameter, ValidateNotNullOrEmpty]
    public string? SmartPagingFilePath { get; set; }

    [Parameter, ValidateNotNullOrEmpty]
    public string? SnapshotFileLocation { get; set; }

    [Parameter]
    public SwitchParameter AllowUnverifiedPaths { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess(Vm(Store.Read(), id).Name)) return;
        if (DynamicMemory && StaticMemory) throw VirtualizationException.InvalidParameter("DynamicMemory and StaticMemory exclude each other.");
        var changed = Store.Change(data =>
        {
            var vm = Vm(data, id);
            Settings(vm);
            Hardware(data, vm);
            return vm;
        });
        if (Passthru) WriteObject(new VirtualMachine(changed));
    }

    private void Settings(VmData vm)
    {
        if (Notes is not null) vm.Notes = Notes;
        var others = MyInvocation.BoundParameters.Keys.Except(["Notes", "VM", "Name", "Passthru", "ErrorAction", "Confirm", "WhatIf"], StringComparer.OrdinalIgnoreCase).ToList();
        if (others.Count == 0) return;
        if (others.Any(name => name != "NewVMName")) MustNotBeSaved(vm, others[0]);
        if (NewVMName is not null) vm.Name = NewVMName;
        if (AutomaticStopAction is { } stop && stop != vm.AutomaticStopAction)
        {
            MustBeOff(vm, "AutomaticStopAction");
            vm.AutomaticStopAction = stop;
        }

        vm.AutomaticStartAction = AutomaticStartAction ?? vm.AutomaticStartAction;
        if (AutomaticStartDelay is { } delay)
        {
            Within(delay, 0, 999_999_999, "AutomaticStartDelay");
            vm.AutomaticStartDelay = delay;
        }

        vm.AutomaticCriticalErrorAction = AutomaticCriticalErrorAction ?? vm.AutomaticCriticalErrorAction;
        vm.AutomaticCriticalErrorActionTimeout = AutomaticCriticalErrorActionTimeout ?? vm.AutomaticCriticalErrorActionTimeout;
        vm.AutomaticCheckpointsEnabled = AutomaticCheckpointsEnabled ?? vm.AutomaticCheckpointsEnabled;
        vm.CheckpointType = CheckpointType ?? vm.CheckpointType;
        vm.LockOnDisconnect = LockOnDisconnect ?? vm.LockOnDisconnect;
        vm.SmartPagingFilePath = SmartPagingFilePath is null ? vm.SmartPagingFilePath : WindowsPath.Full(SmartPagingFilePath);
        vm.SnapshotFileLocation = SnapshotFileLocation is null ? vm.SnapshotFileLocation : WindowsPath.Full(SnapshotFileLocation);
    }

    private void Hardware(HostData data, VmData vm)
    {
        if (ProcessorCount is { } count) Processors.SetCount(data, vm, count);
        bool? dynamic = DynamicMemory ? true : StaticMemory ? false : null;
        Memory.Set(data, vm, new Memory.Wish(dynamic, MemoryStartupBytes, MemoryMinimumBytes, MemoryMaximumBytes, null, null));
    }
}
