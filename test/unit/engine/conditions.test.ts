import { describe, expect, it } from "vitest";
import * as conditions from "../../../src/engine/conditions.ts";
import type { Condition } from "../../../src/engine/ports.ts";

describe("the rows of the table", () => {
  const cases: { why: string; row: readonly conditions.ConditionDraft[]; trio: string }[] = [
    { why: "converged", row: conditions.ready(), trio: "Ready=True" },
    { why: "observed", row: conditions.observed(), trio: "Ready=True" },
    { why: "only a change that awaits approval is left", row: conditions.changesPending("x"), trio: "Ready=True" },
    { why: "waiting", row: conditions.waiting("WaitingForHost", "x"), trio: "Ready=False Reconciling=True" },
    { why: "host unreachable", row: conditions.unknownHost("x"), trio: "Ready=Unknown Reconciling=True" },
    { why: "user error", row: conditions.stalled("InvalidSpec", "x"), trio: "Ready=False Stalled=True" },
    { why: "first sight", row: conditions.firstSight(), trio: "Ready=Unknown Reconciling=True" },
    { why: "paused before anything was seen", row: conditions.paused(undefined), trio: "Ready=Unknown Paused=True" },
  ];
  it.each(cases)("$why: $trio", ({ row, trio }) =>
    expect(row.map(({ type, status }) => `${type}=${status}`).join(" ")).toBe(trio),
  );

  it("keeps the last Ready while paused", () => {
    const previous = conditions.merge(undefined, conditions.stalled("InUse", "held"), {
      now: new Date(0),
      generation: 1,
    });
    expect(conditions.paused(previous)[0]).toMatchObject({ status: "False", reason: "InUse", message: "held" });
  });
});

describe("merge", () => {
  const early = "2026-01-01T00:00:00Z";
  const now = new Date("2026-01-02T00:00:00.500Z");
  const before: Condition[] = [
    { type: "Ready", status: "False", reason: "Progressing", message: "m", lastTransitionTime: early },
    { type: "Reconciling", status: "True", reason: "Progressing", message: "m", lastTransitionTime: early },
  ];

  it("moves the time only where status moves, and removes what is no more", () => {
    expect(conditions.merge(before, conditions.ready("done"), { now, generation: 3 })).toEqual([
      {
        type: "Ready",
        status: "True",
        reason: "Converged",
        message: "done",
        lastTransitionTime: "2026-01-02T00:00:00Z",
        observedGeneration: 3,
      },
    ]);
    const [ready] = conditions.merge(before, conditions.waiting("WaitingForJob", "other"), { now, generation: 3 });
    expect(ready).toMatchObject({ reason: "WaitingForJob", lastTransitionTime: early });
  });
});
