import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import type { Condition, Resource } from "../../src/api/resource.ts";
import { list } from "../../src/cli/simulator/show.ts";
import { setVlan } from "../../src/cli/simulator/vmActions.ts";
import type { JobRecord } from "../../src/engine/ports.ts";
import type { RunningPlane, Usages } from "./process.ts";
import { hostName } from "./world.ts";

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
  const told = setInterval(() => {
    const { rssMiB, cpuSeconds } = plane.usage().plane;
    const seconds = Math.round((Date.now() - plane.startedAt) / 1000);
    say(`  ${seconds} s: ${ready.size} of ${wanted} Ready, RSS ${rssMiB} MiB, CPU ${Math.round(cpuSeconds)} s`);
  }, 10_000);
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

export type Counters = Readonly<Record<string, number>>;

export const countersOf = async (plane: RunningPlane): Promise<Counters> =>
  (await plane.client.status()).counters ?? {};

/** Counters and the use of processors at one moment. */
export interface Moment {
  readonly at: number;
  readonly counters: Counters;
  readonly usage: Usages;
}

export const momentOf = async (plane: RunningPlane): Promise<Moment> => ({
  at: Date.now(),
  counters: await countersOf(plane),
  usage: plane.usage(),
});

/** How much each counter grew. */
export const growth =
  (before: Moment, after: Moment) =>
  (name: string): number =>
    (after.counters[name] ?? 0) - (before.counters[name] ?? 0);

export interface Cost {
  readonly jobs: number;
  /** Metadata and status up to Ready, without mere progress. */
  readonly writesAnObject: number;
  readonly progressWritesAnObject: number;
  /** News of objects that are Ready already, e.g. what their guests tell. */
  readonly laterWritesAnObject: number;
  readonly reconcilesAnObject: number;
  readonly inventories: number;
  readonly planeCpuSeconds: number;
  readonly agentsCpuSeconds: number;
}

/** What it took to bring so many objects from apply to Ready. */
export const costOf = (before: Moment, after: Moment, objects: number): Cost => {
  const grown = growth(before, after);
  const besides = grown("progressWrites") + grown("laterWrites");
  const cpu = (of: "plane" | "agents"): number => round(after.usage[of].cpuSeconds - before.usage[of].cpuSeconds, 1);
  return {
    jobs: grown("hostJobs"),
    writesAnObject: round((grown("metadataWrites") + grown("statusWrites") - besides) / objects),
    progressWritesAnObject: round(grown("progressWrites") / objects),
    laterWritesAnObject: round(grown("laterWrites") / objects),
    reconcilesAnObject: round(grown("reconciles") / objects, 1),
    inventories: grown("hostInventories"),
    planeCpuSeconds: cpu("plane"),
    agentsCpuSeconds: cpu("agents"),
  };
};

/** Until nothing was written for so long: guests tell their news after the start, series of Events are brought up to date. */
export const settled = async (
  plane: RunningPlane,
  writes: (counters: Counters) => number,
  ms: number,
): Promise<void> => {
  for (let before = -1; ; await sleep(ms)) {
    const now = writes(await countersOf(plane));
    if (now === before) return;
    before = now;
  }
};

const machinesOf = async (state: string): Promise<readonly string[]> => [
  ...new Set((await list(state, [])).match(/\bvm\d+\b/g)),
];

const stateOf = (data: string, host: number): string => join(data, "simulated", hostName(host));

/** Changes an adapter of a simulated host behind the control plane's back; gives its machine, of which it has the name. */
export const spoilAdapter = async (data: string, host: number, which: number): Promise<string> => {
  const state = stateOf(data, host);
  const machines = await machinesOf(state);
  const name = machines[which % machines.length];
  if (name === undefined) throw new Error(`no machine on ${state}`);
  await setVlan(state, [name, "99"]);
  return name;
};

/** Seconds from the start of the process to its first job, which must repair the adapter; and how many jobs there were. */
export const firstRepair = async (plane: RunningPlane): Promise<{ seconds: number; jobs: number }> => {
  for (;;) {
    const jobs = await plane.client.jobs({ limit: 20 });
    const repairs = jobs.filter(({ queuedAt }) => Date.parse(queuedAt) >= plane.startedAt);
    const first = repairs.at(-1);
    if (first?.finishedAt !== undefined) {
      if (first.operation !== "nic.update") throw new Error(`the first job is ${first.operation}, not nic.update`);
      return { seconds: round((Date.parse(first.startedAt ?? "") - plane.startedAt) / 1000), jobs: repairs.length };
    }
    if (Date.now() - plane.startedAt > PATIENCE_MS) throw new Error("no repair within 10 minutes");
    await sleep(50);
  }
};

const PATIENCE_MS = 600_000;
const DRIFT_PAUSE_MS = 370;

export interface DriftFigures {
  readonly samples: number;
  readonly p50: number;
  readonly p95: number;
  readonly longest: number;
  /** Jobs that were sent; one a change. */
  readonly jobs: number;
}

/** Seconds from a change behind the control plane's back to the start of the job that repairs it, over changes on all hosts. */
export const measureDrift = async (
  plane: RunningPlane,
  { data, hosts, samples }: { readonly data: string; readonly hosts: number; readonly samples: number },
): Promise<DriftFigures> => {
  const before = await countersOf(plane);
  const changes: { readonly name: string; readonly at: number }[] = [];
  for (let n = 0; n < samples; n += 1) {
    const at = Date.now();
    changes.push({ name: await spoilAdapter(data, n % hosts, Math.floor(n / hosts)), at });
    await sleep(DRIFT_PAUSE_MS);
  }
  const took = await Promise.all(changes.map(({ name, at }) => repairOf(plane, name, at)));
  const sorted = took.toSorted((a, b) => a - b);
  const part = (share: number): number => round((sorted[Math.ceil(share * samples) - 1] ?? 0) / 1000);
  const jobs = ((await countersOf(plane))["hostJobs"] ?? 0) - (before["hostJobs"] ?? 0);
  return { samples, p50: part(0.5), p95: part(0.95), longest: part(1), jobs };
};

/** Milliseconds until the repairing job of a machine's adapter started. */
const repairOf = async (plane: RunningPlane, name: string, since: number): Promise<number> => {
  const key = { kind: "NetworkAdapter", namespace: "default", name };
  const isRepair = ({ operation, queuedAt, finishedAt }: JobRecord): boolean =>
    operation === "nic.update" && Date.parse(queuedAt) >= since && finishedAt !== undefined;
  for (;;) {
    const repair = (await plane.client.jobs({ key, limit: 5 })).findLast(isRepair);
    if (repair) return Date.parse(repair.startedAt ?? "") - since;
    if (Date.now() - since > PATIENCE_MS) throw new Error(`no repair of ${name} within 10 minutes`);
    await sleep(200);
  }
};
