import type { Schema } from "../schema.ts";
import { isObject } from "./values.ts";

/** A copy of `value` with the schema's constant defaults in the place of absent fields and of nulls. */
export const applyDefaults = (value: unknown, schema: Schema): unknown => {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items ? value.map((item) => applyDefaults(item, items)) : value;
  }
  if (!isObject(value)) return value;
  const result: Record<string, unknown> = { ...value };
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    const absent = result[name] === undefined || result[name] === null;
    if (absent && child.default !== undefined) result[name] = structuredClone(child.default);
    else if (!absent) result[name] = applyDefaults(result[name], child);
  }
  return result;
};
