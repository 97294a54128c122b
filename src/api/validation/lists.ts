import type { Schema } from "../schema.ts";
import { childPath, issue } from "./issue.ts";
import type { Issue } from "./issue.ts";
import { isObject } from "./values.ts";

/** Doubles in lists of type set, and in lists of type map by their keys: each at its second appearance. */
export const duplicates = (value: unknown, schema: Schema, path: string): readonly Issue[] => {
  if (Array.isArray(value)) return ofList(value, schema, path);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, child]) => {
    const known = schema.properties?.[name] ?? schema.additionalProperties;
    return known ? duplicates(child, known, childPath(path, name)) : [];
  });
};

const ofList = (list: readonly unknown[], schema: Schema, path: string): Issue[] => {
  const { items } = schema;
  const nested = items ? list.flatMap((item, i) => duplicates(item, items, childPath(path, i))) : [];
  const type = schema["x-kubernetes-list-type"];
  if (type === "set") return [...doubles(list, path), ...nested];
  if (type === "map") return [...mapFaults(list, schema, path), ...nested];
  return nested;
};

const mapFaults = (list: readonly unknown[], schema: Schema, path: string): Issue[] => {
  const stray = list.findIndex((item) => item !== null && !isObject(item));
  if (stray < 0) {
    const keys = list.map((item) => keysOf(item, schema));
    return doubles(keys, path);
  }
  const detail = "must be an object for an array of list-type map";
  return [issue({ path: childPath(path, stray), reason: "FieldValueInvalid", value: list[stray], detail })];
};

/** The key fields of an item of a list of type map. */
const keysOf = (item: unknown, schema: Schema): unknown => {
  if (!isObject(item)) return {};
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  return Object.fromEntries(keys.filter((key) => key in item).map((key) => [key, item[key]]));
};

/** A third one is not reported again. */
const doubles = (values: readonly unknown[], path: string): Issue[] => {
  const times = new Map<string, number>();
  return values.flatMap((value, i) => {
    const text = JSON.stringify(value);
    const before = times.get(text) ?? 0;
    times.set(text, before + 1);
    return before === 1 ? [issue({ path: childPath(path, i), reason: "FieldValueDuplicate", value })] : [];
  });
};

/** The item of `old` that an item of a list of type map continues; undefined if the list's type knows no such relation. */
export const correlated = (item: unknown, old: unknown, schema: Schema): unknown => {
  if (schema["x-kubernetes-list-type"] !== "map" || !Array.isArray(old)) return undefined;
  const wanted = JSON.stringify(keysOf(item, schema));
  return old.find((candidate) => JSON.stringify(keysOf(candidate, schema)) === wanted) as unknown;
};
