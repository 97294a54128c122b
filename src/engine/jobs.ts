import { deepEqual } from "./equal.ts";
import type { Act, EventNote, HostView, JobOutcome } from "./ports.ts";

export type Job = Extract<Act, { readonly do: "job" }>;

/** What is kept of a job for its end. */
export interface JobEnd {
  readonly uid: string;
  readonly host: string;
  /** What the job was decided under. */
  readonly cause: string;
  /** Field paths that the job was to change. */
  readonly paths: readonly string[];
  readonly outcome: JobOutcome;
}

export const isDeletion = ({ step }: Job): boolean => step.operation.endsWith(".delete");
export const isDestructive = (job: Job): boolean => job.step.destructive === true || isDeletion(job);

/** Whether what is decided on now is the job that was: the operation on the host, and of one that destroys every detail. */
export const sameJob = (now: Act, job: Job): boolean =>
  now.do === "job" &&
  now.host === job.host &&
  now.step.operation === job.step.operation &&
  (!isDestructive(job) || deepEqual(now.step.spec, job.step.spec));

/** The host as it would be seen without this job. */
export const withoutJob = (view: HostView | undefined, id: string): HostView | undefined =>
  view && {
    name: view.name,
    reach: view.reach,
    agent: view.agent,
    snapshot: view.snapshot,
    problems: view.problems,
    job: (uid) => view.job(uid, id),
    uncertain: (uid) => view.uncertain(uid),
  };

/** What a job's end tells as an event: "disk.clone" that went well is DiskClone; a failure has its code. */
export const jobNote = ({ operation, fault }: JobOutcome): EventNote =>
  fault
    ? { type: "Warning", reason: fault.code, message: `${operation}: ${fault.message}` }
    : {
        type: "Normal",
        reason: operation.replace(/(^|\.)(.)/g, (_, _dot, letter: string) => letter.toUpperCase()),
        message: `${operation} is done.`,
      };
