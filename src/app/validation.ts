import type { Resource } from "../api/resource.ts";
import { validate, validateUpdate } from "../api/validate.ts";
import type { Issue, Verdict as ModelVerdict } from "../api/validate.ts";
import type { FieldProblem, Validation, Verdict } from "../stores/validation.ts";

/** The model's verdicts in the form that stores take. */
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
