import { randomUUID } from "node:crypto";
import { ulid } from "ulid";
import type { Random } from "../../../src/engine/ports.ts";

/** Chance from a seed (mulberry32), so that latency and faults repeat; ids are truly random, so that they never do. */
export const seededRandom = (seed: number): Random => {
  let state = seed >>> 0;
  return {
    next: () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
    uuid: () => randomUUID(),
    ulid: () => ulid(),
  };
};
