import { isKind, kindInfo } from "../../../../src/api/kinds.ts";
import type { Schema } from "../../../../src/api/schema.ts";
import { stepsOf } from "./path.ts";

/** What the CRD says of a field: its words, units, choices and range stand there and nowhere else. Undefined for no field. */
export const schemaOf = (kind: string, path: string): Schema | undefined => {
  if (!isKind(kind)) return undefined;
  return stepsOf(path).reduce<Schema | undefined>(
    (schema, step) =>
      typeof step === "number" ? schema?.items : (schema?.properties?.[step] ?? schema?.additionalProperties),
    kindInfo(kind).schema,
  );
};
