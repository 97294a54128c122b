import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { findPlant } from "./plants/find.ts";
import { plants } from "./plants/plants.ts";
import { simulate } from "./sim/run.ts";
import { stores } from "./sim/story.ts";

/** As `npm run simulate` does. */
const campaign = async (args: readonly string[]): Promise<{ readonly code: number | null; readonly text: string }> => {
  const program = fileURLToPath(new URL("simulate.ts", import.meta.url));
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (part: Buffer) => (text += String(part)));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, text };
};

test("300 seeds run clean", { timeout: 600_000 }, async () => {
  const { code, text } = await campaign(["--seeds", "300"]);
  expect({ code, text: code === 0 ? "" : text }).toEqual({ code: 0, text: "" });
  expect(text).toMatch(/300 seeds in .* 0 failed/);
});

test.each(stores)(
  "the same seed makes the same run, another seed another (%s)",
  { timeout: 120_000 },
  async (store) => {
    const [first, second, other] = [
      await simulate(5, { stores: [store], trace: "keep" }),
      await simulate(5, { stores: [store], trace: "keep" }),
      await simulate(6, { stores: [store] }),
    ];
    expect(second.trace).toEqual(first.trace);
    expect(second.hash).toBe(first.hash);
    expect(first.trace.length).toBeGreaterThan(100);
    expect(other.hash).not.toBe(first.hash);
  },
);

/** Seeds that are known to find them: the whole search is `npm run simulate:plants`. */
const known = { "no-live-read": 19, shrinks: 10, "no-fence": 24 } as const;

test.each(Object.entries(known))(
  "the planted bug %s is found, and its failure is told",
  { timeout: 300_000 },
  async (name, from) => {
    const plant = plants.find((one) => one.name === name);
    if (!plant) throw new Error(`there is no plant ${name}`);
    const found = await findPlant(plant, { seeds: 40, from, workers: 1 });
    expect(found?.how).toMatch(/\w/);
  },
);

test("a failing seed is told with its trace, and ends with code 1", { timeout: 120_000 }, async () => {
  const args = ["--from", "10", "--seeds", "40", "--workers", "1", "--plant", "shrinks", "--first"];
  const { code, text } = await campaign(args);
  const seed = /FAIL seed (\d+)/.exec(text)?.[1] ?? "none";
  expect({ code, again: text.includes(`npm run simulate -- --from ${seed} --seeds 1 --trace`) }).toEqual({
    code: 1,
    again: true,
  });
  const replay = await campaign(["--from", seed, "--seeds", "1", "--plant", "shrinks", "--trace"]);
  expect(replay.text).toMatch(/ALARM .* shrank/);
  expect(/hash ([0-9a-f]{8})/.exec(replay.text)?.[1]).toBe(/hash ([0-9a-f]{8})/.exec(text)?.[1]);
});
