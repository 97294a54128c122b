import type { NetworkAdapter, VirtualDisk, VirtualMachine, VMHost } from "../../../src/api/generated/types.ts";
import { parseQuantity } from "../../../src/api/quantity.ts";
import type { Resource } from "../../../src/api/resource.ts";
import { readDisk, type EmulatedDisk } from "../../rigs/hyperv/host.ts";
import { fileOf, type DiskView, type StoreView, type VmView } from "./store.ts";

/** What the manifests say, with the uids that the store gave their objects. */
export interface Wanted {
  readonly controlPlane: string;
  readonly objects: readonly Resource[];
  /** Root of an emulated host: all have the same images. */
  readonly root: string;
}

const bytes = (quantity: string): number => Number((parseQuantity(quantity) ?? 0n) / 10n ** 9n);

const ofKind = <R extends Resource>({ objects }: Wanted, kind: string): readonly R[] =>
  objects.filter((one) => one.kind === kind) as unknown as readonly R[];

const named = <R extends Resource>(wanted: Wanted, kind: string, name: string): R => {
  const found = ofKind<R>(wanted, kind).find(({ metadata }) => metadata.name === name);
  if (!found) throw new Error(`no ${kind} ${name}`);
  return found;
};

type Stored<T> = T & Resource;

/** What a host must hold, by the name of the host: machines and disks of ours, nothing in the trash. */
export const wantedStore = async (wanted: Wanted, host: string): Promise<Omit<StoreView, "trash">> => {
  const vms = ofKind<Stored<VirtualMachine>>(wanted, "VirtualMachine").filter((vm) => placeOf(vm) === host);
  const disks = ofKind<Stored<VirtualDisk>>(wanted, "VirtualDisk").filter((disk) => placeOf(disk) === host);
  return {
    vms: vms.map((vm) => wantedVm(wanted, vm)).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    disks: (await Promise.all(disks.map((disk) => wantedDisk(wanted, disk)))).toSorted((a, b) =>
      a.path < b.path ? -1 : 1,
    ),
  };
};

const placeOf = (object: Resource): string | undefined =>
  (object.status as { readonly host?: string } | undefined)?.host;

export const diskFile = ({ metadata, spec }: Stored<VirtualDisk>): string =>
  `${metadata.name}.${metadata.uid}.${spec.format === "VHD" ? "vhd" : "vhdx"}`;

const wantedVm = (wanted: Wanted, vm: Stored<VirtualMachine>): VmView => {
  const { spec, metadata } = vm;
  const { cpu, memory } = spec;
  if (!cpu || !memory) throw new Error(`the samples say cpu and memory of ${metadata.name}`);
  const { dynamic } = memory;
  const disks = ofKind<Stored<VirtualDisk>>(wanted, "VirtualDisk").filter(
    (disk) => disk.spec.attachment?.virtualMachine === metadata.name,
  );
  const adapters = ofKind<Stored<NetworkAdapter>>(wanted, "NetworkAdapter").filter(
    (adapter) => adapter.spec.virtualMachine === metadata.name,
  );
  const boot = spec.boot?.order[0];
  const generation = spec.generation ?? 2;
  return {
    name: spec.vmName ?? metadata.name,
    uid: metadata.uid,
    controlPlane: wanted.controlPlane,
    generation,
    state: spec.powerState === "Stopped" ? "Off" : "Running",
    cpu: { count: cpu.count ?? 1, weight: cpu.relativeWeight ?? 100 },
    memory: {
      startup: bytes(memory.startup),
      ...(dynamic && { dynamic: { minimum: bytes(dynamic.minimum), maximum: bytes(dynamic.maximum) } }),
    },
    ...(generation === 2 && { firmware: wantedFirmware(vm) }),
    tpm: spec.security?.tpm ?? false,
    disks: disks.map(driveText).toSorted(),
    adapters: adapters.map((adapter) => adapterText(wanted, vm, adapter)).toSorted(),
    ...(generation === 2 && boot && { boots: diskFile(named(wanted, "VirtualDisk", boot.name)) }),
  };
};

const wantedFirmware = ({ spec }: VirtualMachine): NonNullable<VmView["firmware"]> => ({
  secureBoot: spec.firmware?.secureBoot ?? true,
  template:
    spec.firmware?.secureBootTemplate ??
    (spec.osFamily === "Linux" ? "MicrosoftUEFICertificateAuthority" : "MicrosoftWindows"),
});

const driveText = (disk: Stored<VirtualDisk>): string => {
  const {
    controller = "SCSI",
    controllerNumber,
    controllerLocation,
    minIOPS = 0,
    maxIOPS = 0,
  } = disk.spec.attachment ?? {};
  const place = controller === "IDE" ? `IDE ${controllerNumber}:${controllerLocation}` : "SCSI";
  return `${diskFile(disk)} ${place} ${minIOPS}-${maxIOPS}`;
};

const adapterText = (wanted: Wanted, vm: Resource, { metadata, spec }: Stored<NetworkAdapter>): string => {
  const host = named<Stored<VMHost>>(wanted, "VMHost", placeOf(vm) ?? "");
  const network = host.spec.networks?.find(({ name }) => name === spec.network);
  const net = network?.vlanId === undefined ? "Untagged" : `Access ${network.vlanId}`;
  const guards = [spec.macSpoofing, spec.dhcpGuard, spec.routerGuard].map((on) => (on ? "On" : "Off")).join("/");
  const name = `${metadata.name}.${metadata.uid.slice(0, 8)}`;
  return `${name} ${spec.legacy ? "legacy" : "synthetic"} ${network?.switchName} ${net} ${guards}`;
};

const wantedDisk = async (wanted: Wanted, disk: Stored<VirtualDisk>): Promise<DiskView> => {
  const { source, size, diskType = "Dynamic", format = "VHDX" } = disk.spec;
  const parent = source.type === "Differencing" ? await parentOf(wanted, disk) : undefined;
  const path = `D:\\VMs\\${disk.metadata.namespace}\\${diskFile(disk)}`;
  const sizeNow = size === undefined ? (parent ?? (await sourceOf(wanted, disk))).size : bytes(size);
  return {
    path,
    size: sizeNow,
    type: parent ? "Differencing" : diskType,
    format,
    ...(parent && { parent: fileOf(parent.path) }),
  };
};

const parentOf = (wanted: Wanted, { spec }: Stored<VirtualDisk>): Promise<DiskView> =>
  wantedDisk(wanted, named(wanted, "VirtualDisk", spec.source.parent?.name ?? ""));

const sourceOf = async ({ root }: Wanted, { spec }: Stored<VirtualDisk>): Promise<EmulatedDisk> => {
  const path = `D:\\Images\\${spec.source.image}`;
  const image = (await readDisk(root, `${path}.vhdx`)) ?? (await readDisk(root, `${path}.vhd`));
  if (!image) throw new Error(`no image ${path}`);
  return image;
};
