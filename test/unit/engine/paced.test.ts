import { expect, it } from "vitest";
import { Paced } from "../../../src/engine/paced.ts";

/** A clock whose sleeps end when the test says so. */
const byHand = () => {
  const sleepers: (() => void)[] = [];
  const clock = {
    now: () => new Date(0),
    sleep: (_: number, signal?: AbortSignal) =>
      new Promise<void>((resolve) => {
        sleepers.push(resolve);
        signal?.addEventListener("abort", () => resolve(), { once: true });
      }),
  };
  const pass = async (): Promise<void> => {
    for (const wake of sleepers.splice(0)) wake();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, pass };
};

it("is done at once, then once for all that is asked within the time, each thing for itself", async () => {
  const { clock, pass } = byHand();
  const paced = new Paced({ clock, ms: 500, signal: new AbortController().signal });
  const done: string[] = [];
  const ask = (what: string): void => paced.ask(what, () => done.push(what));
  for (const what of ["a", "a", "a", "b"]) ask(what);
  expect(done).toEqual(["a", "b"]);
  await pass();
  expect(done).toEqual(["a", "b", "a"]);
  await pass();
  await pass();
  expect(done).toEqual(["a", "b", "a"]);
  ask("b");
  expect(done).toEqual(["a", "b", "a", "b"]);
});

it("does nothing more once it is to end", async () => {
  const { clock, pass } = byHand();
  const ending = new AbortController();
  const paced = new Paced({ clock, ms: 500, signal: ending.signal });
  let done = 0;
  paced.ask("a", () => (done += 1));
  paced.ask("a", () => (done += 1));
  ending.abort();
  await pass();
  expect(done).toBe(1);
});

it("waits while there is a crowd, and is done once when it is gone", async () => {
  const { clock, pass } = byHand();
  let crowded = true;
  const paced = new Paced({ clock, ms: 500, signal: new AbortController().signal, isBusy: () => crowded });
  let done = 0;
  for (let n = 0; n < 3; n += 1) paced.ask("a", () => (done += 1));
  await pass();
  await pass();
  expect(done).toBe(0);
  crowded = false;
  await pass();
  expect(done).toBe(1);
  await pass();
  await pass();
  expect(done).toBe(1);
});
