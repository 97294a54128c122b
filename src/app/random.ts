import { randomBytes, randomUUID } from "node:crypto";
import { monotonicFactory } from "ulid";
import type { Random } from "../engine/ports.ts";

const nextUlid = monotonicFactory();

/** The machine's own chance; ULIDs of one process are in order. */
export const systemRandom: Random = {
  next: () => randomBytes(4).readUInt32BE() / 2 ** 32,
  uuid: () => randomUUID(),
  ulid: () => nextUlid(),
};
