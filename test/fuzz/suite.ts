import { expect, test } from "vitest";
import { fuzz, type Target } from "./fuzzer.ts";

/** TEST_SEED=n tries other inputs than every day's; how many there is time for differs anyway. */
const seed = Number(process.env["TEST_SEED"] ?? 1);
/** `npm run fuzz` runs for longer. */
const SECONDS = 30;

export const fuzzTest = (target: () => Promise<Target> | Target): void => {
  test(`${SECONDS} s of inputs that nobody means well with`, { timeout: 900_000 }, async () => {
    const one = await target();
    const { runs, corpus, blocks } = await fuzz(one, SECONDS, seed);
    console.log(`${one.name}: ${runs} inputs (TEST_SEED=${seed}), ${corpus} kept, ${blocks} blocks`);
    expect(runs).toBeGreaterThan(one.seeds.length);
  });
};
