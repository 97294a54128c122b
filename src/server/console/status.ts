import { apiVersion, isKind, kindInfo } from "../../api/kinds.ts";
import type { Issue } from "../../api/validate.ts";
import { ControlError, type ControlErrorCode } from "../control.ts";

/** metav1.Status, the body of every error answer of the console's API. */
export interface Status {
  readonly kind: "Status";
  readonly apiVersion: "v1";
  readonly metadata: Record<string, never>;
  readonly status: "Failure";
  readonly message: string;
  /** CamelCase, as the API server of Kubernetes has it. */
  readonly reason: string;
  readonly details?: StatusDetails;
  /** The HTTP status. */
  readonly code: number;
}

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** One thing wrong with an object; `field` as spec.disks[0].name. */
export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

const codes = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  PreconditionFailed: 412,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  MisdirectedRequest: 421,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
} as const;

export type Reason = keyof typeof codes;

/** An answer other than success, in the API server's form. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: Status;

  constructor(reason: Reason, message: string, details?: StatusDetails) {
    super(message);
    this.status = statusOf({ code: codes[reason], reason, message, details });
  }

  /** Passes on what an API server answered. */
  static passedOn(given: {
    readonly code: number;
    readonly reason: string;
    readonly message: string;
    readonly details: StatusDetails | undefined;
  }): ApiError {
    const error = new ApiError("InternalError", given.message);
    (error as { status: Status }).status = statusOf(given);
    return error;
  }
}

const statusOf = ({
  code,
  reason,
  message,
  details,
}: {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly details?: StatusDetails | undefined;
}): Status => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Failure",
  message,
  reason,
  ...(details === undefined ? {} : { details }),
  code,
});

/** What an error is about, as the API server names it: the plural in `kind`. */
export const about = (kind: string, name?: string): StatusDetails => ({
  ...(name === undefined ? {} : { name }),
  group: apiVersion.slice(0, apiVersion.indexOf("/")),
  kind: isKind(kind) ? kindInfo(kind).plural : kind,
});

const resourceName = (kind: string): string => `${isKind(kind) ? kindInfo(kind).plural : kind}.aetherv.io`;

export const notFound = (kind: string, name: string): ApiError =>
  new ApiError("NotFound", `${resourceName(kind)} "${name}" not found`, about(kind, name));

export const alreadyExists = (kind: string, name: string): ApiError =>
  new ApiError("AlreadyExists", `${resourceName(kind)} "${name}" already exists`, about(kind, name));

/** Somebody else changed the object since it was read. */
export const conflict = (kind: string, name: string, why: string): ApiError =>
  new ApiError(
    "Conflict",
    `Operation cannot be fulfilled on ${resourceName(kind)} "${name}": ${why}`,
    about(kind, name),
  );

/** What every write of an object that was read before has to tell apart: it changed since. */
export const modified = "the object has been modified; please apply your changes to the latest version and try again";

export const forbidden = (kind: string, name: string, why: string): ApiError =>
  new ApiError("Forbidden", `${resourceName(kind)} "${name}" is forbidden: ${why}`, about(kind, name));

export const preconditionFailed = (kind: string, name: string, { asked, present }: Versions): ApiError =>
  new ApiError(
    "PreconditionFailed",
    `${resourceName(kind)} "${name}": If-Match names version ${asked}, the object has ${present}`,
    about(kind, name),
  );

interface Versions {
  readonly asked: string;
  readonly present: string;
}

/** The object is not valid: one cause for each field. */
export const invalid = (kind: string, name: string, causes: readonly StatusCause[]): ApiError => {
  const texts = causes.map(({ field, message }) =>
    field === undefined ? (message ?? "") : `${field}: ${message ?? ""}`,
  );
  const all = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
  return new ApiError("Invalid", `${kind}.aetherv.io "${name}" is invalid: ${all}`, { ...about(kind, name), causes });
};

export const causesOf = (issues: readonly Issue[]): readonly StatusCause[] =>
  issues.map(({ path, reason, message, hint }) => ({
    // Strict decoding knows no cause type of its own.
    reason: reason === "UnknownField" ? "FieldValueInvalid" : reason,
    message: hint === undefined ? message : `${message} (did you mean ${JSON.stringify(hint)}?)`,
    ...(path === "" ? {} : { field: path }),
  }));

const reasons: Readonly<Record<ControlErrorCode, Reason>> = {
  NotFound: "NotFound",
  Invalid: "BadRequest",
  Conflict: "Conflict",
  Forbidden: "Forbidden",
  Unauthenticated: "Unauthorized",
  Standby: "ServiceUnavailable",
  Unavailable: "ServiceUnavailable",
  Internal: "InternalError",
};

const byCode: Readonly<Record<number, Reason>> = {
  400: "BadRequest",
  404: "NotFound",
  406: "NotAcceptable",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  429: "TooManyRequests",
};

/** The Status that an error is answered with. A defect's text may hold anything: it is logged, not told. */
export const statusFor = (error: unknown): Status => {
  if (error instanceof ApiError) return error.status;
  if (error instanceof ControlError) {
    const text = error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
    return new ApiError(reasons[error.code], text).status;
  }
  const { statusCode, message } = error as { statusCode?: unknown; message?: unknown };
  const reason = typeof statusCode === "number" ? byCode[statusCode] : undefined;
  if (reason !== undefined) return new ApiError(reason, String(message)).status;
  return new ApiError("InternalError", "this is a defect of AetherV: see the control plane's log").status;
};
