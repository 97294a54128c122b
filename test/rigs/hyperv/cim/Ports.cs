using System.Management.Automation;
using Microsoft.HyperV.PowerShell;
using Microsoft.HyperV.PowerShell.Rig;
using static AetherV.Rig.Cim.Rows;
using static AetherV.Rig.Cim.Virtualization;

namespace AetherV.Rig.Cim;

/// <summary>Network adapters: ports, connections and the features on them (realised settings only; the agents leave those of checkpoints out).</summary>
internal static class Ports
{
    private static string Port(VmData vm, AdapterData adapter) => $@"{Prefix(vm.Id)}\{Upper(adapter.Id)}";

    private static string Type(AdapterData adapter) => adapter.Legacy ? "Msvm_EmulatedEthernetPortSettingData" : "Msvm_SyntheticEthernetPortSettingData";

    internal static IEnumerable<PSObject> Settings(VmData vm, bool legacy) => vm.Adapters.Where(adapter => adapter.Legacy == legacy).Select(adapter => Row(
        Space, Type(adapter), ("InstanceID", Port(vm, adapter)), ("ElementName", adapter.Name), ("Address", adapter.Mac), ("StaticMacAddress", !adapter.Dynamic), ("ResourceType", (ushort)10), ("ResourceSubType", adapter.Legacy ? "Microsoft:Hyper-V:Emulated Ethernet Port" : "Microsoft:Hyper-V:Synthetic Ethernet Port"),
        ("VirtualSystemIdentifiers", new[] { $"{{{Upper(adapter.Id)}}}" }), ("ClusterMonitored", adapter.ClusterMonitored), ("DeviceNamingEnabled", adapter.DeviceNaming == OnOffState.On)));

    internal static IEnumerable<PSObject> Allocations(HostData data, VmData vm) => vm.Adapters.Select(adapter =>
    {
        var at = data.Switches.FirstOrDefault(one => one.Id == adapter.SwitchId);
        var target = adapter.SwitchId is { } id ? $@"\\{data.Host.Name}\root\virtualization\v2:Msvm_VirtualEthernetSwitch.CreationClassName=""Msvm_VirtualEthernetSwitch"",Name=""{Upper(id)}""" : null;
        return Row(
            Space, "Msvm_EthernetPortAllocationSettingData", ("InstanceID", $@"{Port(vm, adapter)}\C"), ("ElementName", "Dynamic Ethernet Switch Port"), ("Parent", Path(Type(adapter), "InstanceID", Port(vm, adapter))), ("HostResource", target is null ? null : new[] { target }),
            ("EnabledState", (ushort)(target is null ? 3 : 2)), ("LastKnownSwitchName", at?.Name ?? adapter.LastSwitchName), ("ResourceType", (ushort)33), ("Address", ""));
    });

    internal static IEnumerable<PSObject> Vlans(VmData vm) => vm.Adapters.Where(adapter => adapter.Vlan.Mode != VMNetworkAdapterVlanMode.Untagged).Select(adapter => Row(
        Space, "Msvm_EthernetSwitchPortVlanSettingData", ("InstanceID", $@"{Port(vm, adapter)}\C\952C5004-4465-451C-8CB8-FA9AB382B773"), ("ElementName", "Ethernet Switch Port VLAN Settings"), ("OperationMode", (uint)adapter.Vlan.Mode), ("AccessVlanId", (ushort)adapter.Vlan.AccessVlanId), ("NativeVlanId", (ushort)adapter.Vlan.NativeVlanId),
        ("TrunkVlanIdArray", adapter.Vlan.AllowedVlanIds.Select(id => (ushort)id).ToArray()), ("PvlanMode", (uint)adapter.Vlan.PrivateMode), ("PrimaryVlanId", (ushort)adapter.Vlan.PrimaryVlanId), ("SecondaryVlanId", (ushort)adapter.Vlan.SecondaryVlanId), ("SecondaryVlanIdArray", adapter.Vlan.SecondaryVlanIds.Select(id => (ushort)id).ToArray())));

    internal static IEnumerable<PSObject> Security(VmData vm) => vm.Adapters.Select(adapter => Row(
        Space, "Msvm_EthernetSwitchPortSecuritySettingData", ("InstanceID", $@"{Port(vm, adapter)}\C\776E0BA7-94A1-41C8-8F28-951F524251B5"), ("ElementName", "Ethernet Switch Port Security Settings"), ("AllowMacSpoofing", adapter.MacAddressSpoofing == OnOffState.On), ("EnableDhcpGuard", adapter.DhcpGuard == OnOffState.On), ("EnableRouterGuard", adapter.RouterGuard == OnOffState.On),
        ("AllowTeaming", adapter.AllowTeaming == OnOffState.On), ("AllowIeeePriorityTag", adapter.IeeePriorityTag == OnOffState.On), ("MonitorMode", (byte)(adapter.PortMirroring switch { "Destination" => 1, "Source" => 2, _ => 0 }))));

    /// <summary>Only where a bandwidth was ever set.</summary>
    internal static IEnumerable<PSObject> Bandwidth(VmData vm) => vm.Adapters.Where(adapter => adapter is not { MaximumBandwidth: 0, MinimumBandwidthAbsolute: 0, MinimumBandwidthWeight: 0 }).Select(adapter => Row(
        Space, "Msvm_EthernetSwitchPortBandwidthSettingData", ("InstanceID", $@"{Port(vm, adapter)}\C\24AD3CE1-69BD-4978-B2AC-DAAD389D699C"), ("ElementName", "Ethernet Switch Port Bandwidth Settings"), ("Limit", (ulong)adapter.MaximumBandwidth), ("Reservation", (ulong)adapter.MinimumBandwidthAbsolute), ("Weight", (ulong)adapter.MinimumBandwidthWeight), ("BurstLimit", 0UL), ("BurstSize", 0UL)));
}
