import type { ErrorCode } from "../../../src/protocol/errors.ts";

/** Ends a job with a code of the catalog. */
export class JobError extends Error {
  override readonly name = "JobError";
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export const fail = (code: ErrorCode, message: string): never => {
  throw new JobError(code, message);
};
