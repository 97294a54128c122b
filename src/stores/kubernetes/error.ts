/** What the API server answered instead of success, or why there was no answer (code 0). */
export class KubeError extends Error {
  override readonly name = "KubeError";
  /** HTTP status; 0 when there was no answer. */
  readonly code: number;
  /** Reason of the metav1.Status, as "Conflict" or "Expired"; empty when there is none. */
  readonly reason: string;
  /** The server asked to wait so long, milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** What is wrong with the object that was sent, field by field. */
  readonly details: StatusDetails | undefined;

  constructor(code: number, message: string, more: More = {}) {
    super(message, { cause: more.cause });
    this.code = code;
    this.reason = more.reason ?? "";
    this.retryAfterMs = more.retryAfterMs;
    this.details = more.details;
  }
}

interface More {
  readonly reason?: string;
  readonly retryAfterMs?: number;
  readonly details?: StatusDetails | undefined;
  readonly cause?: unknown;
}

/** metav1.StatusDetails, as far as it is read. */
interface StatusDetails {
  /** Of the object that the error is about. */
  readonly name?: string;
  readonly causes?: readonly { readonly reason?: string; readonly field?: string; readonly message?: string }[];
}

interface Status {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: StatusDetails;
}

/** The error that a metav1.Status tells. */
export const ofStatus = (status: unknown): KubeError => {
  const { code = 500, reason = "", message = "the API server tells no message", details } = (status ?? {}) as Status;
  return new KubeError(code, message, { reason, details });
};

/** The version asked for is compacted away: only a new list helps. */
export const isExpired = (error: unknown): boolean =>
  error instanceof KubeError && (error.code === 410 || error.reason === "Expired" || error.reason === "Gone");

/** The object does not exist. A 404 of a server that does not (yet) serve its kind says nothing of the object. */
export const isNotFound = (error: unknown): boolean =>
  error instanceof KubeError && error.code === 404 && error.reason === "NotFound" && error.details?.name !== undefined;

/** The server understood, and will not have it: not valid, or not allowed. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof KubeError && [400, 403, 422].includes(error.code);

/** The object is another than the one that the write was decided on. */
export const isConflict = (error: unknown): boolean => error instanceof KubeError && error.code === 409;
