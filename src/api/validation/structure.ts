import { Ajv } from "ajv";
import type { ErrorObject, ValidateFunction } from "ajv";
import type { Schema } from "../schema.ts";
import { childPath, issue } from "./issue.ts";
import type { Issue } from "./issue.ts";
import { isObject } from "./values.ts";

export type StructureCheck = (value: unknown) => readonly Issue[];

/** Compiles the check of types, bounds, enums and patterns of a schema. */
export const structureCheck = (schema: Schema): StructureCheck => {
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: false, validateFormats: false, unicodeRegExp: true });
  const validate = ajv.compile(jsonSchema(schema) as object);
  return (value) => issuesOf(validate, value);
};

/** The schema as AJV takes it: int-or-string as a union of types, nothing that only Kubernetes knows. */
const jsonSchema = (schema: Schema): unknown => {
  const { properties, items, additionalProperties, ...rest } = schema;
  const node: Record<string, unknown> = Object.fromEntries(
    Object.entries(rest).filter(([key]) => !key.startsWith("x-")),
  );
  if (schema["x-kubernetes-int-or-string"] === true) node["type"] = ["integer", "string"];
  if (items) node["items"] = jsonSchema(items);
  if (additionalProperties) node["additionalProperties"] = jsonSchema(additionalProperties);
  if (properties) {
    node["properties"] = Object.fromEntries(
      Object.entries(properties).map(([name, child]) => [name, jsonSchema(child)]),
    );
  }
  return node;
};

const issuesOf = (validate: ValidateFunction, value: unknown): readonly Issue[] => {
  if (validate(value)) return [];
  const errors = validate.errors ?? [];
  const mistyped = new Set(errors.filter((error) => error.keyword === "type").map((error) => error.instancePath));
  const seen = new Set<string>();
  return errors.flatMap((error) => {
    // Of a value of the wrong type only the type is said, but its enum too; of a text only the first of its bounds.
    if (mistyped.has(error.instancePath) && error.keyword !== "type" && error.keyword !== "enum") return [];
    if (stringBounds.has(error.keyword)) {
      if (seen.has(error.instancePath)) return [];
      seen.add(error.instancePath);
    }
    return [issueOf(error, value)];
  });
};

const stringBounds = new Set(["maxLength", "minLength", "pattern"]);

const issueOf = (error: ErrorObject, root: unknown): Issue => {
  const path = fieldPath(error.instancePath, root);
  const describe = issues[error.keyword];
  if (!describe)
    return issue({ path, reason: "FieldValueInvalid", value: error.data, detail: error.message ?? error.keyword });
  return describe({ path, value: error.data, params: error.params, expected: error.schema });
};

interface Failure {
  path: string;
  value: unknown;
  params: Record<string, unknown>;
  expected: unknown;
}

const bound = (text: (params: Record<string, unknown>) => string) => (failure: Failure) =>
  issue({
    path: failure.path,
    reason: "FieldValueInvalid",
    value: failure.value,
    detail: `${failure.path} in body ${text(failure.params)}`,
  });

/** The wording of k8s.io/kube-openapi/pkg/validation/errors, by AJV's keyword. */
const issues: Readonly<Record<string, (failure: Failure) => Issue>> = {
  required: ({ path, params }) =>
    issue({ path: childPath(path, String(params["missingProperty"])), reason: "FieldValueRequired" }),
  type: ({ path, value, expected }) => {
    const wanted = Array.isArray(expected) ? expected.join(",") : String(expected);
    const found = typeName(value);
    const detail = `${path} in body must be of type ${wanted}: ${JSON.stringify(found)}`;
    return issue({ path, reason: "FieldValueTypeInvalid", value: found, detail });
  },
  enum: ({ path, value, expected }) => {
    const allowed = (expected as unknown[]).map((item) => JSON.stringify(String(item))).join(", ");
    return issue({ path, reason: "FieldValueNotSupported", value, detail: `supported values: ${allowed}` });
  },
  maxLength: ({ path, params }) =>
    issue({ path, reason: "FieldValueTooLong", detail: atMost(params["limit"], "byte") }),
  maxItems: ({ path, value, params }) => tooMany(path, (value as unknown[]).length, params["limit"]),
  maxProperties: ({ path, value, params }) =>
    tooMany(path, isObject(value) ? Object.keys(value).length : 0, params["limit"]),
  minLength: bound((params) => `should be at least ${params["limit"]} chars long`),
  minItems: ({ path, value, params }) => {
    const detail = `${path} in body should have at least ${params["limit"]} items`;
    return issue({ path, reason: "FieldValueInvalid", value: (value as unknown[]).length, detail });
  },
  minimum: bound((params) => `should be greater than or equal to ${params["limit"]}`),
  maximum: bound((params) => `should be less than or equal to ${params["limit"]}`),
  pattern: bound((params) => `should match '${params["pattern"]}'`),
};

const atMost = (limit: unknown, unit: string): string =>
  unit === "byte"
    ? `may not be more than ${limit} ${limit === 1 ? "byte" : "bytes"}`
    : `must have at most ${limit} ${limit === 1 ? "item" : "items"}`;

const tooMany = (path: string, value: number, limit: unknown): Issue =>
  issue({ path, reason: "FieldValueTooMany", value, detail: atMost(limit, "item") });

const typeName = (value: unknown): string => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
};

/** The field path of an AJV instance path: list indexes in brackets. */
const fieldPath = (pointer: string, root: unknown): string => {
  let path = "";
  let value = root;
  for (const step of pointer.split("/").slice(1).map(unescape)) {
    path = childPath(path, Array.isArray(value) ? Number(step) : step);
    value = (value as Record<string, unknown>)[step];
  }
  return path;
};

const unescape = (step: string): string => step.replaceAll("~1", "/").replaceAll("~0", "~");
