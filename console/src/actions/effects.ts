import type { PlanAction, PlannedChange, PlannedObject, PlannedSetting } from "../../../src/server/control.ts";
import { effects, type EffectWords } from "../lib/effects.ts";
import type { Tone } from "../lib/standing.ts";

/** What a planned change does to what runs, in words. */
export const effectWords = ({ effect, operation }: Pick<PlannedChange, "effect" | "operation">): EffectWords =>
  operation === "none"
    ? { tone: "idle", text: "Recorded", meaning: "Nothing changes on the host now." }
    : effects[effect];

/** Whether somebody has to approve a change of the object before it is made. */
export const needsApproval = (
  { effect }: Pick<PlannedChange, "effect">,
  { approval }: Pick<PlannedObject, "approval">,
): boolean => approval === "Manual" && (effect === "Disruptive" || effect === "Restart");

/** What a guest does with a setting, as a badge; the plan has the words for the rest. */
export const settingBadges: Readonly<Record<PlannedSetting["effect"], { readonly tone: Tone; readonly text: string }>> =
  {
    Apply: { tone: "ok", text: "Guest" },
    Restart: { tone: "warn", text: "Guest restarts" },
    RunAgain: { tone: "info", text: "Runs again" },
    Leave: { tone: "idle", text: "Stays" },
    Unknown: { tone: "idle", text: "Not known" },
  };

export const actionWords: Readonly<Record<PlanAction, { readonly tone: Tone; readonly text: string }>> = {
  create: { tone: "ok", text: "Create" },
  adopt: { tone: "info", text: "Take over" },
  update: { tone: "info", text: "Change" },
  delete: { tone: "bad", text: "Delete" },
};
