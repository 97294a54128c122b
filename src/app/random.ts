import { randomFillSync, randomUUID } from "node:crypto";
import { monotonicFactory } from "ulid";
import type { Random } from "../engine/ports.ts";

/** Random numbers fetched at once: a call for each of a ULID's letters is what most of its time goes to. */
const pool = new Uint32Array(1024);
let used = pool.length;

/** Uniform in [0, 1), of the system's own randomness. */
const next = (): number => {
  if (used >= pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const number = pool[used] ?? 0;
  used += 1;
  return number / 2 ** 32;
};

const nextUlid = monotonicFactory(next);

/** The machine's own chance; ULIDs of one process are in order. */
export const systemRandom: Random = {
  next,
  uuid: () => randomUUID(),
  ulid: () => nextUlid(),
};
