import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../engine/ports.ts";

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  async sleep(ms, signal) {
    try {
      await sleep(Math.max(0, ms), undefined, signal ? { signal } : {});
    } catch {
      // Aborted: the contract is to resolve.
    }
  },
};
