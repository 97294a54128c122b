import type { NetworkAdapter, VirtualDisk } from "../../src/api/generated/types.ts";
import { hasStatus } from "../../src/engine/conditions.ts";
import type { PendingChange } from "../../src/engine/ports.ts";
import type { Latch } from "./approval.ts";
import type { Devices, DiskDevice } from "./devices.ts";

type Dependent = VirtualDisk | NetworkAdapter;

/** A disk that another machine still has is that machine's to list. */
const isElsewhere = ({ object, attached }: DiskDevice): boolean =>
  attached === undefined &&
  object.status?.attachedTo?.virtualMachine !== undefined &&
  object.status.attachedTo.virtualMachine !== object.spec.attachment?.virtualMachine;

const dependentsOf = ({ disks, adapters, leaving }: Devices): readonly Dependent[] =>
  [...disks.filter((disk) => !isElsewhere(disk)), ...leaving, ...adapters].map(({ object }) => object);

const prefixOf = (object: Dependent): string => `${object.kind}/${object.metadata.name}:`;

/** What the objects attached to a machine still want changed, as its own list names it. */
export const dependentChanges = (devices: Devices): readonly PendingChange[] =>
  dependentsOf(devices).flatMap((object) =>
    (object.status?.pendingChanges ?? []).map((change) => ({ ...change, path: `${prefixOf(object)}${change.path}` })),
  );

/** Names of dependents that still work on what was approved. */
export const busyDependents = (devices: Devices, latch: Latch | undefined): readonly string[] =>
  dependentsOf(devices)
    .filter((object) => latch?.changes?.some(({ path }) => path.startsWith(prefixOf(object))))
    .filter(
      ({ status, metadata }) =>
        hasStatus(status?.conditions, "Reconciling", "True") ||
        (status?.pendingChanges ?? []).some(({ effect }) => effect === "Restart" || effect === "Disruptive") ||
        (status?.observedGeneration ?? 0) < metadata.generation,
    )
    .map((object) => `${object.kind} ${object.metadata.name}`);
