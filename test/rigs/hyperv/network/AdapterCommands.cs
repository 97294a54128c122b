using System.Management.Automation;
using System.Text.RegularExpressions;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell.Commands;

internal static class Networks
{
    internal static SwitchData Named(HostData data, string name)
    {
        var pattern = WildcardPattern.Get(name, WildcardOptions.IgnoreCase);
        var found = data.Switches.Where(one => pattern.IsMatch(one.Name)).ToList();
        return found.Count == 1 ? found[0] : throw VirtualizationException.InvalidParameter($"Hyper-V was unable to find a virtual switch with name \"{name}\".");
    }

    internal static string Mac(string given)
    {
        var text = Regex.Replace(given, "[-:.]", "").ToUpperInvariant();
        return Regex.IsMatch(text, "^[0-9A-F]{12}$") ? text : throw VirtualizationException.InvalidParameter($"'{given}' is not a MAC address.");
    }

    internal static string NextMac(HostData data)
    {
        var from = Convert.ToInt64(data.Host.MacAddressMinimum, 16);
        var to = Convert.ToInt64(data.Host.MacAddressMaximum, 16);
        var taken = data.Vms.SelectMany(vm => vm.Adapters).Select(adapter => adapter.Mac).ToHashSet();
        for (var at = from; at <= to; at++)
        {
            if (!taken.Contains(at.ToString("X12"))) return at.ToString("X12");
        }

        throw VirtualizationException.Failed("The pool of MAC addresses is empty", unchecked((int)0x80070103));
    }

    internal static AdapterData Adapter(VmData vm, VMNetworkAdapter adapter) =>
        vm.Adapters.FirstOrDefault(one => one.Id == adapter.Data.Id) ?? throw VirtualizationException.ObjectNotFound("The network adapter was not found.");
}

[Cmdlet(VerbsCommon.Get, "VMNetworkAdapter", DefaultParameterSetName = "VMName")]
public sealed class GetVMNetworkAdapter : MachineCommand
{
    [Parameter(Position = 1), Alias("VMNetworkAdapterName")]
    public string? Name { get; set; }

    [Parameter]
    public bool? IsLegacy { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = "All")]
    public SwitchParameter All { get; set; }

    protected override IEnumerable<Guid> Ids() => All ? Store.Read().Vms.Select(vm => vm.Id) : base.Ids();

    protected override void OnMachine(Guid id)
    {
        var pattern = Name is null ? null : WildcardPattern.Get(Name, WildcardOptions.IgnoreCase);
        var found = Vm(Store.Read(), id).Adapters.Where(adapter => (pattern?.IsMatch(adapter.Name) ?? true) && (IsLegacy ?? adapter.Legacy) == adapter.Legacy).ToList();
        if (found.Count == 0 && Name is not null && !WildcardPattern.ContainsWildcardCharacters(Name)) throw VirtualizationException.InvalidParameter($"Hyper-V was unable to find a network adapter with name \"{Name}\".");
        foreach (var adapter in found) WriteObject(new VMNetworkAdapter(id, adapter));
    }
}

[Cmdlet(VerbsCommon.Add, "VMNetworkAdapter", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class AddVMNetworkAdapter : MachineCommand
{
    [Parameter, ValidateNotNullOrEmpty]
    public string? SwitchName { get; set; }

    [Parameter]
    public bool IsLegacy { get; set; }

    [Parameter, Alias("VMNetworkAdapterName"), ValidateNotNullOrEmpty]
    public string Name { get; set; } = "Network Adapter";

    [Parameter]
    public SwitchParameter DynamicMacAddress { get; set; }

    [Parameter, ValidateNotNullOrEmpty]
    public string? StaticMacAddress { get; set; }

    [Parameter]
    public OnOffState DeviceNaming { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void OnMachine(Guid id)
    {
        if (!ShouldProcess("network adapter")) return;
        if (DynamicMacAddress && StaticMacAddress is not null) throw VirtualizationException.InvalidParameter("StaticMacAddress and DynamicMacAddress exclude each other.");
        var made = Store.Change(data =>
        {
            var vm = Vm(data, id);
            MustNotBeSaved(vm, "Adapters");
            if (IsLegacy && vm.Generation == 2) throw VirtualizationException.InvalidParameter("A generation 2 virtual machine takes no legacy network adapter.");
            if (vm.State != VMState.Off && (vm.Generation == 1 || IsLegacy)) throw VirtualizationException.InvalidState("Adapters cannot be added while this virtual machine is running.");
            if (vm.Adapters.Count(adapter => adapter.Legacy == IsLegacy) >= (IsLegacy ? 4 : 8)) throw VirtualizationException.Failed("The virtual machine takes no more adapters");
            var at = SwitchName is null ? null : Networks.Named(data, SwitchName);
            var adapter = new AdapterData { Name = Name, Legacy = IsLegacy, SwitchId = at?.Id, LastSwitchName = at?.Name, DeviceNaming = DeviceNaming };
            if (StaticMacAddress is not null) (adapter.Mac, adapter.Dynamic) = (Networks.Mac(StaticMacAddress), false);
            else if (vm.State != VMState.Off) adapter.Mac = Networks.NextMac(data);
            vm.Adapters.Add(adapter);
            return adapter;
        });
        if (Passthru) WriteObject(new VMNetworkAdapter(id, made));
    }
}

/// <summary>Commands on an adapter: by object, or by machine (name or object) and adapter name; without a name on all of the machine's.</summary>
public abstract class AdapterCommand : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "ResourceObject")]
    public VMNetworkAdapter[] VMNetworkAdapter { get; set; } = [];

    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMName")]
    public string[] VMName { get; set; } = [];

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected virtual string? AdapterName => null;

    protected virtual IEnumerable<VirtualMachine> Objects => [];

    protected abstract void OnAdapter(HostData data, VmData vm, AdapterData adapter);

    protected override void Execute()
    {
        foreach (var adapter in VMNetworkAdapter) Attempt(() => On(adapter));
        foreach (var vm in Objects) Attempt(() => OnAll(vm.Data));
        foreach (var name in VMName)
        {
            if (Machines.Named(name).Count == 0) Attempt(() => throw Machines.Unknown(name));
            foreach (var vm in Machines.Named(name)) Attempt(() => OnAll(vm));
        }
    }

    private void OnAll(VmData vm)
    {
        var pattern = AdapterName is null ? null : WildcardPattern.Get(AdapterName, WildcardOptions.IgnoreCase);
        var found = vm.Adapters.Where(adapter => pattern?.IsMatch(adapter.Name) ?? true).ToList();
        if (found.Count == 0) throw VirtualizationException.InvalidParameter($"Hyper-V was unable to find a network adapter with name \"{AdapterName}\".");
        foreach (var adapter in found) On(new VMNetworkAdapter(vm.Id, adapter));
    }

    private void On(VMNetworkAdapter adapter)
    {
        if (!ShouldProcess(adapter.Name)) return;
        Store.Change(data =>
        {
            var vm = Vm(data, adapter.VMId);
            OnAdapter(data, vm, Networks.Adapter(vm, adapter));
        });
        if (Passthru) WriteObject(adapter);
    }
}

[Cmdlet(VerbsCommon.Set, "VMNetworkAdapter", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class SetVMNetworkAdapter : AdapterCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMObject")]
    public VirtualMachine? VM { get; set; }

    [Parameter(ParameterSetName = "VMName")]
    [Parameter(ParameterSetName = "VMObject"), Alias("VMNetworkAdapterName")]
    public string? Name { get; set; }

    [Parameter]
    public SwitchParameter DynamicMacAddress { get; set; }

    [Parameter, ValidateNotNullOrEmpty]
    public string? StaticMacAddress { get; set; }

    [Parameter]
    public OnOffState? MacAddressSpoofing { get; set; }

    [Parameter]
    public OnOffState? DhcpGuard { get; set; }

    [Parameter]
    public OnOffState? RouterGuard { get; set; }

    [Parameter]
    public VMNetworkAdapterPortMirroringMode? PortMirroring { get; set; }

    [Parameter]
    public OnOffState? IeeePriorityTag { get; set; }

    [Parameter]
    public OnOffState? AllowTeaming { get; set; }

    [Parameter]
    public OnOffState? DeviceNaming { get; set; }

    [Parameter]
    public uint? VmqWeight { get; set; }

    [Parameter]
    public uint? IovWeight { get; set; }

    [Parameter]
    public bool? NotMonitoredInCluster { get; set; }

    /// <summary>Bits a second; 0 removes the limit.</summary>
    [Parameter]
    public long? MaximumBandwidth { get; set; }

    [Parameter]
    public long? MinimumBandwidthAbsolute { get; set; }

    [Parameter]
    public uint? MinimumBandwidthWeight { get; set; }

    protected override string? AdapterName => Name;

    protected override IEnumerable<VirtualMachine> Objects => VM is null ? [] : [VM];

    protected override void OnAdapter(HostData data, VmData vm, AdapterData adapter)
    {
        if (StaticMacAddress is not null && DynamicMacAddress) throw VirtualizationException.InvalidParameter("StaticMacAddress and DynamicMacAddress exclude each other.");
        SetMac(vm, adapter);
        adapter.MacAddressSpoofing = MacAddressSpoofing ?? adapter.MacAddressSpoofing;
        adapter.DhcpGuard = DhcpGuard ?? adapter.DhcpGuard;
        adapter.RouterGuard = RouterGuard ?? adapter.RouterGuard;
        adapter.AllowTeaming = AllowTeaming ?? adapter.AllowTeaming;
        adapter.IeeePriorityTag = IeeePriorityTag ?? adapter.IeeePriorityTag;
        adapter.DeviceNaming = DeviceNaming ?? adapter.DeviceNaming;
        adapter.PortMirroring = PortMirroring?.ToString() ?? adapter.PortMirroring;
        adapter.VmqWeight = (int)(VmqWeight ?? (uint)adapter.VmqWeight);
        adapter.IovWeight = (int)(IovWeight ?? (uint)adapter.IovWeight);
        adapter.ClusterMonitored = NotMonitoredInCluster is { } not ? !not : adapter.ClusterMonitored;
        SetBandwidth(data, adapter);
    }

    private void SetMac(VmData vm, AdapterData adapter)
    {
        if (!DynamicMacAddress && StaticMacAddress is null) return;
        var mac = StaticMacAddress is null ? null : Networks.Mac(StaticMacAddress);
        if (mac is not null && !adapter.Dynamic && mac == adapter.Mac) return;
        MustBeOff(vm, "The MAC address");
        adapter.Dynamic = mac is null;
        adapter.Mac = mac ?? adapter.Mac;
    }

    private void SetBandwidth(HostData data, AdapterData adapter)
    {
        var mode = data.Switches.FirstOrDefault(one => one.Id == adapter.SwitchId)?.BandwidthReservationMode;
        if (MinimumBandwidthWeight is > 100) throw VirtualizationException.InvalidParameter("MinimumBandwidthWeight is above 100.");
        if (MinimumBandwidthAbsolute is > 0 && mode is "Weight" or "None") throw VirtualizationException.Failed($"The switch's reservation mode is {mode}: no absolute minimum", unchecked((int)0x80070032));
        if (MinimumBandwidthWeight is > 0 && mode is "Absolute" or "None" or "Default") throw VirtualizationException.Failed($"The switch's reservation mode is {mode}: no weight", unchecked((int)0x80070032));
        adapter.MaximumBandwidth = MaximumBandwidth ?? adapter.MaximumBandwidth;
        adapter.MinimumBandwidthAbsolute = MinimumBandwidthAbsolute ?? adapter.MinimumBandwidthAbsolute;
        adapter.MinimumBandwidthWeight = (int)(MinimumBandwidthWeight ?? (uint)adapter.MinimumBandwidthWeight);
    }
}

[Cmdlet(VerbsCommon.Remove, "VMNetworkAdapter", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class RemoveVMNetworkAdapter : AdapterCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMObject")]
    public VirtualMachine[] VM { get; set; } = [];

    [Parameter(ParameterSetName = "VMName")]
    [Parameter(ParameterSetName = "VMObject"), Alias("VMNetworkAdapterName")]
    public string? Name { get; set; }

    protected override string? AdapterName => Name;

    protected override IEnumerable<VirtualMachine> Objects => VM;

    protected override void OnAdapter(HostData data, VmData vm, AdapterData adapter)
    {
        MustNotBeSaved(vm, "Adapters");
        if (vm.State != VMState.Off && (vm.Generation == 1 || adapter.Legacy)) throw VirtualizationException.InvalidState("Adapters cannot be removed while this virtual machine is running.");
        vm.Firmware.BootOrder.Remove(new VMNetworkAdapter(vm.Id, adapter).Id);
        vm.Adapters.Remove(adapter);
    }
}

/// <summary>Takes the adapter or a machine's name, never -VM.</summary>
[Cmdlet(VerbsCommunications.Connect, "VMNetworkAdapter", SupportsShouldProcess = true, DefaultParameterSetName = "Name_SwitchName")]
public sealed class ConnectVMNetworkAdapter : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "Object_SwitchName")]
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "Object_SwitchObject")]
    public VMNetworkAdapter[] VMNetworkAdapter { get; set; } = [];

    [Parameter(Position = 0, Mandatory = true, ParameterSetName = "Name_SwitchName")]
    public string[] VMName { get; set; } = [];

    [Parameter(Position = 1, ParameterSetName = "Name_SwitchName"), Alias("VMNetworkAdapterName")]
    public string? Name { get; set; }

    [Parameter(Position = 2, Mandatory = true, ParameterSetName = "Name_SwitchName")]
    [Parameter(Position = 1, Mandatory = true, ParameterSetName = "Object_SwitchName")]
    public string? SwitchName { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = "Object_SwitchObject"), ValidateNotNull]
    public VMSwitch? VMSwitch { get; set; }

    [Parameter]
    public SwitchParameter Passthru { get; set; }

    protected override void Execute()
    {
        var named = VMName.SelectMany(name => Machines.Named(name) is { Count: > 0 } found ? found : throw Machines.Unknown(name))
            .SelectMany(vm => vm.Adapters.Where(adapter => Name is null || string.Equals(adapter.Name, Name, StringComparison.OrdinalIgnoreCase)).Select(adapter => new VMNetworkAdapter(vm.Id, adapter)));
        foreach (var adapter in VMNetworkAdapter.Concat(named).ToList()) Attempt(() => Connect(adapter));
    }

    private void Connect(VMNetworkAdapter adapter)
    {
        if (!ShouldProcess(adapter.Name)) return;
        Store.Change(data =>
        {
            var vm = Vm(data, adapter.VMId);
            var at = VMSwitch is null ? Networks.Named(data, SwitchName!) : data.Switches.FirstOrDefault(one => one.Id == VMSwitch.Id) ?? throw VirtualizationException.ObjectNotFound("The switch was not found.");
            var found = Networks.Adapter(vm, adapter);
            found.SwitchId = at.Id;
            found.LastSwitchName = at.Name;
        });
        if (Passthru) WriteObject(adapter);
    }
}

[Cmdlet(VerbsCommunications.Disconnect, "VMNetworkAdapter", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class DisconnectVMNetworkAdapter : AdapterCommand
{
    [Parameter(Position = 1, ParameterSetName = "VMName"), Alias("VMNetworkAdapterName")]
    public string? Name { get; set; }

    protected override string? AdapterName => Name;

    protected override void OnAdapter(HostData data, VmData vm, AdapterData adapter) => adapter.SwitchId = null;
}

[Cmdlet(VerbsCommon.Rename, "VMNetworkAdapter", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class RenameVMNetworkAdapter : AdapterCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMObject")]
    public VirtualMachine[] VM { get; set; } = [];

    [Parameter(Position = 1, ParameterSetName = "VMName")]
    [Parameter(ParameterSetName = "VMObject"), Alias("VMNetworkAdapterName")]
    public string? Name { get; set; }

    [Parameter(Position = 2, Mandatory = true), ValidateNotNullOrEmpty]
    public string NewName { get; set; } = "";

    protected override string? AdapterName => Name;

    protected override IEnumerable<VirtualMachine> Objects => VM;

    protected override void OnAdapter(HostData data, VmData vm, AdapterData adapter) => adapter.Name = NewName;
}
