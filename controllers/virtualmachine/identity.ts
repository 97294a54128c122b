import type { VirtualMachine } from "../../src/api/generated/types.ts";
import type { SnapshotView, World } from "../../src/engine/ports.ts";
import type { VmState } from "../../src/protocol/generated/types.ts";
import { hostObjects, namespaceOf } from "../shared/objects.ts";

export interface Place {
  readonly host: string;
  readonly state: VmState;
}

/** Which machine of which host is this object's. */
export type Identity =
  /** Nowhere, as far as hosts are known: see `unknownHosts`. */
  | { readonly at: "nowhere" }
  | ({ readonly at: "found" } & Place)
  | { readonly at: "ambiguous"; readonly places: readonly Place[] }
  /** The pinned machine is there and does not carry our stamp. */
  | ({ readonly at: "lost" } & Place)
  /** A machine carries a stamp of this name with a uid that no object has. */
  | ({ readonly at: "changed"; readonly uid: string } & Place);

const snapshots = (world: World): readonly (readonly [string, SnapshotView])[] =>
  hostObjects(world).flatMap(({ metadata: { name } }) => {
    const snapshot = world.host(name)?.snapshot;
    return snapshot ? [[name, snapshot] as const] : [];
  });

/** Searches every host for the machine: by stamp, then by the pinned id, then by a stamp of a lost uid. Names alone find nothing. */
export const identify = (vm: VirtualMachine, world: World): Identity => {
  const known = snapshots(world);
  const stamped: Place[] = [];
  for (const [host, snapshot] of known)
    for (const state of snapshot.vmsOf(vm.metadata.uid)) stamped.push({ host, state });
  // One machine of a cluster may be listed by two nodes while it moves.
  const places = stamped.filter(({ state }, index) => stamped.findIndex((one) => one.state.id === state.id) === index);
  if (places.length > 1) return { at: "ambiguous", places };
  const [only] = places;
  if (only) return { at: "found", ...only };
  return pinned(vm, world, known) ?? stampOfLostUid(vm, world, known) ?? { at: "nowhere" };
};

const pinned = (
  vm: VirtualMachine,
  world: World,
  known: readonly (readonly [string, SnapshotView])[],
): Identity | undefined => {
  const id = vm.status?.id;
  if (id === undefined) return undefined;
  for (const [host, snapshot] of known) {
    const state = snapshot.vms.get(id);
    if (!state || state.replica) continue;
    // A restored object: its status pins the machine, which carries the uid that the object had before.
    const uid = lostUid(vm, world, state);
    return uid === undefined ? { at: "lost", host, state } : { at: "changed", host, state, uid };
  }
  return undefined;
};

const stampOfLostUid = (
  vm: VirtualMachine,
  world: World,
  known: readonly (readonly [string, SnapshotView])[],
): Identity | undefined => {
  for (const [host, snapshot] of known) {
    for (const state of snapshot.vmsNamed(namespaceOf(vm), vm.metadata.name)) {
      const uid = lostUid(vm, world, state);
      if (uid !== undefined) return { at: "changed", host, state, uid };
    }
  }
  return undefined;
};

/** The uid of the machine's stamp, where that is of an object of this name which is no more. */
const lostUid = (
  vm: VirtualMachine,
  { controlPlaneId }: World,
  { id, stamp, replica }: VmState,
): string | undefined => {
  if (!stamp || stamp.vmId !== id || replica || stamp.controlPlaneId !== controlPlaneId) return undefined;
  if (stamp.namespace !== namespaceOf(vm) || stamp.name !== vm.metadata.name) return undefined;
  return stamp.uid === vm.metadata.uid ? undefined : stamp.uid;
};

/** How soon a machine that waits for what other hosts tell is looked at again: their news wake only what is on them. */
export const otherHostsMs = 10_000;

/** Hosts whose things are not completely known now; `except` names one that is judged elsewhere. */
export const unknownHosts = (world: World, except?: string): readonly string[] =>
  hostObjects(world)
    .map(({ metadata: { name } }) => name)
    .filter((name) => name !== except)
    .filter((name) => {
      const view = world.host(name);
      return view?.reach.at !== "up" || view.snapshot?.complete !== true;
    });
