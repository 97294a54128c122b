import { sizeOf } from "../api/quantity.ts";
import type { AdapterState, AttachedDisk, VmState } from "../protocol/generated/types.ts";

/** What an import needs to know of the host beside the machine. */
export interface ImportInput {
  readonly vm: VmState;
  readonly host: string;
  readonly namespace: string;
  /** networks of the VMHost's spec. */
  readonly networks: readonly { readonly name: string; readonly switchName: string; readonly vlanId?: number }[];
}

export interface ImportedDocument {
  readonly apiVersion: "aetherv.io/v1alpha1";
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/**
 * Documents that adopt an existing machine with its disks and adapters, saying what is there and no more: applying them
 * changes nothing. Deleting them touches nothing either (an adopter's deletionPolicy is Orphan).
 */
export const importDocuments = (input: ImportInput): readonly ImportedDocument[] => {
  const base = objectName(input.vm.name);
  const disks = input.vm.disks.map((disk, at) => diskDocument(input, base, disk, at));
  const adapters = input.vm.adapters.map((adapter, at) => adapterDocument(input, base, adapter, at));
  return [vmDocument(input, base), ...disks, ...adapters];
};

/** A Hyper-V name as metadata.name: lower case, other characters as hyphens, at most 50. */
export const objectName = (name: string): string => {
  const made = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 50)
    .replaceAll(/^-+|-+$/g, "");
  return made === "" ? "vm" : made;
};

const documentOf = (
  kind: string,
  metadata: { name: string; namespace: string },
  spec: Readonly<Record<string, unknown>>,
): ImportedDocument => ({ apiVersion: "aetherv.io/v1alpha1", kind, metadata, spec });

const vmDocument = ({ vm, host, namespace }: ImportInput, base: string): ImportedDocument =>
  documentOf(
    "VirtualMachine",
    { name: base, namespace },
    {
      host,
      adopt: { type: "ID", id: vm.id },
      ...(vm.name === base ? {} : { vmName: vm.name }),
      generation: vm.generation,
      cpu: { count: vm.cpu.count },
      memory: memoryOf(vm),
      powerState: powerStates[vm.state] ?? "Running",
      powerPolicy: "OnCreate",
    },
  );

const powerStates: Partial<Record<VmState["state"], string>> = {
  Off: "Stopped",
  Stopping: "Stopped",
  Saved: "Saved",
  Saving: "Saved",
  Paused: "Paused",
  Pausing: "Paused",
};

const memoryOf = ({ memory }: VmState): Readonly<Record<string, unknown>> => ({
  startup: size(memory.startupBytes),
  ...(memory.dynamic
    ? { dynamic: { minimum: size(memory.dynamic.minimumBytes), maximum: size(memory.dynamic.maximumBytes) } }
    : {}),
});

/** Hyper-V takes whole MiB only, so that every size has a text. */
const size = (bytes: number): string => sizeOf(bytes) ?? `${Math.ceil(bytes / 2 ** 20)}Mi`;

const diskDocument = (input: ImportInput, base: string, disk: AttachedDisk, at: number): ImportedDocument =>
  documentOf(
    "VirtualDisk",
    { name: `${base}-disk${at}`, namespace: input.namespace },
    {
      source: { type: "File", path: disk.path },
      attachment: {
        virtualMachine: base,
        controller: disk.controllerType,
        controllerNumber: disk.controllerNumber,
        controllerLocation: disk.controllerLocation,
      },
    },
  );

const adapterDocument = (input: ImportInput, base: string, adapter: AdapterState, at: number): ImportedDocument => {
  const vlanId = adapter.vlan.mode === "Access" ? adapter.vlan.id : undefined;
  const onSwitch = input.networks.filter((one) => one.switchName === adapter.switchName);
  const network = onSwitch.find((one) => one.vlanId === vlanId) ?? onSwitch[0];
  return documentOf(
    "NetworkAdapter",
    { name: `${base}-nic${at}`, namespace: input.namespace },
    {
      virtualMachine: base,
      adopt: { type: "ID", id: adapter.id },
      ...(network ? { network: network.name } : {}),
      ...(adapter.legacy ? { legacy: true } : {}),
      ...(vlanId !== undefined && network?.vlanId !== vlanId ? { vlan: { mode: "Access", id: vlanId } } : {}),
    },
  );
};
