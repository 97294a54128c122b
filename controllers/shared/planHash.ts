import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { planHash as planHashWith } from "../../src/engine/plan.ts";
import type { PendingChange } from "../../src/engine/ports.ts";

export const sha256Hex = (text: string): string => bytesToHex(sha256(utf8ToBytes(text)));

/** The name of a plan, 12 hexadecimal digits; undefined when nothing in it needs approval. */
export const planHash = (
  uid: string,
  changes: readonly Pick<PendingChange, "path" | "to" | "effect">[],
): string | undefined => planHashWith(uid, changes, sha256Hex);
