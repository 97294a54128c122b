import type { Condition, Resource } from "../../../src/api/resource.ts";

/** How something looks: colours are never alone, words say the same. */
export type Tone = "ok" | "warn" | "bad" | "info" | "idle";

/** How an object stands, in the order of what needs people most. */
export type StandingId = "stalled" | "failed" | "unknown" | "approval" | "working" | "deleting" | "paused" | "ready";

export interface Standing {
  readonly id: StandingId;
  readonly tone: Tone;
  readonly text: string;
  /** The condition's own words. */
  readonly reason?: string;
  readonly message?: string;
}

export const conditionsOf = (resource: Resource): readonly Condition[] => {
  const status = resource.status as { conditions?: readonly Condition[] } | undefined;
  return status?.conditions ?? [];
};

export const conditionOf = (resource: Resource, type: string): Condition | undefined =>
  conditionsOf(resource).find((condition) => condition.type === type);

const isTrue = (condition: Condition | undefined): condition is Condition => condition?.status === "True";

const told = ({ reason, message }: Condition): { reason: string; message: string } => ({ reason, message });

/** What a list says of an object in one word; from its conditions alone. */
export const standingOf = (resource: Resource): Standing => {
  const ready = conditionOf(resource, "Ready");
  const stalled = conditionOf(resource, "Stalled");
  const restart = conditionOf(resource, "RestartRequired");
  const words = ready ? told(ready) : {};
  if (isTrue(stalled)) return { id: "stalled", tone: "bad", text: "Stalled", ...told(stalled) };
  if (resource.metadata.deletionTimestamp) return { id: "deleting", tone: "info", text: "Deleting", ...words };
  if (isTrue(conditionOf(resource, "Paused"))) return { id: "paused", tone: "idle", text: "Paused", ...words };
  if (ready?.status === "Unknown" && ready.reason !== "FirstSight")
    return { id: "unknown", tone: "warn", text: "Unknown", ...words };
  if (isTrue(restart)) return { id: "approval", tone: "warn", text: "Changes wait", ...told(restart) };
  if (ready?.status === "True" && ready.reason === "ChangesPending")
    return { id: "approval", tone: "warn", text: "Changes wait", ...words };
  if (ready?.status === "True") return { id: "ready", tone: "ok", text: "Ready", ...words };
  if (isTrue(conditionOf(resource, "Reconciling")) || ready?.status !== "False")
    return { id: "working", tone: "info", text: "Working", ...words };
  return { id: "failed", tone: "bad", text: "Not ready", ...words };
};

const asking: ReadonlySet<StandingId> = new Set(["stalled", "failed", "unknown", "approval"]);

/** Whether it asks for somebody. An offline host is one matter: that all on it is unknown follows from it. */
export const needsAttention = (resource: Resource): boolean => {
  const { id } = standingOf(resource);
  return asking.has(id) && (id !== "unknown" || resource.kind === "VMHost");
};
