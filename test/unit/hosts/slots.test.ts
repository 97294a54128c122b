import fc from "../../support/fc.ts";
import { describe, expect, it } from "vitest";
import { Slots, type Slotted } from "../../../src/hosts/slots.ts";

const job = fc.record({
  lane: fc.constantFrom("power" as const, "short" as const, "long" as const),
  priority: fc.integer({ min: 0, max: 2 }),
  locks: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 2 }),
});

const count = (jobs: Iterable<Slotted>, lane: Slotted["lane"]): number =>
  [...jobs].filter((one) => one.lane === lane).length;

describe("slots", () => {
  it("never exceed the limits, never share a lock, leave none waiting that could run, and lose nobody", () => {
    fc.assert(
      fc.property(
        fc.array(job, { maxLength: 30 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 2 }),
        (jobs, short, long) => {
          const slots = new Slots<Slotted>({ short, long });
          const started: Slotted[] = [];
          for (const one of jobs) slots.add(one);
          while (started.length < jobs.length) {
            const now = slots.take();
            started.push(...now);
            const { running } = slots;
            expect(count(running, "short") + Math.max(0, count(running, "power") - 1)).toBeLessThanOrEqual(short);
            expect(count(running, "long")).toBeLessThanOrEqual(long);
            const held = [...running].flatMap(({ locks }) => locks);
            expect(new Set(held).size).toBe(held.length);
            expect(running.size, "somebody can always run").toBeGreaterThan(0);
            slots.release([...running][0]!);
          }
          expect(new Set(started)).toEqual(new Set(jobs));
        },
      ),
    );
  });

  it.each([
    { why: "in the order of arrival", jobs: [{ priority: 1 }, { priority: 1 }], order: [0, 1] },
    {
      why: "lower priority numbers first",
      jobs: [{ priority: 1 }, { priority: 0 }, { priority: 0 }],
      order: [1, 2, 0],
    },
    {
      why: "one that waits for a lock is not overtaken by the next that wants it",
      jobs: [
        { priority: 0, locks: ["x"] },
        { priority: 0, locks: ["x", "y"] },
        { priority: 0, locks: ["y"] },
      ],
      order: [0, 1, 2],
    },
  ])("are given $why", ({ jobs, order }) => {
    const slots = new Slots<Slotted>({ short: 1, long: 1 });
    const all = jobs.map((one) => ({ lane: "short" as const, locks: [], ...one }));
    for (const one of all) slots.add(one);
    const started: number[] = [];
    while (started.length < all.length) {
      const now = slots.take();
      started.push(...now.map((one) => all.indexOf(one as (typeof all)[number])));
      for (const one of now) slots.release(one);
    }
    expect(started).toEqual(order);
  });

  it("give what still waited when drained, and take its long ones into account no more", () => {
    const slots = new Slots<Slotted>({ short: 1, long: 1 });
    const waiting = { lane: "long", priority: 0, locks: [] } as const;
    slots.add(waiting);
    expect(slots.drain()).toEqual([waiting]);
    const next = { lane: "short", priority: 0, locks: [] } as const;
    slots.add(next);
    expect(slots.take()).toEqual([next]);
  });

  it("keep one free for a start or stop while all short ones are taken", () => {
    const slots = new Slots<Slotted>({ short: 1, long: 1 });
    const short = { lane: "short", priority: 1, locks: [] } as const;
    const power = () => ({ lane: "power", priority: 0, locks: [] }) as const;
    slots.add(short);
    expect(slots.take()).toEqual([short]);
    const [first, second] = [power(), power()];
    slots.add(first);
    slots.add(second);
    expect(slots.take()).toEqual([first]);
    slots.release(short);
    expect(slots.take(), "beyond the one they take short slots").toEqual([second]);
    slots.add(short);
    expect(slots.take()).toEqual([]);
  });
});
