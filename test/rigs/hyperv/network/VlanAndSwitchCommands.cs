using System.Management.Automation;
using Microsoft.HyperV.PowerShell.Rig;

namespace Microsoft.HyperV.PowerShell.Commands;

[Cmdlet(VerbsCommon.Get, "VMNetworkAdapterVlan", DefaultParameterSetName = "VMName")]
public sealed class GetVMNetworkAdapterVlan : AdapterCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMObject")]
    public VirtualMachine[] VM { get; set; } = [];

    [Parameter(Position = 1)]
    public string? VMNetworkAdapterName { get; set; }

    protected override string? AdapterName => VMNetworkAdapterName;

    protected override IEnumerable<VirtualMachine> Objects => VM;

    protected override void OnAdapter(HostData data, VmData vm, AdapterData adapter) => WriteObject(new VMNetworkAdapterVlanSetting(vm.Id, adapter));
}

[Cmdlet(VerbsCommon.Set, "VMNetworkAdapterVlan", SupportsShouldProcess = true, DefaultParameterSetName = "VMName")]
public sealed class SetVMNetworkAdapterVlan : AdapterCommand
{
    [Parameter(Position = 0, Mandatory = true, ValueFromPipeline = true, ParameterSetName = "VMObject")]
    public VirtualMachine[] VM { get; set; } = [];

    [Parameter(Position = 1)]
    public string? VMNetworkAdapterName { get; set; }

    [Parameter]
    public SwitchParameter Untagged { get; set; }

    [Parameter]
    public SwitchParameter Access { get; set; }

    [Parameter]
    public int? VlanId { get; set; }

    [Parameter]
    public SwitchParameter Trunk { get; set; }

    [Parameter]
    public int? NativeVlanId { get; set; }

    [Parameter]
    public string? AllowedVlanIdList { get; set; }

    [Parameter]
    public SwitchParameter Community { get; set; }

    [Parameter]
    public SwitchParameter Isolated { get; set; }

    [Parameter]
    public SwitchParameter Promiscuous { get; set; }

    [Parameter]
    public int? PrimaryVlanId { get; set; }

    [Parameter]
    public int? SecondaryVlanId { get; set; }

    [Parameter]
    public string? SecondaryVlanIdList { get; set; }

    protected override string? AdapterName => VMNetworkAdapterName;

    protected override IEnumerable<VirtualMachine> Objects => VM;

    protected override void OnAdapter(HostData data, VmData vm, AdapterData adapter)
    {
        var modes = new[] { Untagged, Access, Trunk, Community, Isolated, Promiscuous }.Count(mode => mode.IsPresent);
        if (modes != 1) throw VirtualizationException.InvalidParameter("Give exactly one of Untagged, Access, Trunk, Community, Isolated, Promiscuous.");
        adapter.Vlan = Wish();
    }

    private VlanData Wish()
    {
        if (Untagged) return Only(new VlanData(), []);
        if (Access) return Only(new VlanData { Mode = VMNetworkAdapterVlanMode.Access, AccessVlanId = Id(VlanId, "VlanId") }, ["VlanId"]);
        if (Trunk)
        {
            if (NativeVlanId is not (>= 0 and <= 4094)) throw VirtualizationException.InvalidParameter("Trunk needs NativeVlanId, 0 to 4094.");
            return Only(new VlanData { Mode = VMNetworkAdapterVlanMode.Trunk, NativeVlanId = NativeVlanId.Value, AllowedVlanIds = List(AllowedVlanIdList, "AllowedVlanIdList") }, ["NativeVlanId", "AllowedVlanIdList"]);
        }

        var made = new VlanData { Mode = VMNetworkAdapterVlanMode.Private, PrimaryVlanId = Id(PrimaryVlanId, "PrimaryVlanId") };
        if (Promiscuous)
        {
            made.PrivateMode = VMNetworkAdapterPrivateVlanMode.Promiscuous;
            made.SecondaryVlanIds = List(SecondaryVlanIdList, "SecondaryVlanIdList");
            return Only(made, ["PrimaryVlanId", "SecondaryVlanIdList"]);
        }

        made.PrivateMode = Isolated ? VMNetworkAdapterPrivateVlanMode.Isolated : VMNetworkAdapterPrivateVlanMode.Community;
        made.SecondaryVlanId = Id(SecondaryVlanId, "SecondaryVlanId");
        return Only(made, ["PrimaryVlanId", "SecondaryVlanId"]);
    }

    private VlanData Only(VlanData made, string[] takes)
    {
        var all = new[] { "VlanId", "NativeVlanId", "AllowedVlanIdList", "PrimaryVlanId", "SecondaryVlanId", "SecondaryVlanIdList" };
        var wrong = all.Except(takes).FirstOrDefault(Given);
        return wrong is null ? made : throw VirtualizationException.InvalidParameter($"{wrong} does not go with this mode.");
    }

    private static int Id(int? value, string name) => value is >= 1 and <= 4094 ? value.Value : throw VirtualizationException.InvalidParameter($"{name} must be within 1 and 4094.");

    /// <summary>"1,5-7".</summary>
    private static List<int> List(string? text, string name)
    {
        if (string.IsNullOrWhiteSpace(text)) throw VirtualizationException.InvalidParameter($"This mode needs {name}.");
        var ids = new List<int>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            var ends = part.Split('-');
            if (ends.Length > 2 || !int.TryParse(ends[0], out var from) || !int.TryParse(ends[^1], out var to) || from < 0 || to > 4094 || from > to) throw VirtualizationException.InvalidParameter($"{name}: '{part}' is no VLAN or range.");
            ids.AddRange(Enumerable.Range(from, to - from + 1));
        }

        return ids;
    }
}

[Cmdlet(VerbsCommon.Get, "VMSwitch", DefaultParameterSetName = "Name")]
public sealed class GetVMSwitch : HyperVCommand
{
    [Parameter(Position = 0, ParameterSetName = "Name"), Alias("SwitchName")]
    public string[] Name { get; set; } = ["*"];

    [Parameter(Position = 0, Mandatory = true, ValueFromPipelineByPropertyName = true, ParameterSetName = "Id"), Alias("SwitchId")]
    public Guid[] Id { get; set; } = [];

    protected override void Execute()
    {
        foreach (var id in Id)
        {
            var found = Store.Read().Switches.FirstOrDefault(one => one.Id == id);
            if (found is null) Attempt(() => throw VirtualizationException.InvalidParameter($"Hyper-V was unable to find a virtual switch with id \"{id}\"."));
            else WriteObject(new VMSwitch(found));
        }

        if (ParameterSetName != "Name") return;
        foreach (var name in Name)
        {
            var pattern = WildcardPattern.Get(name, WildcardOptions.IgnoreCase);
            var found = Store.Read().Switches.Where(one => pattern.IsMatch(one.Name)).ToList();
            if (found.Count == 0 && !WildcardPattern.ContainsWildcardCharacters(name)) Attempt(() => throw VirtualizationException.InvalidParameter($"Hyper-V was unable to find a virtual switch with name \"{name}\"."));
            foreach (var one in found) WriteObject(new VMSwitch(one));
        }
    }
}

[Cmdlet(VerbsCommon.New, "VMSwitch", SupportsShouldProcess = true)]
public sealed class NewVMSwitch : HyperVCommand
{
    [Parameter(Position = 0, Mandatory = true)]
    public string Name { get; set; } = "";

    [Parameter]
    public VMSwitchType SwitchType { get; set; } = VMSwitchType.Internal;

    [Parameter]
    public VMSwitchBandwidthMode MinimumBandwidthMode { get; set; } = VMSwitchBandwidthMode.Absolute;

    [Parameter]
    public string? Notes { get; set; }

    protected override void Execute()
    {
        if (!ShouldProcess(Name)) return;
        WriteObject(new VMSwitch(Store.Change(data =>
        {
            var made = new SwitchData { Name = Name, SwitchType = SwitchType.ToString(), BandwidthReservationMode = MinimumBandwidthMode.ToString(), Notes = Notes ?? "" };
            data.Switches.Add(made);
            return made;
        })));
    }
}

[Cmdlet(VerbsCommon.Get, "VMHost")]
public sealed class GetVMHost : HyperVCommand
{
    protected override void Execute() => WriteObject(new VMHost());
}

[Cmdlet(VerbsCommon.Get, "VMHostSupportedVersion")]
public sealed class GetVMHostSupportedVersion : HyperVCommand
{
    [Parameter]
    public SwitchParameter Default { get; set; }

    protected override void Execute()
    {
        var host = Store.Read().Host;
        foreach (var version in host.SupportedVersions)
        {
            var isDefault = version == host.DefaultVersion;
            if (isDefault || !Default) WriteObject(new VMHostSupportedVersion($"Version {version}", Version.Parse(version), isDefault));
        }
    }
}
