import type { Schema } from "../schema.ts";
import { fieldSchema } from "./prune.ts";
import { correlated } from "./lists.ts";
import { isObject, sameJson } from "./values.ts";

interface Place {
  readonly schema: Schema;
  readonly value: unknown;
  readonly old: unknown;
  /** Field path of an issue, relative to value. */
  readonly path: string;
}

/**
 * True if what stands at the path, or around it where lists cannot be compared item by item, is as it was: an update is not
 * refused for it. For a missing field what counts is the object that should have it.
 */
export const unchanged = (place: Place): boolean => {
  if (place.old === undefined) return false;
  if (sameJson(place.value, place.old)) return true;
  const step = /^\.?([^.[\]]+)|^\[(\d+)\]/.exec(place.path);
  if (!step) return false;
  const [text, name, index] = step;
  const next = index === undefined ? intoField(place, name ?? "") : intoItem(place, Number(index));
  return next !== undefined && unchanged({ ...next, path: place.path.slice(text.length) });
};

type Inner = Omit<Place, "path">;

const intoField = ({ schema, value, old }: Place, name: string): Inner | undefined => {
  const known = fieldSchema(schema, name);
  if (!known || !isObject(value) || !isObject(old)) return undefined;
  return { schema: known, value: value[name], old: old[name] };
};

const intoItem = ({ schema, value, old }: Place, index: number): Inner | undefined => {
  if (!schema.items || !Array.isArray(value)) return undefined;
  const item: unknown = value[index];
  return { schema: schema.items, value: item, old: correlated(item, old, schema) };
};
