import { findCondition, inProgress } from "./conditions.ts";
import { deepEqual } from "./equal.ts";
import type { Condition, EventNote } from "./ports.ts";

/** The part that every kind's status has. */
interface CommonStatus {
  readonly conditions?: readonly Condition[];
  readonly observedGeneration?: number;
  readonly phase?: string;
}

const common = (status: unknown): CommonStatus => (status ?? {}) as CommonStatus;

/** Both say "still under way" for the same generation: nobody waits for the difference. */
const mereProgress = (before: CommonStatus, next: CommonStatus): boolean =>
  inProgress(before.conditions) &&
  inProgress(next.conditions) &&
  before.observedGeneration === next.observedGeneration &&
  before.phase === next.phase &&
  findCondition(next.conditions, "Ready")?.status !== "True";

/** What a write of status is for. toReady: on the way from a change to Ready. progress: how far it is. later: news of an object that is Ready. */
export type WritePurpose = "toReady" | "progress" | "later";

export const writePurpose = (before: unknown, next: unknown): WritePurpose => {
  const [was, is] = [common(before), common(next)];
  if (mereProgress(was, is)) return "progress";
  const stays =
    was.observedGeneration === is.observedGeneration &&
    [was, is].every(({ conditions }) => findCondition(conditions, "Ready")?.status === "True");
  return stays ? "later" : "toReady";
};

export type StatusWrite =
  | { readonly do: "nothing" }
  | { readonly do: "write" }
  /** Mere progress, too soon after the last write. */
  | { readonly do: "defer"; readonly ms: number };

const leastProgressMs = 10_000;
/** All objects together write progress at most 50 times a second: an API server has others to serve. */
const progressMsAnObject = 20;

/** Least time between two writes of one object's progress, of so many objects. Milliseconds. */
export const progressInterval = (objects: number): number => Math.max(leastProgressMs, objects * progressMsAnObject);

interface WriteTimes {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly lastWrite: number | undefined;
  /** Least time between writes of mere progress, milliseconds. */
  readonly interval: number;
}

/** Whether a status is written now. */
export const statusWrite = (before: unknown, next: unknown, { now, lastWrite, interval }: WriteTimes): StatusWrite => {
  if (next === undefined || deepEqual(before, next)) return { do: "nothing" };
  if (before === undefined || !mereProgress(common(before), common(next))) return { do: "write" };
  const wait = lastWrite === undefined ? 0 : lastWrite + interval - now;
  return wait > 0 ? { do: "defer", ms: wait } : { do: "write" };
};

/** What a change of status tells as events: an object became Ready, or got stuck, or is stuck for another reason. */
export const statusEvents = (before: unknown, next: unknown): readonly EventNote[] => {
  const [ready, wasReady] = [next, before].map((status) => findCondition(common(status).conditions, "Ready"));
  const [stalled, wasStalled] = [next, before].map((status) => findCondition(common(status).conditions, "Stalled"));
  const notes: EventNote[] = [];
  if (ready?.status === "True" && wasReady?.status !== "True")
    notes.push({ type: "Normal", reason: "Ready", message: ready.message || "The host is as declared." });
  if (stalled?.status === "True" && wasStalled?.reason !== stalled.reason)
    notes.push({ type: "Warning", reason: stalled.reason, message: stalled.message });
  return notes;
};

/** Names of the members that differ, and the reason of Ready, for a log line. */
export const changedFields = (
  before: unknown,
  next: unknown,
): { readonly ready?: string; readonly fields: readonly string[] } => {
  const [old, fresh] = [before ?? {}, next ?? {}] as [Record<string, unknown>, Record<string, unknown>];
  const names = [...new Set([...Object.keys(old), ...Object.keys(fresh)])];
  const ready = findCondition(common(next).conditions, "Ready");
  return {
    ...(ready && { ready: `${ready.status}/${ready.reason}` }),
    fields: names.filter((name) => !deepEqual(old[name], fresh[name])),
  };
};
