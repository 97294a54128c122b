import { annotations } from "../../src/api/annotations.ts";
import type { VirtualMachine } from "../../src/api/generated/types.ts";
import { textsOf } from "../../src/engine/derived.ts";
import type { Blocked } from "../../src/engine/ports.ts";
import type { AdapterState, VmState } from "../../src/protocol/generated/types.ts";
import { annotationOf, namespaceOf } from "../shared/objects.ts";
import type { Surroundings } from "./scene.ts";

/** An adapter named for this object with a uid that no object has: of a lost store. `uid` is the first 8 digits of it. */
export interface Lost {
  readonly state: AdapterState;
  readonly uid: string;
}

const lostIn = ({ adapter, world }: Surroundings, { adapters }: VmState): readonly Lost[] =>
  adapters.flatMap((state) => {
    const [, name, uid] = /^(.+)\.([0-9a-f]{8})$/.exec(state.name) ?? [];
    if (name !== adapter.metadata.name || uid === undefined || adapter.metadata.uid.startsWith(uid)) return [];
    return shortUids(world.objects).has(uid) ? [] : [{ state, uid }];
  });

const shortUids = textsOf("NetworkAdapter", ({ metadata }) => metadata.uid.slice(0, 8));

/** The one that the owner takes back by its uid, or the word that there is one; nothing when there is none. */
export const reclaimed = (around: Surroundings, machine: VmState): Lost | Blocked | undefined => {
  const { adapter } = around;
  const lost = lostIn(around, machine);
  const asked = annotationOf(adapter, annotations.reclaim)?.slice(0, 8);
  const [first] = lost;
  if (!first) return undefined;
  const found = lost.find(({ uid }) => uid === asked);
  if (found) return found;
  const all = lost.map(({ state, uid }) => `${state.name} (uid ${uid})`).join(", ");
  return {
    at: "stalled",
    reason: "IdentityChanged",
    message: `Machine ${machine.name} has ${all}, named for this object with a uid that no object has. Take it back with: aetherv reclaim NetworkAdapter/${adapter.metadata.name} ${first.uid}`,
  };
};

/**
 * The same in a machine that itself is still marked with a lost uid of this name, so that both are told at once. Nothing is done to
 * the adapter before its machine is taken back.
 */
export const lostWithMachine = (around: Surroundings, vm: VirtualMachine): Blocked | undefined => {
  const { snapshot } = around;
  const machine = snapshot
    .vmsNamed(namespaceOf(vm), vm.metadata.name)
    .find(({ id, stamp }) => stamp?.vmId === id && stamp.uid !== vm.metadata.uid);
  const found = machine && reclaimed(around, machine);
  return found && "at" in found ? found : undefined;
};
