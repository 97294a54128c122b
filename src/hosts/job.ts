import type { JobInFlight, JobOrder, JobOutcome, JobRecord } from "../engine/ports.ts";
import { effectUnknown, fault, type Fault } from "../protocol/errors.ts";
import {
  OPERATION_EFFECTS,
  type Delta,
  type JobRequest,
  type JobResult,
  type Operation,
} from "../protocol/generated/types.ts";
import type { Slotted } from "./slots.ts";

/** A job on its way: waiting for a slot, or sent. */
export interface Job extends Slotted {
  readonly id: string;
  readonly order: JobOrder;
  readonly done: (outcome: JobOutcome) => void;
  readonly attempt: number;
  readonly queuedAt: Date;
  /** Resolves with a result that came by another way than the reply. */
  readonly stray: PromiseWithResolvers<JobResult>;
  request: JobRequest;
  sentAt?: Date;
  percent?: number;
  /** When the agent was last heard of this job, or asked for it. */
  heardAt: Date;
  wokenAt?: Date;
  logged: boolean;
  /** It could not be sent when it was submitted. */
  waited: boolean;
}

/**
 * How a job ended. effect `none`: never sent. `known`: the agent told. `unknown`: it may have changed the host.
 * `mayRun`: it may even be changing it still.
 */
export interface JobEnd {
  readonly effect: "none" | "known" | "unknown" | "mayRun";
  readonly fault?: Fault;
  readonly result?: JobResult;
  /** The result did not come as the reply: what it observed may be older than an inventory taken in since. */
  readonly late?: true;
  /** Not sent, for it was not meant any more. */
  readonly withdrawn?: true;
}

export const isChange = (operation: Operation): boolean => OPERATION_EFFECTS[operation] === "change";

/** People wait for machines to start and stop: these go first. */
export const placeInLine = (operation: Operation, long: boolean): Pick<Slotted, "lane" | "priority"> => {
  const isPower = operation === "vm.power" || operation === "vm.restart";
  return { lane: long ? "long" : isPower ? "power" : "short", priority: isPower ? 0 : 1 };
};

/** Every uid that a job holds: its object's and its locks. */
export const heldBy = (order: JobOrder): readonly string[] => [...new Set([order.uid, ...order.locks])];

/** The fresh state that a result tells, when it tells any. Its shape was checked with the result. */
export const observedIn = (result: JobResult | undefined): Delta | undefined => {
  const observed = (result?.data as { observed?: Delta } | undefined)?.observed;
  return observed && Object.keys(observed).length > 0 ? observed : undefined;
};

/** The end of a job whose agent answered. A failed one that tells what it left behind has a known effect. */
export const endOf = (told: { readonly fault?: Fault; readonly result?: JobResult }): JobEnd => {
  if (!told.fault) return { effect: "known", ...told };
  if (told.fault.code === "Timeout") return { effect: "mayRun", ...told };
  const unknown = effectUnknown(told.fault.code) && observedIn(told.result) === undefined;
  return { effect: unknown ? "unknown" : "known", ...told };
};

/** The deadline of a job has passed and the agent may still be at it. */
export const timedOut = (job: Job): JobEnd => ({
  effect: "mayRun",
  fault: fault("Timeout", `${job.order.step.operation} did not end within ${job.order.deadlineSeconds} s`),
});

export const inFlight = (job: Job): JobInFlight => ({
  id: job.id,
  operation: job.order.step.operation,
  startedAt: job.sentAt ?? job.queuedAt,
  key: job.order.key,
  ...(job.percent !== undefined && { percent: job.percent }),
});

export const outcomeOf = (job: Job, end: JobEnd, now: Date): JobOutcome => ({
  id: job.id,
  operation: job.order.step.operation,
  ...(end.fault && { fault: end.fault }),
  ...(end.result && { result: end.result }),
  ...(end.withdrawn && { withdrawn: end.withdrawn }),
  finishedAt: now,
});

/** The journal's record of a job under way. */
export const recordOf = (job: Job): JobRecord => ({
  id: job.id,
  key: job.order.key,
  uid: job.order.uid,
  host: job.order.host,
  operation: job.order.step.operation,
  request: job.request,
  attempt: job.attempt,
  queuedAt: job.queuedAt.toISOString(),
  ...(job.sentAt && { startedAt: job.sentAt.toISOString() }),
  ...(job.percent !== undefined && { percent: job.percent }),
  status: job.sentAt ? "running" : "queued",
});

const notMeant = "It was not sent: when its turn came it was not what is wanted any more.";

/** The record of an ended job. What it observed is the snapshot's, not kept here. */
export const endedRecord = (job: Job, end: JobEnd, now: Date): JobRecord => {
  const { observed: _, ...data } = end.result?.data ?? {};
  const message = end.withdrawn ? notMeant : (end.fault?.message ?? end.result?.message);
  return {
    ...recordOf(job),
    finishedAt: now.toISOString(),
    durationMs: now.getTime() - (job.sentAt ?? job.queuedAt).getTime(),
    status: end.withdrawn ? "withdrawn" : (end.result?.status ?? (end.fault ? "error" : "success")),
    ...(end.fault && { code: end.fault.code }),
    ...(message !== undefined && message !== "" && { message }),
    ...(Object.keys(data).length > 0 && { result: data }),
  };
};
