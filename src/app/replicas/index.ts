import type { Clock } from "../../engine/ports.ts";
import type { LocalControl } from "../control.ts";
import type { Records } from "../history.ts";
import { EveryReplica } from "./everyReplica.ts";
import { Peers, type PeersOptions } from "./peers.ts";

export { ownAddress } from "./peers.ts";

interface Sharing extends PeersOptions {
  readonly control: LocalControl;
  readonly records: Records;
  readonly clock: Clock;
}

/** The control plane with the jobs and events of all replicas that share the hosts; this one's own where it leads alone. */
export const acrossReplicas = ({
  control,
  records,
  clock,
  ...options
}: Sharing): { readonly control: LocalControl; close(): Promise<void> } => {
  if (options.shards.count === 1) return { control, close: () => Promise.resolve() };
  const peers = new Peers(options);
  const history = new EveryReplica({ own: records.history, peers: () => peers.list(), clock });
  const ownerOf = (host: string): string | undefined => peers.list().find(({ hosts }) => hosts.includes(host))?.name;
  return { control: control.across({ history, ownerOf }), close: () => peers.close() };
};
