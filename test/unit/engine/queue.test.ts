import fc from "../../support/fc.ts";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../../src/app/clock.ts";
import { backoffMs } from "../../../src/engine/backoff.ts";
import type { Key } from "../../../src/engine/ports.ts";
import { KeyedQueue } from "../../../src/engine/queue.ts";
import { FakeClock, settle } from "../../support/clock.ts";
import { SeededRandom } from "../../support/random.ts";

const key = (name: string): Key => ({ kind: "VirtualMachine", namespace: "default", name });

let clock: FakeClock;
let begun: string[];
let open: Map<string, () => void>;
beforeEach(() => {
  clock = new FakeClock();
  begun = [];
  open = new Map();
});

/** A queue whose work lasts until the test ends it. */
const held = (workers: number): KeyedQueue =>
  new KeyedQueue({
    clock,
    random: new SeededRandom(7),
    workers,
    work: (at) => {
      begun.push(at.name);
      return new Promise((resolve) => open.set(at.name, resolve));
    },
  });

const finish = async (name: string): Promise<void> => {
  open.get(name)?.();
  await settle();
};

describe("KeyedQueue", () => {
  it("keeps a key once, however often it is added", async () => {
    const queue = held(1);
    for (const name of ["a", "b", "b", "b"]) queue.add(key(name));
    queue.start();
    await settle();
    await finish("a");
    await finish("b");
    expect(begun).toEqual(["a", "b"]);
  });

  it("works on a key with one worker, and once more after additions during the work", async () => {
    const queue = held(4);
    queue.start();
    queue.add(key("a"));
    await settle();
    queue.add(key("a"));
    queue.add(key("a"));
    await settle();
    expect(begun).toEqual(["a"]);
    await finish("a");
    expect(begun).toEqual(["a", "a"]);
    await finish("a");
    expect(begun).toEqual(["a", "a"]);
  });

  it("takes the urgent first, and a raised one as urgent", async () => {
    const queue = held(1);
    queue.add(key("low"), "low");
    queue.add(key("normal"), "normal");
    queue.add(key("raised"), "low");
    queue.add(key("high"), "high");
    queue.add(key("raised"), "high");
    queue.start();
    await settle();
    for (const name of ["high", "raised", "normal", "low"]) await finish(name);
    expect(begun).toEqual(["high", "raised", "normal", "low"]);
  });

  it("lets nobody wait for ever", async () => {
    const queue = held(1);
    queue.add(key("old"), "low");
    await clock.advance(31_000);
    queue.add(key("new"), "high");
    queue.start();
    await settle();
    expect(begun).toEqual(["old"]);
  });

  it("adds later; of several times the earliest counts", async () => {
    const queue = held(1);
    queue.start();
    queue.addAfter(key("a"), 5000);
    queue.addAfter(key("a"), 1000);
    queue.addAfter(key("a"), 3000);
    await clock.advance(999);
    expect(begun).toEqual([]);
    await clock.advance(1);
    expect(begun).toEqual(["a"]);
    await finish("a");
    await clock.advance(10_000);
    expect(begun).toEqual(["a"]);
  });

  it("tries a failed key again, later each time, and soon again after a success", async () => {
    let failing = true;
    const times: number[] = [];
    const queue = new KeyedQueue({
      clock,
      random: { next: () => 1 },
      workers: 1,
      work: (at) => {
        times.push(clock.now().getTime());
        if (failing) return Promise.reject(new Error("no"));
        queue.forget(at);
        return Promise.resolve();
      },
    });
    queue.start();
    queue.add(key("a"));
    await clock.advance(7000);
    expect(times.map((time) => time - (times[0] ?? 0))).toEqual([0, 1000, 3000, 7000]);
    failing = false;
    await clock.advance(8000);
    expect(times).toHaveLength(5);
    failing = true;
    queue.add(key("a"));
    await clock.advance(1000);
    expect(times).toHaveLength(7);
  });

  it("stops: begins nothing more, and waits for what is at work", async () => {
    const queue = held(1);
    queue.start();
    queue.add(key("a"));
    queue.add(key("b"));
    queue.addAfter(key("c"), 10);
    await settle();
    let stopped = false;
    const stopping = queue.stop().then(() => (stopped = true));
    await clock.advance(1000);
    expect([stopped, clock.pending]).toEqual([false, 0]);
    await finish("a");
    await stopping;
    expect(begun).toEqual(["a"]);
  });

  it("counts what waits and how long", async () => {
    const queue = held(1);
    queue.add(key("a"));
    queue.add(key("b"));
    await clock.advance(40);
    queue.start();
    await settle();
    expect(queue.counters()).toMatchObject({ depth: 1, working: 1, added: 2, waitTotalMs: 40, waitLongestMs: 40 });
  });

  it("works on each added key after its last addition, in any history, never twice at a time", async () => {
    const step = fc.record({
      name: fc.constantFrom("a", "b", "c"),
      ms: fc.nat(50),
      after: fc.option(fc.nat(50), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), fc.integer({ min: 1, max: 3 }), async (steps, workers) => {
        const time = new FakeClock();
        const running = new Set<string>();
        const lastBegun = new Map<string, number>();
        let order = 0;
        const queue = new KeyedQueue({
          clock: time,
          random: new SeededRandom(1),
          workers,
          work: async ({ name }) => {
            expect(running.has(name)).toBe(false);
            running.add(name);
            lastBegun.set(name, (order += 1));
            await time.sleep(20);
            running.delete(name);
          },
        });
        queue.start();
        const lastAdded = new Map<string, number>();
        for (const { name, ms, after } of steps) {
          lastAdded.set(name, (order += 1));
          if (after === undefined) queue.add(key(name));
          else queue.addAfter(key(name), after);
          await time.advance(ms);
        }
        await time.advance(10_000);
        for (const [name, at] of lastAdded) {
          const byDelay = steps.findLast((one) => one.name === name)?.after !== undefined;
          if (!byDelay) expect(lastBegun.get(name)).toBeGreaterThan(at);
          expect(lastBegun.has(name)).toBe(true);
        }
        expect(queue.counters()).toMatchObject({ depth: 0, delayed: 0, working: 0 });
      }),
      { numRuns: 30 },
    );
  });
});

describe("backoffMs", () => {
  const limits = { first: 1000, longest: 300_000 };
  const cases: { why: string; attempts: number; chance: number; ms: number }[] = [
    { why: "first, least jitter", attempts: 1, chance: 0, ms: 500 },
    { why: "first, most jitter", attempts: 1, chance: 1, ms: 1000 },
    { why: "doubled", attempts: 4, chance: 1, ms: 8000 },
    { why: "capped", attempts: 20, chance: 1, ms: 300_000 },
    { why: "no overflow", attempts: 5000, chance: 1, ms: 300_000 },
  ];
  it.each(cases)("$why", ({ attempts, chance, ms }) =>
    expect(backoffMs(attempts, limits, { next: () => chance })).toBe(ms),
  );
});

it("lets others have a turn between many keys whose work waits for nothing", async () => {
  let done = 0;
  let doneAtTurn = 0;
  const queue = new KeyedQueue({
    clock: systemClock,
    random: new SeededRandom(1),
    workers: 64,
    work: () => {
      done += 1;
      return Promise.resolve();
    },
  });
  for (let index = 0; index < 1000; index += 1) queue.add(key(`k${index}`));
  queue.start();
  setImmediate(() => (doneAtTurn = done));
  await vi.waitFor(() => expect(done).toBe(1000), 10_000);
  expect(doneAtTurn).toBeLessThan(500);
  await queue.stop();
});
