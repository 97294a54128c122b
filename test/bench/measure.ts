import { setTimeout as sleep } from "node:timers/promises";
import { list } from "../../src/cli/simulator/show.ts";
import { setVlan } from "../../src/cli/simulator/vmActions.ts";
import type { Condition, Resource } from "../../src/api/resource.ts";
import type { RunningPlane } from "./process.ts";

/** What the benches over a whole control plane share. */

export const KINDS = ["VirtualMachine", "VirtualDisk", "NetworkAdapter"];

export const say = (text: string): void => void process.stderr.write(`${text}\n`);
export const round = (value: number, digits = 2): number => Number(value.toFixed(digits));

export const isReady = ({ status, metadata }: Resource): boolean => {
  const conditions = (status as { conditions?: readonly Condition[] } | undefined)?.conditions;
  const ready = conditions?.find(({ type }) => type === "Ready");
  return ready?.status === "True" && ready.observedGeneration === metadata.generation;
};

/** Resolves when so many objects of these kinds are Ready; gives the time. */
export const allReady = async (plane: RunningPlane, kinds: readonly string[], wanted: number): Promise<number> => {
  const ready = new Set<string>();
  const stop = new AbortController();
  const told = setInterval(() => say(`  ${ready.size} of ${wanted} Ready`), 10_000);
  try {
    for await (const { object } of plane.client.watch(kinds, stop.signal)) {
      if (!object) continue;
      const name = `${object.kind}/${object.metadata.name}`;
      if (isReady(object)) ready.add(name);
      else ready.delete(name);
      if (ready.size === wanted) return Date.now();
    }
  } finally {
    clearInterval(told);
    stop.abort();
  }
  throw new Error("the control plane ended its watch");
};

export const countersOf = async (plane: RunningPlane): Promise<Readonly<Record<string, number>>> =>
  (await plane.client.status()).counters ?? {};

/** Changes an adapter of a simulated host behind the stopped control plane's back. */
export const spoilAdapter = async (state: string): Promise<void> => {
  const name = /vm\d{4}/.exec(await list(state, []))?.[0];
  if (name === undefined) throw new Error(`no machine on ${state}`);
  await setVlan(state, [name, "99"]);
};

/** Seconds from the start of the process to its first job, which must repair the adapter; and how many jobs there were. */
export const firstRepair = async (plane: RunningPlane): Promise<{ seconds: number; jobs: number }> => {
  for (;;) {
    const jobs = await plane.client.jobs({ limit: 20 });
    const repairs = jobs.filter(({ queuedAt }) => Date.parse(queuedAt) >= plane.startedAt);
    const first = repairs.at(-1);
    if (first?.finishedAt !== undefined) {
      if (first.operation !== "nic.update") throw new Error(`the first job is ${first.operation}, not nic.update`);
      return { seconds: (Date.parse(first.startedAt ?? "") - plane.startedAt) / 1000, jobs: repairs.length };
    }
    if (Date.now() - plane.startedAt > 120_000) throw new Error("no repair within 120 s");
    await sleep(50);
  }
};

/** The rows of a report, a column for each number of machines. */
export const table = <R extends { readonly machines: number }>(
  rows: readonly (readonly [string, (one: R) => string | number])[],
  results: readonly R[],
): string => {
  const lines = [["", ...results.map(({ machines }) => `${machines} VMs`)]];
  for (const [name, of] of rows) lines.push([name, ...results.map((one) => String(of(one)))]);
  const width = Math.max(...lines.map(([name = ""]) => name.length));
  return lines
    .map(([name = "", ...cells]) => name.padEnd(width) + cells.map((cell) => cell.padStart(12)).join(""))
    .join("\n");
};
