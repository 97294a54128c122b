import { kindInfo, kinds, type Kind } from "../../src/api/kinds.ts";
import type { Schema } from "../../src/api/schema.ts";

/** A field of a spec that holds a value itself: its path, with "[]" for any item and "{}" for any member of a map. */
export interface Field {
  readonly kind: Kind;
  readonly path: readonly string[];
  readonly schema: Schema;
  /** Whether an object without it is refused. */
  readonly required: boolean;
}

export const fieldText = ({ kind, path }: Pick<Field, "kind" | "path">): string => `${kind} ${path.join(".")}`;

/** Every field of every spec. */
export const allFields = (): readonly Field[] =>
  kinds.flatMap(({ kind }) => {
    const spec = kindInfo(kind).schema.properties?.["spec"];
    if (!spec) throw new Error(`${kind} has no spec`);
    return below(kind, spec, []);
  });

const below = (kind: Kind, schema: Schema, path: readonly string[], required = false): readonly Field[] => {
  const own: Field = { kind, path, schema, required };
  if (schema.properties) {
    const inner = Object.entries(schema.properties).flatMap(([name, one]) =>
      below(kind, one, [...path, name], schema.required?.includes(name) ?? false),
    );
    return path.length === 0 ? inner : [own, ...inner];
  }
  if (schema.items) return [own, ...below(kind, schema.items, [...path, "[]"])];
  if (schema.additionalProperties) return [own, ...below(kind, schema.additionalProperties, [...path, "{}"])];
  return [own];
};
