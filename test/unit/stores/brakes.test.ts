import fc from "../../support/fc.ts";
import { describe, expect, it } from "vitest";
import { brake, nextDue } from "../../../src/stores/files/brakes.ts";
import type { MissingState } from "../../../src/stores/files/brakes.ts";

const none: MissingState = new Map();

describe("brake", () => {
  it("asks for two proving scans even without a delay", () => {
    const first = brake({ before: none, missing: ["a"], proves: () => true, now: 0, delayMs: 0 });
    expect(first.due).toEqual([]);
    const second = brake({ before: first.state, missing: ["a"], proves: () => true, now: 0, delayMs: 0 });
    expect(second.due).toEqual(["a"]);
  });

  it("knows the next time only while something proves and waits", () => {
    const proven = brake({ before: none, missing: ["a"], proves: () => true, now: 1000, delayMs: 500 }).state;
    expect(nextDue(proven, 1200, 500)).toBe(300);
    expect(nextDue(proven, 9000, 500)).toBe(0);
    const doubted = brake({ before: proven, missing: ["a"], proves: () => false, now: 1300, delayMs: 500 }).state;
    expect(nextDue(doubted, 1300, 500)).toBeUndefined();
    expect(doubted.get("a")).toEqual({ since: 1000, scans: 0 });
    const held = new Map([["a", { since: 0, provenSince: 0, scans: 2 }]]);
    expect(nextDue(held, 1000, 500)).toBeUndefined();
  });

  it("never lets an object go that was seen, or doubted, within the delay", () => {
    const step = fc.record({ after: fc.integer({ min: 0, max: 20_000 }), there: fc.boolean(), proves: fc.boolean() });
    const property = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let state = none;
      let now = 0;
      let quietSince: number | undefined;
      for (const { after, there, proves } of steps) {
        now += after;
        const sure = !there && proves;
        quietSince = sure ? (quietSince ?? now) : undefined;
        const out = brake({ before: state, missing: there ? [] : ["a"], proves: () => proves, now, delayMs: 30_000 });
        state = out.state;
        const quiet = quietSince === undefined ? -1 : now - quietSince;
        expect(out.due.length === 1).toBe(quiet >= 30_000);
      }
    });
    fc.assert(property);
  });
});
