import { kinds, apiVersion, findKind, isKind, kindInfo, nearestKind } from "./kinds.ts";
import type { Kind, KindInfo } from "./kinds.ts";
import type { Schema } from "./schema.ts";
import { applyDefaults } from "./validation/defaults.ts";
import { issue } from "./validation/issue.ts";
import type { Issue } from "./validation/issue.ts";
import { duplicates } from "./validation/lists.ts";
import { metadataIssues } from "./validation/metadata.ts";
import { metadataSchema } from "./validation/metadata-schema.ts";
import { prune } from "./validation/prune.ts";
import { unchanged } from "./validation/ratchet.ts";
import { ruleCheck } from "./validation/rules.ts";
import type { RuleCheck } from "./validation/rules.ts";
import { structureCheck } from "./validation/structure.ts";
import type { StructureCheck } from "./validation/structure.ts";
import { isObject } from "./validation/values.ts";
import type { JsonObject } from "./validation/values.ts";

export { issueText } from "./validation/issue.ts";
export type { Issue } from "./validation/issue.ts";

/** An object as its author wrote it, checked, defaults filled in; without what only a store gives (uid and the like). */
export interface Manifest {
  readonly apiVersion: typeof apiVersion;
  readonly kind: Kind;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: JsonObject;
}

/** What validation says: the object ready for a store, or every reason against it. */
export type Verdict =
  { readonly valid: true; readonly object: Manifest } | { readonly valid: false; readonly issues: readonly Issue[] };

interface Checks {
  readonly info: KindInfo;
  readonly schema: Schema;
  readonly structure: StructureCheck;
  readonly rules: RuleCheck | undefined;
}

const compile = (info: KindInfo): Checks => {
  // Status is the controllers'; what a file says there is dropped, as by the API server.
  const { status: _, ...properties } = info.schema.properties ?? {};
  const schema = { ...info.schema, properties: { ...properties, metadata: metadataSchema(properties["metadata"]) } };
  return { info, schema, structure: structureCheck(schema), rules: ruleCheck(info.schema) };
};

const compiled = new Map<Kind, Checks>();

const checksOf = (kind: Kind): Checks => {
  const known = compiled.get(kind) ?? compile(kindInfo(kind));
  compiled.set(kind, known);
  return known;
};

/**
 * Judges a new object as the Kubernetes API server would with strict field validation: unknown fields, defaults, structure,
 * metadata, doubles in lists, CEL rules. Fields of metadata that a store owns are ignored.
 */
export const validate = (object: unknown): Verdict => judge(object, undefined);

/** Judges an edit: as `validate`, with the transition rules, and without complaint about what was wrong before and is unchanged. */
export const validateUpdate = (old: unknown, object: unknown): Verdict =>
  judge(object, isObject(old) ? old : undefined);

const judge = (object: unknown, old: JsonObject | undefined): Verdict => {
  if (!isObject(object))
    return refused([issue({ path: "", reason: "FieldValueInvalid", detail: "must be an object" })]);
  const head = headIssues(object);
  if (head.length > 0 || typeof object["kind"] !== "string" || !isKind(object["kind"])) return refused(head);
  const checks = checksOf(object["kind"]);
  const unknown: Issue[] = [];
  const { status: _, ...rest } = object;
  const whole = { ...rest, metadata: rest["metadata"] ?? {} };
  const draft = applyDefaults(prune(whole, checks.schema, "", unknown), checks.schema) as JsonObject;
  const before = old && (applyDefaults(prune(old, checks.info.schema, "", []), checks.info.schema) as JsonObject);
  const issues = [...unknown, ...contentIssues(checks, draft, before && { ...before, metadata: old?.["metadata"] })];
  return issues.length > 0 ? refused(issues) : { valid: true, object: draft as unknown as Manifest };
};

const refused = (issues: readonly Issue[]): Verdict => ({ valid: false, issues });

const headIssues = (object: JsonObject): Issue[] => {
  const { kind, apiVersion: version } = object;
  if (typeof version !== "string" || version === "") return [required("apiVersion")];
  if (version !== apiVersion) return [mustBe("apiVersion", version, apiVersion)];
  if (typeof kind !== "string" || kind === "") return [required("kind")];
  if (isKind(kind)) return [];
  const near = findKind(kind)?.kind ?? nearestKind(kind);
  const fault = mustBe("kind", kind, kinds.map((info) => info.kind).join(", "));
  return [near === undefined ? fault : { ...fault, hint: near }];
};

const required = (path: string): Issue => issue({ path, reason: "FieldValueRequired" });

const mustBe = (path: string, value: string, wanted: string): Issue =>
  issue({ path, reason: "FieldValueInvalid", value, detail: `must be ${wanted}` });

const contentIssues = (
  { info, schema, structure, rules }: Checks,
  draft: JsonObject,
  old: JsonObject | undefined,
): Issue[] => {
  const metadata = isObject(draft["metadata"]) ? draft["metadata"] : {};
  const found = [
    ...metadataIssues(metadata, info),
    ...structure(draft).filter(({ path }) => !old || !unchanged({ schema, value: draft, old, path })),
    ...(old && duplicates(old, schema, "").length > 0 ? [] : duplicates(draft, schema, "")),
  ];
  if (found.some(({ reason }) => blocking.has(reason))) return [...found, unchecked];
  // On an update the rules see the status as it is.
  const value = old?.["status"] === undefined ? draft : { ...draft, status: old["status"] };
  return [...found, ...(rules?.({ value, old, path: "" }) ?? [])];
};

const blocking: ReadonlySet<string> = new Set([
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
]);

const unchecked = issue({
  path: "<nil>",
  reason: "FieldValueInvalid",
  value: null,
  detail:
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
});
