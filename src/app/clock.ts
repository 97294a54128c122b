import type { Clock } from "../engine/ports.ts";

/** setTimeout takes no longer times. */
const longestMs = 2 ** 31 - 1;

/** The machine's own clock. Without node:timers/promises: each aborted sleep would make an error with its stack. */
export const systemClock: Clock = {
  now: () => new Date(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, Math.min(longestMs, Math.max(0, ms)));
      signal?.addEventListener("abort", end, { once: true });
    }),
};
