/** What an API server answers: a status code and a JSON document. */
export interface Answered {
  readonly code: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export const success = (code: number, body: unknown): Answered => ({ code, body });

export const failure = (code: number, reason: string, message: string, details?: object): Answered => ({
  code,
  body: { apiVersion: "v1", kind: "Status", status: "Failure", code, reason, message, ...(details && { details }) },
});

export const invalid = (field: string, message: string, name: string): Answered =>
  failure(422, "Invalid", `${name} is invalid: ${field}: ${message}`, { name, causes: [{ field, message }] });

/** Too busy: nothing was done. */
export const busy = (code: 429 | 503, seconds: number): Answered => ({
  ...failure(code, code === 429 ? "TooManyRequests" : "ServiceUnavailable", "the server is too busy"),
  headers: { "retry-after": String(seconds) },
});
