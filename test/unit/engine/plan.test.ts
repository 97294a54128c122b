import fc from "../../support/fc.ts";
import { describe, expect, it } from "vitest";
import {
  changeIf,
  diffFields,
  pendingOf,
  planHash,
  planHashInput,
  shownChanges,
  worstEffect,
} from "../../../src/engine/plan.ts";
import type { Effect, PendingChange, Step } from "../../../src/engine/ports.ts";

const identity = (text: string): string => text;

describe("changeIf", () => {
  const cases: { why: string; from?: unknown; to?: unknown; changes: readonly object[] }[] = [
    { why: "equal", from: 2, to: 2, changes: [] },
    { why: "absent in the spec is left as found", from: 2, changes: [] },
    { why: "new", to: 2, changes: [{ path: "p", to: 2 }] },
    { why: "other", from: 1, to: 2, changes: [{ path: "p", from: 1, to: 2 }] },
    { why: "deep", from: { a: [1] }, to: { a: [1] }, changes: [] },
    { why: "false is a value", from: true, to: false, changes: [{ path: "p", from: true, to: false }] },
  ];
  it.each(cases)("$why", ({ from, to, changes }) => expect(changeIf("p", from, to)).toEqual(changes));
});

it("diffFields compares the wanted fields only", () => {
  expect(diffFields("spec.cpu", { count: 4 }, { count: 2, weight: 7 })).toEqual([
    { path: "spec.cpu.count", from: 2, to: 4 },
  ]);
});

it("worstEffect orders from Hot to Forbidden", () => {
  expect(worstEffect([])).toBe("Hot");
  expect(worstEffect(["Restart", "Disruptive"])).toBe("Restart");
  expect(worstEffect(["Recreate", "Forbidden", "Hot"])).toBe("Forbidden");
});

it("pendingOf leaves out what is simply done", () => {
  const step = (effect: Effect, path: string): Step => ({
    operation: "vm.update",
    spec: {} as never,
    effect,
    changes: [{ path, from: 1, to: 2 }],
  });
  expect(shownChanges(pendingOf([step("Hot", "a"), step("Restart", "b"), step("Forbidden", "c")]))).toEqual([
    { path: "b", from: "1", to: "2", effect: "Restart" },
    { path: "c", from: "1", to: "2", effect: "Forbidden" },
  ]);
});

describe("planHash", () => {
  const change = (path: string, effect: Effect, to: unknown = 1): PendingChange => ({ path, from: 0, to, effect });
  const all = [change("a", "Restart"), change("b", "Disruptive"), change("c", "Hot"), change("d", "Forbidden")];

  it("speaks only of what needs approval", () => {
    expect(planHash("u", [change("c", "Hot"), change("d", "Recreate")], identity)).toBeUndefined();
    expect(planHashInput("u", all)).toBe(planHashInput("u", all.slice(0, 2)));
  });
  it("knows the object, the target and the effect, not the present value", () => {
    expect(planHashInput("u", all)).not.toBe(planHashInput("v", all));
    expect(planHashInput("u", [change("a", "Restart", 1)])).not.toBe(planHashInput("u", [change("a", "Restart", 2)]));
    expect(planHashInput("u", [change("a", "Restart")])).not.toBe(planHashInput("u", [change("a", "Disruptive")]));
    expect(planHashInput("u", [{ ...change("a", "Restart"), from: 7 } as PendingChange])).toBe(
      planHashInput("u", [change("a", "Restart")]),
    );
  });
  it("is the same for any order, and for changes as status shows them", () => {
    const anyChange = fc.record({
      path: fc.string(),
      to: fc.oneof(fc.integer(), fc.boolean(), fc.string()),
      effect: fc.constantFrom<Effect>("Hot", "Restart", "Disruptive"),
    });
    fc.assert(
      fc.property(fc.array(anyChange), fc.infiniteStream(fc.nat()), (changes, order) => {
        const shuffled = changes
          .map((item) => ({ item, at: order.next().value }))
          .sort((a, b) => a.at - b.at)
          .map(({ item }) => item);
        expect(planHashInput("u", shuffled)).toBe(planHashInput("u", changes));
        expect(planHashInput("u", shownChanges(changes))).toBe(planHashInput("u", changes));
      }),
    );
  });
});
