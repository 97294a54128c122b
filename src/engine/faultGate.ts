import { ERRORS, type ErrorClass, type Fault } from "../protocol/errors.ts";
import { backoffMs, type DelayLimits } from "./backoff.ts";
import type { FinishedJob, JobOutcome, LastFault, Random } from "./ports.ts";

/** Delay before the next job after a fault, by the fault's class. Milliseconds. */
const delays: Readonly<Record<ErrorClass, DelayLimits>> = {
  retry: { first: 1000, longest: 300_000 },
  wait: { first: 5000, longest: 60_000 },
  user: { first: 60_000, longest: 300_000 },
  bug: { first: 300_000, longest: 300_000 },
};

/** Soonest retry when something around the object changed: doubled with each attempt, so that a restless host makes no busy loop. */
const hastened: DelayLimits = { first: 5000, longest: 300_000 };

/** Faults of the way to the host: once that is open again there is nothing to wait for. */
const notTheJobs: ReadonlySet<string> = new Set(["HostUnreachable", "StaleController"]);

const classOf = ({ code }: Fault): ErrorClass => ERRORS[code].class;

/** The fault that a job's end leaves behind; counts ends of the same code in a row. */
export const nextFault = (
  previous: LastFault | undefined,
  outcome: JobOutcome & { readonly fault: Fault },
  random: Pick<Random, "next">,
): LastFault => {
  const { fault, operation, finishedAt: at } = outcome;
  const attempts = previous?.fault.code === fault.code ? previous.attempts + 1 : 1;
  const delay = backoffMs(attempts, delays[classOf(fault)], random);
  return { fault, operation, at, attempts, retryAt: new Date(at.getTime() + delay) };
};

/** The fault after things on its host changed: what waited for that may go on sooner. */
export const hasten = (last: LastFault, now: Date): LastFault => {
  const klass = classOf(last.fault);
  const sooner = soonest(last, klass, now);
  return sooner < last.retryAt ? { ...last, retryAt: sooner } : last;
};

const soonest = (last: LastFault, klass: ErrorClass, now: Date): Date => {
  if (notTheJobs.has(last.fault.code)) return now;
  if (klass !== "wait" && klass !== "user") return last.retryAt;
  const wait = backoffMs(last.attempts, hastened, { next: () => 1 });
  return new Date(Math.max(now.getTime(), last.at.getTime() + wait));
};

export const finishedJob = ({ id, operation, fault, finishedAt }: JobOutcome): FinishedJob => ({
  id,
  operation,
  code: fault?.code ?? "Success",
  at: finishedAt,
});
