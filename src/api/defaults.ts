import { kindInfo } from "./kinds.ts";
import type { Kind } from "./kinds.ts";
import type { Schema } from "./schema.ts";
import { applyDefaults } from "./validation/defaults.ts";
import { isObject } from "./validation/values.ts";
import type { AnyResource } from "./generated/types.ts";

type SpecOf<K extends Kind> = Extract<AnyResource, { kind: K }>["spec"];

/** A spec with the constant defaults of its kind filled in, as a store holds it. It is not checked. */
export const completeSpec = <K extends Kind>(kind: K, spec: object): SpecOf<K> =>
  applyDefaults(spec, specSchema(kind)) as SpecOf<K>;

/**
 * A group of fields in force, as spec.shutdown: what is set, with the constant defaults of its members for the rest, also where
 * the whole group is left out (the model never fills in an empty group, so that what is stored is what was applied).
 */
export const completeGroup = <K extends Kind, G extends keyof SpecOf<K> & string>(
  kind: K,
  name: G,
  value: SpecOf<K>[G],
): NonNullable<SpecOf<K>[G]> => {
  const schema = specSchema(kind).properties?.[name];
  if (!schema) throw new Error(`${kind} has no field spec.${name}`);
  return applyDefaults(isObject(value) ? value : {}, schema) as NonNullable<SpecOf<K>[G]>;
};

const specSchema = (kind: Kind): Schema => {
  const schema = kindInfo(kind).schema.properties?.["spec"];
  if (!schema) throw new Error(`${kind} has no spec`);
  return schema;
};
