import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { isDue } from "../../../src/app/heap.ts";

const heap = new URL("../../../src/app/heap.ts", import.meta.url);

/** Allocates much of which a part lives on, with turns of the event loop between, and tells the bytes of the space for new objects. */
const program = `
import { getHeapSpaceStatistics } from "node:v8";
import { setTimeout as sleep } from "node:timers/promises";
import { holdHeap } from ${JSON.stringify(heap.href)};
holdHeap();
const kept = [];
for (let round = 0; round < 60; round += 1) {
  for (let n = 0; n < 60_000; n += 1) {
    const one = { n, text: "x" + n, list: [n] };
    if (n % 5 === 0) kept.push(one);
  }
  if (kept.length > 300_000) kept.splice(0, 150_000);
  await sleep(60);
}
process.stdout.write(String(getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space").space_size));
`;

it("the space for new objects stops growing while objects live on", async () => {
  const run = (lines: string) =>
    promisify(execFile)(process.execPath, ["--input-type=module", "--eval", lines], {
      cwd: fileURLToPath(new URL(".", heap)),
    });
  const [held, free] = await Promise.all([run(program), run(program.replace("holdHeap();", ""))]);
  expect(Number(held.stdout)).toBeLessThan(Number(free.stdout));
});

const MiB = 2 ** 20;

it.each([
  { why: "at rest, with much that may have died", busy: 0.02, taken: 400 * MiB, kept: 0, due: true },
  { why: "at work", busy: 0.5, taken: 400 * MiB, kept: 0, due: false },
  { why: "at rest, just collected", busy: 0.02, taken: 300 * MiB, kept: 290 * MiB, due: false },
  { why: "at rest, grown since", busy: 0.02, taken: 400 * MiB, kept: 290 * MiB, due: true },
  { why: "a small heap", busy: 0, taken: 30 * MiB, kept: 0, due: false },
])("collects everything or not: $why", ({ due, ...pace }) => {
  expect(isDue(pace)).toBe(due);
});

it("gives back what a burst of work left behind, once the process rests", { timeout: 120_000 }, async () => {
  const burst = `
import { setTimeout as sleep } from "node:timers/promises";
import { holdHeap } from ${JSON.stringify(heap.href)};
holdHeap();
globalThis.kept = [];
for (let n = 0; n < 1_500_000; n += 1) globalThis.kept.push({ n, text: "x" + n });
// What V8 has begun by itself is over by then.
await sleep(2_000);
const most = process.memoryUsage().heapUsed;
globalThis.kept = [];
for (let tries = 0; tries < 600 && process.memoryUsage().heapUsed > most / 2; tries += 1) await sleep(100);
process.stdout.write(String(process.memoryUsage().heapUsed / most));
`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", burst]);
  expect(Number(stdout)).toBeLessThan(0.5);
});

it(
  "gives pages that a burst left half empty back, though the process goes on with a little work",
  { timeout: 120_000 },
  async () => {
    const burst = `
import { setTimeout as sleep } from "node:timers/promises";
import { holdHeap } from ${JSON.stringify(heap.href)};
holdHeap();
globalThis.kept = Array.from({ length: 1_500_000 }, (_, n) => ({ n, text: "x" + n }));
// Every page keeps some.
globalThis.kept = globalThis.kept.filter(({ n }) => n % 8 === 0);
const most = process.memoryUsage().rss;
globalThis.work = setInterval(() => (globalThis.some = Array.from({ length: 1_000 }, (_, n) => ({ n }))), 10);
for (let tries = 0; tries < 600 && process.memoryUsage().rss > most * 0.6; tries += 1) await sleep(100);
clearInterval(globalThis.work);
process.stdout.write(String(process.memoryUsage().rss / most));
`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", burst]);
    expect(Number(stdout)).toBeLessThan(0.6);
  },
);
