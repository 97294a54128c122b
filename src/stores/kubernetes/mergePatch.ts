import { equalJson } from "../equal.ts";

type Json = Record<string, unknown>;

const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The RFC 7386 patch that makes `to` of `from`; undefined when they are equal. An undefined member is an absent one. */
export const mergePatch = (from: unknown, to: unknown): unknown => {
  if (equalJson(from, to)) return undefined;
  if (!isRecord(from) || !isRecord(to)) return to ?? null;
  const patch: Json = {};
  for (const name of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const change = mergePatch(from[name], to[name]);
    if (change !== undefined) patch[name] = change;
  }
  return patch;
};
