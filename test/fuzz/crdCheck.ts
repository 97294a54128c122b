import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv, type ValidateFunction } from "ajv";
import formats from "ajv-formats";
import { parse } from "yaml";

const folder = fileURLToPath(new URL("../../crds", import.meta.url));

interface Schema {
  readonly [word: string]: unknown;
}

/** A CRD's schema in plain JSON Schema, made here from the file itself: a second opinion beside the product's own reading. */
const plain = (schema: Schema): Schema => {
  const { properties, items, additionalProperties, ...rest } = schema;
  const { default: _, description: _d, ...kept } = rest;
  const known = properties as Readonly<Record<string, Schema>> | undefined;
  const keys = schema["x-kubernetes-list-map-keys"] as readonly string[] | undefined;
  return {
    ...Object.fromEntries(Object.entries(kept).filter(([word]) => !word.startsWith("x-") && word !== "format")),
    ...(isTime(schema) && { format: "date-time" }),
    ...(known && {
      properties: Object.fromEntries(Object.entries(known).map(([name, inner]) => [name, plain(inner)])),
      additionalProperties: false,
    }),
    ...(typeof additionalProperties === "object" && { additionalProperties: plain(additionalProperties as Schema) }),
    ...(items !== undefined && { items: plain(items as Schema) }),
    ...(keys && { uniqueKeys: keys }),
    ...(schema["x-kubernetes-list-type"] === "set" && { uniqueItems: true }),
    ...(schema["x-kubernetes-int-or-string"] === true && { anyOf: [{ type: "integer" }, { type: "string" }] }),
  };
};

const isTime = ({ format }: Schema): boolean => format === "date-time";

const uniqueKeys = (keys: readonly string[], list: readonly Readonly<Record<string, unknown>>[]): boolean =>
  new Set(list.map((item) => JSON.stringify(keys.map((key) => item[key])))).size === list.length;

interface Crd {
  readonly spec: {
    readonly names: { readonly kind: string };
    readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: Schema } }[];
  };
}

const compile = (): ReadonlyMap<string, ValidateFunction> => {
  const ajv = new Ajv({ strict: false, validateFormats: true });
  formats.default(ajv);
  ajv.addKeyword({ keyword: "uniqueKeys", type: "array", validate: uniqueKeys });
  return new Map(
    readdirSync(folder).map((file) => {
      const { spec } = parse(readFileSync(join(folder, file), "utf8")) as Crd;
      const whole = spec.versions[0]?.schema.openAPIV3Schema;
      const properties = whole?.["properties"] as Readonly<Record<string, Schema>>;
      return [spec.names.kind, ajv.compile(plain(properties["spec"] ?? {}))];
    }),
  );
};

let compiled: ReadonlyMap<string, ValidateFunction> | undefined;

/** Why the structure of a spec is none that the CRD allows; undefined when it is. Rules in CEL are not looked at. */
export const crdCheck = (kind: string, spec: unknown): string | undefined => {
  compiled ??= compile();
  const validate = compiled.get(kind);
  if (!validate) return `no CRD of kind ${kind}`;
  return validate(spec) ? undefined : `${validate.errors?.[0]?.instancePath} ${validate.errors?.[0]?.message}`;
};
