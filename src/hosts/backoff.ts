import type { Random } from "../engine/ports.ts";

/** Milliseconds before try number `attempt` (0 = the first repeat): doubling from `firstMs` to `maxMs`, the upper half of it by chance. */
export const backoff = (attempt: number, firstMs: number, maxMs: number, random: Random): number => {
  const ceiling = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling * (0.5 + random.next() / 2));
};
