import type { Tone } from "../lib/standing.ts";
import type { PlanAction, PlannedChange, PlannedObject } from "../../../src/server/control.ts";

export interface EffectWords {
  readonly tone: Tone;
  /** One or two words, for a badge. */
  readonly short: string;
  /** What it means for the machine. */
  readonly long: string;
}

/** What a change does to what runs, in words. */
export const effectWords = ({ effect, operation }: Pick<PlannedChange, "effect" | "operation">): EffectWords => {
  switch (effect) {
    case "Hot":
      return operation === "none"
        ? { tone: "idle", short: "Recorded", long: "Nothing changes on the host now." }
        : { tone: "ok", short: "While it runs", long: "Made at once, while the machine runs." };
    case "Disruptive":
      return { tone: "warn", short: "Disruptive", long: "Made while the machine runs, and may disturb it." };
    case "Restart":
      return { tone: "warn", short: "Needs a restart", long: "The machine is stopped for it and started again." };
    case "Recreate":
      return { tone: "bad", short: "Not possible", long: "Only by making it anew, which is never done by itself." };
    case "Forbidden":
      return { tone: "bad", short: "Not possible", long: "Can't be changed." };
    default:
      return effect satisfies never;
  }
};

/** Whether somebody has to approve a change of the object before it is made. */
export const needsApproval = (
  { effect }: Pick<PlannedChange, "effect">,
  { approval }: Pick<PlannedObject, "approval">,
): boolean => approval === "Manual" && (effect === "Disruptive" || effect === "Restart");

export const actionWords: Readonly<Record<PlanAction, { readonly tone: Tone; readonly text: string }>> = {
  create: { tone: "ok", text: "Create" },
  adopt: { tone: "info", text: "Take over" },
  update: { tone: "info", text: "Change" },
  delete: { tone: "bad", text: "Delete" },
};

/** A value of a field, short enough for a line. */
export const valueText = (value: unknown): string => {
  if (value === undefined) return "not set";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > 160 ? `${text.slice(0, 157)}…` : text;
};
