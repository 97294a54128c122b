import type { Condition } from "./ports.ts";

/** A condition as a kind computes it: when it moved last is found by `merge`. */
export interface ConditionDraft {
  readonly type: string;
  readonly status: Condition["status"];
  /** CamelCase: of the catalog in src/api/conditions.ts, or an error code of the protocol. */
  readonly reason: string;
  readonly message: string;
}

/** One condition. A message beyond 32 KiB is cut, as the Kubernetes API allows no more. */
export const condition = (
  type: string,
  status: Condition["status"],
  reason: string,
  message: string = "",
): ConditionDraft => ({ type, status, reason, message: message.slice(0, 32_768) });

/**
 * The conditions of a whole status, in the order of `next`: those that `next` lacks are removed, transition times move only when
 * status moves, and observedGeneration is the generation decided for.
 */
export const merge = (
  previous: readonly Condition[] | undefined,
  next: readonly ConditionDraft[],
  { now, generation }: { readonly now: Date; readonly generation: number },
): Condition[] =>
  next.map((draft) => {
    const before = previous?.find(({ type }) => type === draft.type);
    const lastTransitionTime = before?.status === draft.status ? before.lastTransitionTime : secondsText(now);
    return { ...draft, lastTransitionTime, observedGeneration: generation };
  });

/** RFC 3339 in whole seconds, as metav1.Time keeps times. */
export const secondsText = (time: Date): string => `${time.toISOString().slice(0, -".000Z".length)}Z`;

export const findCondition = (conditions: readonly Condition[] | undefined, type: string): Condition | undefined =>
  conditions?.find((one) => one.type === type);

export const hasStatus = (
  conditions: readonly Condition[] | undefined,
  type: string,
  status: Condition["status"],
): boolean => findCondition(conditions, type)?.status === status;

const trio = (
  ready: Condition["status"],
  also: "Reconciling" | "Stalled" | undefined,
  reason: string,
  message: string,
): readonly ConditionDraft[] => [
  condition("Ready", ready, reason, message),
  ...(also ? [condition(also, "True", reason, message)] : []),
];

// The rows of api.md's table. Each gives Ready and, where present, Reconciling or Stalled. -----------------------------

/** The host is as declared; also declared Stopped. */
export const ready = (message = "", reason = "Converged"): readonly ConditionDraft[] =>
  trio("True", undefined, reason, message);

/** Managed by nobody here, only looked at. */
export const observed = (message = ""): readonly ConditionDraft[] => trio("True", undefined, "Observed", message);

/** Only changes that await approval or a window are left. Add RestartRequired=True where the kind has it. */
export const changesPending = (message: string): readonly ConditionDraft[] =>
  trio("True", undefined, "ChangesPending", message);

/** Something is under way, or a reference, host or job is waited for. */
export const waiting = (reason: string, message: string): readonly ConditionDraft[] =>
  trio("False", "Reconciling", reason, message);

/** Jobs run or are next. */
export const progressing = (message: string): readonly ConditionDraft[] => waiting("Progressing", message);

/** The object goes. */
export const deleting = (message: string): readonly ConditionDraft[] => waiting("Deleting", message);

/** Nothing more happens until somebody acts. */
export const stalled = (reason: string, message: string): readonly ConditionDraft[] =>
  trio("False", "Stalled", reason, message);

/** The host has not answered for two intervals. */
export const unknownHost = (message: string): readonly ConditionDraft[] =>
  trio("Unknown", "Reconciling", "HostUnreachable", message);

/** Not looked at yet. */
export const firstSight = (message = "Seen for the first time."): readonly ConditionDraft[] =>
  trio("Unknown", "Reconciling", "FirstSight", message);

/** Held by the annotation aetherv.io/paused: the last Ready is kept, beside Paused=True. */
export const paused = (
  previous: readonly Condition[] | undefined,
  message = "The annotation aetherv.io/paused holds all jobs back.",
): readonly ConditionDraft[] => {
  const last = findCondition(previous, "Ready");
  const kept = last
    ? condition("Ready", last.status, last.reason, last.message)
    : condition("Ready", "Unknown", "Paused", message);
  return [kept, condition("Paused", "True", "Paused", message)];
};

/** Whether the status says that work is under way: Reconciling=True and not Stalled. */
export const inProgress = (conditions: readonly Condition[] | undefined): boolean =>
  hasStatus(conditions, "Reconciling", "True") && !hasStatus(conditions, "Stalled", "True");
