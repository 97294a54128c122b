import { bytesOf } from "../../src/api/quantity.ts";
import type { VirtualMachine, VMHost } from "../../src/api/generated/types.ts";
import type { Resource } from "../../src/api/resource.ts";
import { assumedIn } from "../../src/engine/ledger.ts";
import type { SnapshotView, World } from "../../src/engine/ports.ts";
import { hostKey, placementOf } from "../shared/objects.ts";
import { isOurs } from "./orphans.ts";

interface Share {
  readonly cpu: number;
  /** Bytes at start. */
  readonly memory: number;
}

/** What the machines placed on a host may use of it at most: stopped and unmanaged ones too, and those not made yet. */
export const allocatedOn = (host: VMHost, world: World, snapshot: SnapshotView): Share => {
  const name = host.metadata.name;
  const placed = machinesOn(name, world);
  const uids = new Set(placed.map(({ metadata }) => metadata.uid));
  const others = [...snapshot.vms.values()].filter(
    (state) => !(isOurs(state, world) && uids.has(state.stamp?.uid ?? "")),
  );
  const shares = [
    ...placed.map((vm) => shareOf(vm, snapshot)),
    ...others.map(({ cpu, memory }) => ({ cpu: cpu.count, memory: memory.startupBytes })),
  ];
  return {
    cpu: shares.reduce((sum, { cpu }) => sum + cpu, 0),
    memory: shares.reduce((sum, { memory }) => sum + memory, 0),
  };
};

/** Machines placed on the host. What is placed refers to its host; what was placed just now may not do so yet. */
export const machinesOn = (host: string, world: World): readonly VirtualMachine[] => {
  const all = new Set<Resource>([...world.referrers(hostKey(host)), ...assumedIn(world)]);
  return [...all].filter(
    (one): one is VirtualMachine => one.kind === "VirtualMachine" && placementOf(one as VirtualMachine, world) === host,
  );
};

const shareOf = (vm: VirtualMachine, snapshot: SnapshotView): Share => {
  const [state] = snapshot.vmsOf(vm.metadata.uid);
  return {
    cpu: vm.spec.cpu?.count ?? state?.cpu.count ?? 1,
    memory: vm.spec.memory ? bytesOf(vm.spec.memory.startup) : (state?.memory.startupBytes ?? 0),
  };
};
