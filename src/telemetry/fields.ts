import { isKind, kindInfo } from "../api/kinds.ts";
import type { Schema } from "../api/schema.ts";

/** What a path that names no field of the kind counts as. */
export const otherField = "other";

/** Deeper parts of a field say little and would make many series. */
const deepest = 2;

/**
 * The label of a field path: `spec.cpu.count` is `cpu.count`, an element of a list or map is its field. Only names of the kind's schema
 * come out, so that there are never more labels than fields.
 */
export const fieldLabel = (kind: string, path: string): string => {
  if (path === "existence") return path;
  if (!isKind(kind)) return otherField;
  const [root, ...names] = path.replaceAll(/\[[^\]]*\]/g, "").split(".");
  let schema: Schema | undefined = kindInfo(kind).schema.properties?.[root ?? ""];
  if (root !== "spec" || !schema) return otherField;
  const label: string[] = [];
  for (const name of names.slice(0, deepest)) {
    schema = (schema.items ?? schema).properties?.[name];
    if (!schema) break;
    label.push(name);
  }
  return label.length === 0 ? otherField : label.join(".");
};
