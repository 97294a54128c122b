import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

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
