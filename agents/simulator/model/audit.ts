import type { JobRequest } from "../../../src/protocol/generated/types.ts";

/** What a host notes of the changing jobs that it is given: for tests that judge control planes by what reached the host. */
export interface AuditEntry {
  /**
   * begin: fence and locks passed. effect: one change of the host. end: the job is over; with the code of its failure. refused: it was
   * not begun. died: the process that ran it is gone. look: an inventory by this epoch.
   */
  readonly at: "begin" | "effect" | "end" | "refused" | "died" | "look";
  /** RFC 3339. */
  readonly time: string;
  readonly id: string;
  readonly operation: string;
  readonly controlPlane?: string;
  readonly epoch?: number;
  /** Uids of all that the job holds; the first is its own object's. */
  readonly locks?: readonly string[];
  /** Code of the refusal or failure. */
  readonly code?: string;
  /** Name of the effect. */
  readonly point?: string;
}

/** Called within the host's transactions, so that the entries of all processes are in the order in which things happened. */
export type Audit = (entry: AuditEntry) => void;

/** What every entry of a request has. */
export const auditOf = (request: JobRequest, now: Date): Omit<AuditEntry, "at"> => ({
  time: now.toISOString(),
  id: request.correlation_id,
  operation: request.operation,
  controlPlane: request.metadata.control_plane,
  epoch: request.metadata.epoch,
});
