import type { NetworkAdapter, VirtualDisk } from "../../src/api/generated/types.ts";
import { hasStatus } from "../../src/engine/conditions.ts";
import type { PendingChange } from "../../src/engine/ports.ts";
import type { Latch } from "./approval.ts";
import type { Devices } from "./devices.ts";

type Dependent = VirtualDisk | NetworkAdapter;

const dependentsOf = ({ disks, adapters }: Devices): readonly Dependent[] =>
  [...disks, ...adapters].map(({ object }) => object);

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
