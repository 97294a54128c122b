import type { Clock, Journal, Logger, Random, SnapshotView } from "../engine/ports.ts";
import type { ProtocolCheck } from "../protocol/check.ts";
import type { Delta, InventoryData } from "../protocol/generated/types.ts";

/** What a fold changed (SnapshotChange of engine/snapshot.ts, as far as hosts use it). */
export interface FoldChange {
  readonly uids: ReadonlySet<string>;
  readonly host: boolean;
  /** Part of the answer was set aside: ask again with the digest of before. */
  readonly again: boolean;
}

/** A snapshot that can be written; HostSnapshot of the engine is one. */
export interface FoldingSnapshot extends SnapshotView {
  mark(): number;
  fold(observed: Delta, options: { readonly at: Date }): FoldChange;
  foldInventory(data: InventoryData, at: Date, mark: number): FoldChange;
}

/** Who has to look again. "all": everything on the host, e.g. since it went away. `host`: the VMHost object itself. */
export interface HostChange {
  readonly uids: ReadonlySet<string> | "all";
  readonly host: boolean;
}

/** What all parts of a host share. */
export interface HostPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly journal: Journal;
  readonly check: ProtocolCheck;
}
