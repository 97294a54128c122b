import { validate, validateUpdate } from "../api/validate.ts";
import type { Issue, Verdict as ModelVerdict } from "../api/validate.ts";
import type { Resource } from "../api/resource.ts";

/** One thing wrong with an object. `path` is the field's path from the object's root, as `spec.disks[0].name`. */
export interface FieldProblem {
  readonly path: string;
  readonly message: string;
}

export type Verdict =
  { readonly ok: true; readonly object: Resource } | { readonly ok: false; readonly errors: readonly FieldProblem[] };

/** What the model says about objects; made from src/api by the wiring. */
export interface Validation {
  /** The object with its defaults, or all that is wrong with it. */
  validate(object: Resource): Verdict;
  /** Likewise for a change of an existing object, with the rules about what may change. */
  validateUpdate(before: Resource, after: Resource): Verdict;
}

/** All problems in one line. */
export const messageOf = (errors: readonly FieldProblem[]): string =>
  errors.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ");

/** The model's own verdict (src/api), in the form that stores use. */
export const modelValidation: Validation = {
  validate: (object) => verdictOf(object, validate(object)),
  validateUpdate: (before, after) => verdictOf(after, validateUpdate(before, after)),
};

const verdictOf = (object: Resource, verdict: ModelVerdict): Verdict => {
  if (!verdict.valid) return { ok: false, errors: fieldProblems(verdict.issues) };
  const { labels, annotations } = verdict.object.metadata;
  const metadata = { ...object.metadata, ...(labels && { labels }), ...(annotations && { annotations }) };
  return { ok: true, object: { ...object, metadata, spec: verdict.object.spec } };
};

/** That some rules were not checked says nothing beside the issues that kept them from it. */
const fieldProblems = (issues: readonly Issue[]): FieldProblem[] => {
  const atFields = issues.filter(({ path }) => path !== "<nil>");
  return (atFields.length > 0 ? atFields : issues).map(fieldProblem);
};

const fieldProblem = ({ path, reason, message, hint }: Issue): FieldProblem => {
  const text = reason === "UnknownField" ? "unknown field" : message;
  return {
    path: path === "<nil>" ? "" : path,
    message: hint === undefined ? text : `${text} (did you mean ${JSON.stringify(hint)}?)`,
  };
};
