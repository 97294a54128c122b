import type { VMHost } from "../../src/api/generated/types.ts";
import type { Resource } from "../../src/api/resource.ts";
import { textsOf } from "../../src/engine/derived.ts";
import { secondsText } from "../../src/engine/conditions.ts";
import type { SnapshotView, World } from "../../src/engine/ports.ts";
import type { AdapterState, DiskState, VmState } from "../../src/protocol/generated/types.ts";

export type Orphan = NonNullable<NonNullable<VMHost["status"]>["orphans"]>[number];

/** Whether the machine carries a stamp of this control plane that is its own. */
export const isOurs = (state: VmState, world: World): boolean =>
  state.stamp !== undefined &&
  state.stamp.vmId === state.id &&
  state.stamp.controlPlaneId === world.controlPlaneId &&
  !state.replica;

const uidOf = ({ metadata }: Resource): string => metadata.uid;
const machineUids = textsOf("VirtualMachine", uidOf);
const diskUids = textsOf("VirtualDisk", uidOf);
const adapterNames = textsOf("NetworkAdapter", ({ metadata: { name, uid } }) => `${name}.${uid.slice(0, 8)}`);

/** Whether a machine object has the uid. */
export const isMachine = (world: World, uid: string | undefined): boolean =>
  uid !== undefined && machineUids(world.objects).has(uid);

/** Things with this control plane's mark that no object declares; `since` is kept from the status before. */
export const orphansOf = (
  snapshot: SnapshotView,
  world: World,
  before: readonly Orphan[] | undefined,
): readonly Orphan[] => {
  const found = [...machines(snapshot, world), ...files(snapshot, world), ...adapters(snapshot, world)];
  return found
    .map((orphan): Orphan => {
      const known = before?.find(({ path, kind }) => path === orphan.path && kind === orphan.kind);
      return { ...orphan, since: known?.since ?? secondsText(world.now) };
    })
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
};

const machines = (snapshot: SnapshotView, world: World): readonly Orphan[] => {
  return [...snapshot.vms.values()]
    .filter((state) => isOurs(state, world) && !isMachine(world, state.stamp?.uid))
    .map(({ id }) => ({ path: id, kind: "VirtualMachine" }));
};

const files = (snapshot: SnapshotView, world: World): readonly Orphan[] => {
  const known = diskUids(world.objects);
  return [...snapshot.disks.values()]
    .filter((disk) => isFileOfOurs(disk, world) && !known.has(disk.uid ?? ""))
    .map(({ path, fileSize }) => ({ path, kind: "VirtualDisk", bytes: fileSize }));
};

/** A file named by a uid is ours unless its sidecar says another control plane; half-made files and checkpoints are no disks. */
const isFileOfOurs = (disk: DiskState, world: World): boolean =>
  disk.uid !== undefined &&
  !/\.partial\.vhdx?$|\.avhdx?$/i.test(disk.path) &&
  (disk.sidecar?.controlPlaneId ?? world.controlPlaneId) === world.controlPlaneId;

const adapters = (snapshot: SnapshotView, world: World): readonly Orphan[] => {
  const known = adapterNames(world.objects);
  return [...snapshot.vms.values()]
    .filter((state) => isOurs(state, world))
    .flatMap((state) => state.adapters)
    .filter(({ name }: AdapterState) => /\.[0-9a-f]{8}$/.test(name) && !known.has(name))
    .map(({ id }) => ({ path: id, kind: "NetworkAdapter" }));
};
