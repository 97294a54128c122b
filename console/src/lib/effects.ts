import type { Effect } from "../../../src/engine/ports.ts";
import type { Tone } from "./standing.ts";

export interface EffectWords {
  readonly tone: Tone;
  readonly text: string;
  /** What it means for a machine that runs. */
  readonly meaning: string;
}

/** What a change does to a running machine, in words; whether it waits for approval is the machine's own choice. */
export const effects: Readonly<Record<Effect, EffectWords>> = {
  Hot: { tone: "ok", text: "Hot", meaning: "Made at once, while the machine runs." },
  Disruptive: {
    tone: "warn",
    text: "Disruptive",
    meaning: "Made while the machine runs, but the guest may notice.",
  },
  Restart: {
    tone: "warn",
    text: "Restart",
    meaning: "Needs the machine off: it is shut down, changed and started again.",
  },
  Recreate: {
    tone: "bad",
    text: "Recreate",
    meaning: "Possible only by making the thing anew. Never done by itself.",
  },
  Forbidden: { tone: "bad", text: "Forbidden", meaning: "Not possible. Change it back, or make another object." },
};
