import { ERRORS } from "../../src/protocol/errors.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import type { Act, Blocked, JobInFlight, LastFault } from "../../src/engine/ports.ts";
import type { Planned } from "./gate.ts";

export const blockedTrio = ({ at, reason, message }: Blocked): readonly ConditionDraft[] =>
  at === "waiting" ? conditions.waiting(reason, message) : conditions.stalled(reason, message);

interface Standing {
  readonly plan: readonly Planned[];
  /** What holds the whole object, whatever the plan says. */
  readonly blocked?: Blocked | undefined;
  readonly job?: JobInFlight | undefined;
  readonly lastFault?: LastFault | undefined;
}

/** The next step that may be sent, in the order of the plan. */
export const nextStep = (plan: readonly Planned[]): Planned | undefined => plan.find(({ gate }) => gate.at === "go");

/** Ready, Reconciling and Stalled of a disk or an adapter, from what its plan still holds. */
export const outcome = ({ plan, blocked, job, lastFault }: Standing): readonly ConditionDraft[] => {
  if (blocked) return blockedTrio(blocked);
  const gates = plan.map(({ gate }) => gate);
  const stalled = gates.find((gate): gate is Blocked => gate.at === "stalled");
  if (stalled) return blockedTrio(stalled);
  if (job) return conditions.progressing(`${job.operation} runs.`);
  const next = nextStep(plan);
  if (next) return faultTrio(next, lastFault) ?? conditions.progressing(`${next.step.operation} is next.`);
  const waiting = gates.find((gate): gate is Blocked => gate.at === "waiting");
  if (waiting) return blockedTrio(waiting);
  const pending = gates.flatMap((gate) => (gate.at === "pending" ? gate.message : []));
  return pending.length > 0 ? conditions.changesPending([...new Set(pending)].join(" ")) : conditions.ready();
};

/** The same of an object under deletion. */
export const removalOutcome = (standing: Standing): readonly ConditionDraft[] => {
  const trio = outcome(standing);
  const [ready] = trio;
  if (ready?.reason === "Progressing") return conditions.deleting(ready.message);
  return ready?.reason === "ChangesPending" ? conditions.waiting("AwaitingApproval", ready.message) : trio;
};

const faultTrio = ({ step }: Planned, last: LastFault | undefined): readonly ConditionDraft[] | undefined => {
  if (last?.operation !== step.operation) return undefined;
  const { code, message } = last.fault;
  const { class: kind } = ERRORS[code];
  if (kind === "user" || kind === "bug") return conditions.stalled(code, message);
  return kind === "wait" ? conditions.waiting(code, message) : conditions.waiting("Retrying", `${code}: ${message}`);
};

/** The job of a step on its host. */
export const jobAct = (host: string, { step, locks, deadlineSeconds }: Planned): Act => ({
  do: "job",
  host,
  step,
  locks,
  deadlineSeconds,
});

/** Milliseconds after which to look again at something that tells nobody when it changes. */
export const pollMs = (plan: readonly Planned[], blocked: Blocked | undefined): number | undefined => {
  const gates = [...plan.map(({ gate }) => gate), ...(blocked ? [blocked] : [])];
  if (gates.some((gate) => gate.at === "waiting")) return 5_000;
  return gates.some((gate) => gate.at === "stalled") ? 30_000 : undefined;
};
