import type { AnyResource, NetworkAdapter, VirtualDisk, VirtualMachine } from "../../../../src/api/generated/types.ts";
import type { Fact } from "../../lib/components/Facts.svelte";
import { bytes } from "../../lib/format.ts";
import { hrefOf } from "../../lib/kinds.ts";
import { sourceText } from "./source.ts";
import { vlanText } from "./vlan.ts";

const machineFact = (namespace: string | undefined, name: string | undefined): Fact => ({
  label: "Machine",
  text: name,
  href: name && hrefOf({ kind: "VirtualMachine", namespace, name }),
});

const memoryText = (memory: VirtualMachine["spec"]["memory"]): string | undefined =>
  memory?.dynamic ? `${memory.dynamic.minimum} to ${memory.dynamic.maximum}` : memory?.startup;

const ofVm = ({ spec, status }: VirtualMachine): readonly Fact[] => [
  { label: "Power", text: status?.powerState },
  { label: "Asked for", text: spec.powerPolicy === "OnCreate" ? "As it is" : (spec.powerState ?? "Running") },
  { label: "Running since", text: status?.powerState === "Running" ? status.startedAt : undefined, time: true },
  { label: "Processors", text: status?.effective?.cpuCount ?? spec.cpu?.count },
  { label: "Memory", text: memoryText(spec.memory) },
  { label: "Addresses", text: status?.ipAddresses?.join(", ") },
  { label: "Guest", text: status?.guest?.os ?? spec.osFamily },
  { label: "Name in Hyper-V", text: status?.vmName },
  { label: "Approval", text: spec.disruption?.approval },
  { label: "Notes", text: spec.notes },
  { label: "Id", text: status?.id, mono: true },
];

const ofDisk = (disk: VirtualDisk): readonly Fact[] => {
  const { spec, status, metadata } = disk;
  const at = status?.attachedTo;
  return [
    machineFact(metadata.namespace, spec.attachment?.virtualMachine),
    {
      label: "Attached at",
      text: at?.controller && `${at.controller} ${at.controllerNumber ?? 0}:${at.controllerLocation ?? 0}`,
    },
    { label: "Made from", text: sourceText(disk) },
    { label: "Size", text: bytes(status?.size) || spec.size },
    { label: "File", text: bytes(status?.fileSize) },
    { label: "Format", text: [status?.diskType, status?.format].filter(Boolean).join(" ") },
    { label: "Storage class", text: status?.storageClass ?? spec.storageClass },
    { label: "Path", text: status?.path, mono: true },
    { label: "Parents", text: status?.parents?.join(" ← "), mono: true },
    { label: "In the trash since", text: status?.trash?.since, time: true },
    { label: "Id", text: status?.id, mono: true },
  ];
};

const ofAdapter = (adapter: NetworkAdapter): readonly Fact[] => {
  const { spec, status, metadata } = adapter;
  const ip = (family: NetworkAdapter["spec"]["ipv4"]): string | undefined =>
    family &&
    (family.method === "DHCP"
      ? "DHCP"
      : `${family.address ?? ""}/${family.prefixLength ?? ""}${family.gateway ? ` via ${family.gateway}` : ""}`);
  return [
    machineFact(metadata.namespace, spec.virtualMachine),
    { label: "Network", text: spec.network },
    { label: "Switch", text: status?.switchName },
    { label: "VLAN", text: vlanText(adapter) },
    { label: "MAC address", text: status?.macAddress ?? spec.macAddress, mono: true },
    { label: "Addresses", text: status?.ipAddresses?.join(", ") },
    { label: "IPv4", text: ip(spec.ipv4) },
    { label: "IPv6", text: ip(spec.ipv6) },
    { label: "DNS servers", text: [...(spec.ipv4?.dnsServers ?? []), ...(spec.ipv6?.dnsServers ?? [])].join(", ") },
    { label: "Connected", text: spec.connected === false ? "No" : undefined },
    { label: "Id", text: status?.id, mono: true },
  ];
};

/** What the first tab of an object says of it. */
export const factsOf = (object: AnyResource): readonly Fact[] => {
  switch (object.kind) {
    case "VirtualMachine":
      return ofVm(object);
    case "VirtualDisk":
      return ofDisk(object);
    case "NetworkAdapter":
      return ofAdapter(object);
    case "ManagedDeployment":
      return [
        { label: "Phase", text: object.status?.phase },
        {
          label: "When it fails",
          text: object.spec.onFailure === "Keep" ? "Keep what was made" : "Take back what was made",
        },
        { label: "First ready", text: object.status?.firstReadyAt, time: true },
      ];
    case "VMHost":
      return [
        { label: "System", text: object.status?.os },
        { label: "Cluster", text: object.status?.cluster },
        { label: "Agent", text: object.status?.agent?.version },
        { label: "PowerShell", text: object.status?.agent?.powershell },
        {
          label: "Connection",
          text: object.spec.connection.ssh
            ? `${object.spec.connection.ssh.user}@${object.spec.connection.ssh.address}`
            : object.spec.connection.type,
        },
        { label: "New machines", text: object.spec.unschedulable ? "None are placed here" : undefined },
        { label: "Looked at", text: `every ${object.spec.inventoryInterval}` },
        { label: "Trash kept", text: object.spec.trashRetention },
      ];
    default:
      return object satisfies never;
  }
};
