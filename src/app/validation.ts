import type { Resource } from "../api/resource.ts";
import { validate, validateUpdate, type Verdict as ModelVerdict } from "../api/validate.ts";
import type { Validation, Verdict } from "../stores/validation.ts";

/** The model's verdicts in the form that stores take. */
export const modelValidation: Validation = {
  validate: (object) => verdict(object, validate(object)),
  validateUpdate: (before, after) => verdict(after, validateUpdate(before, after)),
};

const verdict = (given: Resource, judged: ModelVerdict): Verdict => {
  if (judged.valid) return { ok: true, object: { ...given, ...judged.object } as Resource };
  const errors = judged.issues.map(({ path, message, hint }) => ({
    path: path === "<nil>" ? "" : path,
    message: hint === undefined ? message : `${message} (did you mean "${hint}"?)`,
  }));
  return { ok: false, errors };
};
