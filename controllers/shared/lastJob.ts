import { secondsText } from "../../src/engine/conditions.ts";
import type { World } from "../../src/engine/ports.ts";

export interface ShownJob {
  id?: string;
  operation?: string;
  code?: string;
  at?: string;
}

/** status.lastJob: the latest job of the object that ended; what was known before, if none ended since. */
export const shownJob = (world: World, previous: ShownJob | undefined): ShownJob | undefined =>
  world.lastJob
    ? {
        id: world.lastJob.id,
        operation: world.lastJob.operation,
        code: world.lastJob.code,
        at: secondsText(world.lastJob.at),
      }
    : previous;
