import { nearest } from "../nearest.ts";
import type { Schema } from "../schema.ts";
import { childPath } from "./issue.ts";
import type { Issue } from "./issue.ts";
import { isObject } from "./values.ts";

/**
 * A copy of `value` without the fields that the schema does not know, each reported, and without nulls where the schema gives
 * no default (as the API server does: `notes:` with nothing behind it is no value).
 */
export const prune = (value: unknown, schema: Schema, path: string, unknown: Issue[]): unknown => {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items ? value.map((item, i) => prune(item, items, childPath(path, i), unknown)) : value;
  }
  if (!isObject(value) || schema.type !== "object") return value;
  const kept = Object.entries(value).flatMap(([name, child]) => {
    const known = fieldSchema(schema, name);
    if (!known) {
      unknown.push(unknownField(childPath(path, name), name, schema));
      return [];
    }
    if (child === null && known.default === undefined) return [];
    return [[name, prune(child, known, childPath(path, name), unknown)] as const];
  });
  return Object.fromEntries(kept);
};

/** Schema of a field, or undefined if the object knows no such field. */
export const fieldSchema = (schema: Schema, name: string): Schema | undefined => {
  const { properties } = schema;
  return properties && Object.hasOwn(properties, name) ? properties[name] : schema.additionalProperties;
};

const unknownField = (path: string, name: string, schema: Schema): Issue => {
  const near = nearest(name, Object.keys(schema.properties ?? {}));
  const issue: Issue = { path, reason: "UnknownField", message: `unknown field ${JSON.stringify(path)}` };
  return near === undefined ? issue : { ...issue, hint: near };
};
