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
