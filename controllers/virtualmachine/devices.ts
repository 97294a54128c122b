import type { NetworkAdapter, VirtualDisk, VirtualMachine } from "../../src/api/generated/types.ts";
import { samePath } from "../../src/engine/paths.ts";
import type { SnapshotView, World } from "../../src/engine/ports.ts";
import type { AdapterState, AttachedDisk, VmState } from "../../src/protocol/generated/types.ts";
import { adapterName, adaptersOfVm, disksOfVm, isDeleting, leavingDisksOfVm } from "../shared/objects.ts";

export interface DiskDevice {
  readonly object: VirtualDisk;
  readonly attached?: AttachedDisk;
}

export interface AdapterDevice {
  readonly object: NetworkAdapter;
  readonly attached?: AdapterState;
}

/** The objects that refer to the machine, each with the device of the machine that is its. */
export interface Devices {
  readonly disks: readonly DiskDevice[];
  readonly adapters: readonly AdapterDevice[];
  /** Disks that the machine still has and that are declared elsewhere, or nowhere, by now. */
  readonly leaving: readonly DiskDevice[];
}

/** The drive that holds the disk: by the uid in its file's name, by the recorded path, or by the recorded identifier. */
export const attachedDisk = (
  disk: VirtualDisk,
  state: VmState,
  snapshot: SnapshotView | undefined,
): AttachedDisk | undefined => {
  const files = snapshot?.disksOf(disk.metadata.uid).map(({ path }) => path) ?? [];
  const known = disk.status?.path === undefined ? files : [...files, disk.status.path];
  return (
    state.disks.find(({ file }) => known.some((path) => samePath(path, file))) ??
    state.disks.find(({ diskId }) => diskId !== undefined && diskId === disk.status?.id)
  );
};

export const attachedAdapter = (adapter: NetworkAdapter, state: VmState): AdapterState | undefined =>
  state.adapters.find(({ name }) => name === adapterName(adapter)) ??
  state.adapters.find(({ id }) => id === adapter.status?.id);

export const devicesOf = (
  vm: VirtualMachine,
  world: World,
  state: VmState | undefined,
  snapshot: SnapshotView | undefined,
): Devices => ({
  disks: disksOfVm(world, vm).map((object) => withAttached(object, state && attachedDisk(object, state, snapshot))),
  adapters: adaptersOfVm(world, vm).map((object) => withAttached(object, state && attachedAdapter(object, state))),
  leaving: leavingDisksOfVm(world, vm).map((object) =>
    withAttached(object, state && attachedDisk(object, state, snapshot)),
  ),
});

const withAttached = <O, A>(object: O, attached: A | undefined): { object: O; attached?: A } =>
  attached === undefined ? { object } : { object, attached };

/** What the first start waits for: "VirtualDisk data: not attached yet", one entry a device, sorted. */
export const missingDevices = (vm: VirtualMachine, { disks, adapters }: Devices): readonly string[] => {
  const order = vm.spec.boot?.order ?? [];
  const bootNames = (type: string) => order.filter((entry) => entry.type === type).map(({ name }) => name);
  return [
    ...missingOf("VirtualDisk", disks, [...(vm.spec.waitFor?.disks ?? []), ...bootNames("Disk")]),
    ...missingOf("NetworkAdapter", adapters, [
      ...(vm.spec.waitFor?.networkAdapters ?? []),
      ...bootNames("NetworkAdapter"),
    ]),
  ];
};

const missingOf = (
  kind: string,
  devices: readonly (DiskDevice | AdapterDevice)[],
  named: readonly string[],
): readonly string[] => {
  const referring = devices.filter(({ object }) => !isDeleting(object));
  const names = new Set([...referring.map(({ object }) => object.metadata.name), ...named]);
  return [...names].sort().flatMap((name) => {
    const device = devices.find(({ object }) => object.metadata.name === name);
    if (device?.attached) return [];
    return [`${kind} ${name}: ${device ? whyNot(device.object) : "no object attaches it to this machine"}`];
  });
};

const whyNot = (object: VirtualDisk | NetworkAdapter): string => {
  const stalled = object.status?.conditions?.find(({ type, status }) => type === "Stalled" && status === "True");
  return stalled ? `${stalled.reason}` : "not attached yet";
};

export interface UndeclaredDevice {
  type: string;
  id: string;
  name?: string;
}

/** Devices of the machine that no object declares; `drives` are the places of declared DVD drives. */
export const undeclaredDevices = (
  state: VmState,
  { disks, adapters, leaving }: Devices,
  drives: readonly { controllerNumber: number; controllerLocation: number }[],
): UndeclaredDevice[] => [
  ...state.disks
    .filter((one) => ![...disks, ...leaving].some(({ attached }) => attached === one))
    .map((one) => ({ type: "Disk", id: placeText(one), name: one.path })),
  ...state.adapters
    .filter((one) => !adapters.some(({ attached }) => attached === one))
    .map(({ id, name }) => ({ type: "NetworkAdapter", id, name })),
  ...state.dvdDrives
    .filter((drive) => !drives.some((one) => samePlace(one, drive)))
    .map((drive) => ({ type: "DVD", id: placeText(drive), ...(drive.path !== undefined && { name: drive.path }) })),
];

interface Place {
  readonly controllerNumber: number;
  readonly controllerLocation: number;
}

export const samePlace = (a: Place, b: Place): boolean =>
  a.controllerNumber === b.controllerNumber && a.controllerLocation === b.controllerLocation;

/** "SCSI 0:1" */
const placeText = (place: Place & { readonly controllerType: string }): string =>
  `${place.controllerType} ${place.controllerNumber}:${place.controllerLocation}`;
