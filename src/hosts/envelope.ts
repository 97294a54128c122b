import type { JobRequest, Operation, OperationSpecs } from "../protocol/generated/types.ts";

/** What every request to a host says of its sender. */
export interface Sender {
  readonly host: string;
  readonly controlPlaneId: string;
  /** Fencing token; 0 only for operations that change nothing. */
  readonly epoch: number;
}

export interface Enquiry<O extends Operation = Operation> {
  readonly id: string;
  readonly operation: O;
  readonly spec: OperationSpecs[O];
  readonly locks?: readonly string[];
  readonly deadlineSeconds: number;
  readonly dryRun?: boolean;
}

/** The request of one job, as the agent reads it. */
export const envelope = <O extends Operation>(sender: Sender, enquiry: Enquiry<O>, now: Date): JobRequest => ({
  operation: enquiry.operation,
  resource_spec: enquiry.spec as JobRequest["resource_spec"],
  correlation_id: enquiry.id,
  metadata: {
    timestamp: now.toISOString(),
    host: sender.host,
    control_plane: sender.controlPlaneId,
    epoch: sender.epoch,
    deadline_seconds: Math.max(1, Math.ceil(enquiry.deadlineSeconds)),
    debug: false,
    dry_run: enquiry.dryRun ?? false,
    locks: [...new Set(enquiry.locks ?? [])],
  },
});
