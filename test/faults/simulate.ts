// npm run simulate: whole control planes with their hosts under a virtual clock, each with the faults of its seed; see `usage` below.
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { commandLine, oneOf, wholeNumber } from "../support/commandLine.ts";
import type { Outcome } from "./sim/run.ts";
import { stores, type StoreKind } from "./sim/story.ts";
import { Summary } from "./summary.ts";

const usage = `Usage: npm run simulate -- [options]

  --seeds N      how many seeds to run (default 1000)
  --from S       the first one (default 1)
  --workers W    processes that share them (default 2)
  --store NAME   ${stores.join(", ")} (default: by the seed)
  --plant NAME   with a known bug; npm run simulate:plants has them all
  --first        end at the first seed that fails
  --trace        print every step of a seed

Exit code: 0 every seed ran clean, 1 some did not (each is named with what went wrong, and how to replay it), 2 wrong options.`;

const options = () => {
  const { values } = commandLine(usage, {
    options: {
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      workers: { type: "string", default: "2" },
      store: { type: "string" },
      plant: { type: "string" },
      first: { type: "boolean", default: false },
      trace: { type: "boolean", default: false },
    },
  });
  const store = oneOf(values.store, stores, "--store");
  const [from, count] = [wholeNumber(values.from, "--from"), wholeNumber(values.seeds, "--seeds")];
  return { ...values, store, from, count, workers: Math.max(1, wholeNumber(values.workers, "--workers")) };
};

/** What a worker is told to run; each of them takes every so manieth seed. */
export interface Order {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly store: StoreKind | undefined;
  readonly trace: boolean;
}

const { from, count, workers, store, plant, first, trace } = options();
const summary = new Summary({ count, trace, out: (text) => process.stdout.write(text), tty: process.stdout.isTTY });
const worker = fileURLToPath(new URL("worker.ts", import.meta.url));
const compiled = fileURLToPath(new URL("../../.cache/compiled", import.meta.url));
const hook = plant === undefined ? [] : ["--import", new URL(`plants/hook.ts?${plant}`, import.meta.url).href];
const children: ChildProcess[] = [];
let stopped = false;

const work = (index: number): Promise<void> =>
  new Promise((resolve) => {
    const child = fork(worker, {
      // A world is short-lived: most of it is garbage before a larger young generation is full.
      execArgv: [...process.execArgv, "--max-semi-space-size=32", ...hook],
      env: { ...process.env, NODE_COMPILE_CACHE: compiled },
      serialization: "advanced",
    });
    children.push(child);
    const step = Math.min(workers, count);
    child.send({ from: from + index, to: from + count, step, store, trace } satisfies Order);
    child.on("message", (outcome: Outcome) => {
      summary.add(outcome);
      if (!first || outcome.problems.length === 0) return;
      stopped = true;
      for (const one of children) one.kill();
    });
    child.on("exit", (code) => {
      if (code !== 0 && code !== null) summary.broken(`a worker ended with code ${code}`);
      resolve();
    });
  });

await Promise.all(Array.from({ length: Math.min(workers, count) }, (_, index) => work(index)));
process.exitCode = summary.end({ early: stopped });
