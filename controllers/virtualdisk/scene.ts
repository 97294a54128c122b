import type { VirtualDisk, VMHost } from "../../src/api/generated/types.ts";
import type { JobInFlight, World } from "../../src/engine/ports.ts";
import type { Place } from "../shared/machine.ts";

/** A disk on a host that can be looked at: all that its plan depends on. */
export interface Scene extends Place {
  readonly disk: VirtualDisk;
  readonly world: World;
  readonly host: VMHost;
  /** The job in flight that holds the disk. */
  readonly job?: JobInFlight | undefined;
}

/** Seconds that jobs may take: those that copy or fill a whole file, and all others. */
export const deadlines = { long: 4 * 3600, short: 300 } as const;

/** Whether the disk had a file once: it is then never made anew. */
export const wasProvisioned = ({ status }: VirtualDisk): boolean =>
  status?.id !== undefined || status?.path !== undefined;
