import type { Rule, Schema } from "../schema.ts";
import { environment } from "./cel.ts";
import { childPath, issue } from "./issue.ts";
import type { Issue } from "./issue.ts";
import { correlated } from "./lists.ts";
import { isObject, sameJson } from "./values.ts";

/** An object under rules, and on an update what it was; undefined otherwise. */
export interface Subject {
  readonly value: unknown;
  readonly old: unknown;
  readonly path: string;
}

export type RuleCheck = (subject: Subject) => readonly Issue[];

/** Compiles the CEL rules of a schema and of all below it; undefined if there are none. Throws on a rule that does not type-check. */
export const ruleCheck = (schema: Schema): RuleCheck | undefined => {
  const own = (schema["x-kubernetes-validations"] ?? []).map((rule) => compile(rule, schema));
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const check = ruleCheck(child);
    return check ? [[name, check] as const] : [];
  });
  const items = schema.items && ruleCheck(schema.items);
  if (own.length === 0 && fields.length === 0 && !items) return undefined;
  return (subject) => [
    ...own.flatMap((check) => check(subject)),
    ...fields.flatMap(([name, check]) => inField(subject, name, check)),
    ...(items ? inItems(subject, schema, items) : []),
  ];
};

const inField = ({ value, old, path }: Subject, name: string, check: RuleCheck): readonly Issue[] => {
  if (!isObject(value) || value[name] === undefined) return [];
  return check({ value: value[name], old: isObject(old) ? old[name] : undefined, path: childPath(path, name) });
};

const inItems = ({ value, old, path }: Subject, schema: Schema, check: RuleCheck): readonly Issue[] => {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item: unknown, i) =>
    check({ value: item, old: correlated(item, old, schema), path: childPath(path, i) }),
  );
};

const compile = (rule: Rule, schema: Schema): RuleCheck => {
  const program = environment.parse(rule.rule);
  const checked = program.check();
  if (!checked.valid) throw new Error(`rule ${rule.rule}: ${checked.error?.message ?? "does not type-check"}`);
  const transition = /\boldSelf\b/.test(rule.rule);
  return ({ value, old, path }) => {
    if (transition && old === undefined) return [];
    // What was wrong before and is unchanged is no error of this update.
    if (!transition && old !== undefined && sameJson(value, old)) return [];
    try {
      const holds = program({ self: celValue(value, schema), oldSelf: celValue(old, schema) }) === true;
      return holds ? [] : [violation({ rule, schema, value, path })];
    } catch (error) {
      const detail = `${(error as Error).message.split("\n")[0]} evaluating rule: ${rule.message ?? rule.rule}`;
      return [issue({ path, reason: "FieldValueInvalid", value: schema.type, detail })];
    }
  };
};

interface Violation {
  rule: Rule;
  schema: Schema;
  value: unknown;
  path: string;
}

const violation = ({ rule, schema, value, path }: Violation): Issue => {
  const at = rule.fieldPath ? `${path}${path === "" ? rule.fieldPath.slice(1) : rule.fieldPath}` : path;
  const detail = rule.message ?? `failed rule: ${rule.rule}`;
  if (rule.reason === "FieldValueRequired") return issue({ path: at, reason: "FieldValueRequired", detail });
  const composite = schema.type === "object" || schema.type === "array";
  return issue({ path: at, reason: "FieldValueInvalid", value: composite ? undefined : value, detail });
};

/** A JSON value as CEL sees it by its schema: integers are int (bigint). */
const celValue = (value: unknown, schema: Schema | undefined): unknown => {
  if (Array.isArray(value)) return value.map((item) => celValue(item, schema?.items));
  if (isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, child]) => [
        name,
        celValue(child, schema?.properties?.[name] ?? schema?.additionalProperties),
      ]),
    );
  }
  if (typeof value === "number" && Number.isInteger(value) && schema?.type !== "number") return BigInt(value);
  return value;
};
