import { goValue } from "./go.ts";

/** Why a field is refused: the cause types of the Kubernetes API, and UnknownField, which it answers as a strict decoding error. */
export type IssueReason =
  | "FieldValueInvalid"
  | "FieldValueTypeInvalid"
  | "FieldValueRequired"
  | "FieldValueNotSupported"
  | "FieldValueDuplicate"
  | "FieldValueTooLong"
  | "FieldValueTooMany"
  | "FieldValueForbidden"
  | "UnknownField";

/** One reason why an object is refused, in the form that the Kubernetes API server gives in `details.causes`. */
export interface Issue {
  /** Field, as spec.disks[0].name; <nil> for the object as a whole. */
  readonly path: string;
  readonly reason: IssueReason;
  /** Text without the path, as `Invalid value: "4G": should match ...`. */
  readonly message: string;
  /** Nearest known name, where one is near. */
  readonly hint?: string;
}

const titles = {
  FieldValueInvalid: "Invalid value",
  FieldValueTypeInvalid: "Invalid value",
  FieldValueRequired: "Required value",
  FieldValueNotSupported: "Unsupported value",
  FieldValueDuplicate: "Duplicate value",
  FieldValueTooLong: "Too long",
  FieldValueTooMany: "Too many",
  FieldValueForbidden: "Forbidden",
} as const satisfies Record<Exclude<IssueReason, "UnknownField">, string>;

interface Finding {
  readonly path: string;
  readonly reason: keyof typeof titles;
  /** Shown as Go shows it; left out where undefined. */
  readonly value?: unknown;
  readonly detail?: string;
}

/** An issue worded as field.Error of k8s.io/apimachinery words it. */
export const issue = ({ path, reason, value, detail }: Finding): Issue => {
  const parts: string[] = [titles[reason]];
  if (value !== undefined) parts.push(goValue(value));
  if (detail) parts.push(detail);
  return { path, reason, message: parts.join(": ") };
};

/** The line that people read: path and message. */
export const issueText = ({ path, message, hint, reason }: Issue): string => {
  const text = reason === "UnknownField" ? message : `${path}: ${message}`;
  return hint === undefined ? text : `${text} (did you mean "${hint}"?)`;
};

/** Child of a path: `.name` for a property, `[0]` for an item. */
export const childPath = (path: string, step: string | number): string => {
  if (typeof step === "number") return `${path}[${step}]`;
  return path === "" ? step : `${path}.${step}`;
};
