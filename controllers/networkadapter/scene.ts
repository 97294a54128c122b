import type { NetworkAdapter, VMHost } from "../../src/api/generated/types.ts";
import type { JobInFlight, World } from "../../src/engine/ports.ts";
import type { AdapterState } from "../../src/protocol/generated/types.ts";
import { adapterName } from "../shared/objects.ts";
import type { Machine, Place } from "../shared/machine.ts";

/** An adapter on a host that can be looked at. */
export interface Surroundings extends Place {
  readonly adapter: NetworkAdapter;
  readonly world: World;
  readonly host: VMHost;
}

/** An adapter whose machine can be looked at: all that its plan depends on. */
export interface Scene extends Surroundings {
  readonly machine: Machine & { readonly at: "present" };
  /** The job in flight that holds the adapter. */
  readonly job?: JobInFlight | undefined;
}

export type Found =
  | { readonly at: "absent" }
  | { readonly at: "present"; readonly state: AdapterState }
  | { readonly at: "ambiguous"; readonly message: string };

/** The adapter in its machine: by its name, which holds the uid, or by the id pinned in status. */
export const find = ({ adapter, machine }: Scene): Found => {
  const name = adapterName(adapter);
  const id = adapter.status?.id;
  const matches = machine.state.adapters.filter((one) => one.name === name || one.id === id);
  const [state] = matches;
  if (!state) return { at: "absent" };
  if (matches.length === 1) return { at: "present", state };
  const ids = matches.map((one) => one.id).join(", ");
  return { at: "ambiguous", message: `Several adapters of machine ${machine.name} are this one by name or id: ${ids}` };
};

/** Seconds that a job on an adapter may take. */
export const deadlineSeconds = 120;
