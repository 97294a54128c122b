// npm run bench -- [--json FILE] [--machines 100,1000] [--hosts 10] [--factor 1] [--source] [--keep]
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { writeBehaviour } from "../../agents/simulator/process/host.ts";
import { allReady, countersOf, firstRepair, KINDS, round, say, spoilAdapter, table } from "./measure.ts";
import { RunningPlane, type Usage } from "./process.ts";
import { behaviour, floorMs, hostDocuments, hostName, INTERVAL_SECONDS, machineDocuments } from "./world.ts";

const MOST_RATIO = 1.25;
const MOST_WRITES = 3;
const IDLE_INTERVALS = 4;

interface Result {
  readonly machines: number;
  readonly hosts: number;
  readonly objects: number;
  readonly floorSeconds: number;
  readonly convergeSeconds: number;
  readonly ratio: number;
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
  readonly planeRssMiB: number;
  readonly planePeakMiB: number;
  readonly agentsRssMiB: number;
  readonly idle: {
    readonly seconds: number;
    readonly intervals: number;
    readonly writes: number;
    readonly jobs: number;
    readonly questionsAHostAndInterval: number;
    readonly bytesAQuestion: number;
    readonly planeCpuPercent: number;
  };
  /** From the start of the process to the first job that repairs what happened meanwhile. */
  readonly restartSeconds: number;
  readonly restartJobs: number;
}

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    machines: { type: "string", default: "100,1000" },
    hosts: { type: "string", default: "10" },
    factor: { type: "string", default: "1" },
    source: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  say("npm run bench -- [--json FILE] [--machines 100,1000] [--hosts 10] [--factor 1] [--source] [--keep]");
  process.exit(0);
}

const measureIdle = async (plane: RunningPlane, hosts: number): Promise<Result["idle"]> => {
  const [before, cpu] = [await countersOf(plane), plane.usage().plane.cpuSeconds];
  const seconds = IDLE_INTERVALS * INTERVAL_SECONDS;
  await sleep(seconds * 1000);
  const after = await countersOf(plane);
  const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
  return {
    seconds,
    intervals: IDLE_INTERVALS,
    writes: grown("metadataWrites") + grown("statusWrites"),
    jobs: grown("hostJobs"),
    questionsAHostAndInterval: round(grown("hostInventories") / hosts / IDLE_INTERVALS),
    bytesAQuestion: Math.round(grown("hostBytes") / Math.max(1, grown("hostInventories"))),
    planeCpuPercent: round(((plane.usage().plane.cpuSeconds - cpu) / seconds) * 100),
  };
};

/** Changes an adapter behind the stopped control plane's back, starts it anew, and waits for the repairing job. */
const measureRestart = async (folders: Folders): Promise<{ seconds: number; jobs: number }> => {
  await spoilAdapter(join(folders.data, "simulated", hostName(0)));
  const plane = await start(folders);
  try {
    return await firstRepair(plane);
  } finally {
    await plane.stop();
  }
};

interface Folders {
  readonly files: string;
  readonly data: string;
  readonly log: string;
}

const start = ({ files, ...folders }: Folders): Promise<RunningPlane> =>
  RunningPlane.start({ ...folders, source: values.source ?? false, args: ["--files", files] });

const makeFolders = (hosts: number, factor: number): Folders & { readonly top: string } => {
  const top = mkdtempSync(join(tmpdir(), "aetherv-bench-"));
  const folders = { top, files: join(top, "files"), data: join(top, "data"), log: join(top, "output.log") };
  mkdirSync(folders.files);
  writeFileSync(join(folders.files, "hosts.yaml"), hostDocuments(hosts));
  for (let index = 0; index < hosts; index += 1) {
    const state = join(folders.data, "simulated", hostName(index));
    mkdirSync(state, { recursive: true });
    writeBehaviour(state, behaviour(factor));
  }
  return folders;
};

/** One file of a hundred machines each, put in place by a rename each. */
const writeMachines = ({ files }: Folders, machines: number): void => {
  for (let from = 0; from < machines; from += 100) {
    const some = Array.from({ length: Math.min(100, machines - from) }, (_, index) => machineDocuments(from + index));
    const path = join(files, `machines-${from}.yaml`);
    writeFileSync(`${path}.tmp`, some.join("\n---\n"));
    renameSync(`${path}.tmp`, path);
  }
};

const bench = async (machines: number, hosts: number, factor: number): Promise<Result> => {
  const folders = makeFolders(hosts, factor);
  say(`${machines} machines on ${hosts} hosts in ${folders.top}`);
  let plane = await start(folders);
  try {
    await allReady(plane, ["VMHost"], hosts);
    await sleep(1000);
    const [before, usedBefore] = [await countersOf(plane), plane.usage()];
    const begin = Date.now();
    writeMachines(folders, machines);
    const objects = machines * KINDS.length;
    const convergeMs = (await allReady(plane, KINDS, objects)) - begin;
    const [after, used] = [await countersOf(plane), plane.usage()];
    const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    const besides = grown("progressWrites") + grown("laterWrites");
    const cpu = (of: "plane" | "agents"): number => round(used[of].cpuSeconds - usedBefore[of].cpuSeconds, 1);
    say(`  converged after ${round(convergeMs / 1000)} s`);
    // What the guests tell after their start is news, not idleness.
    await sleep(15_000);
    const idle = await measureIdle(plane, hosts);
    const memory: { plane: Usage; agents: Usage } = plane.usage();
    await plane.stop();
    const restart = await measureRestart(folders);
    const floor = floorMs(machines, hosts, factor);
    return {
      machines,
      hosts,
      objects,
      floorSeconds: round(floor / 1000),
      convergeSeconds: round(convergeMs / 1000),
      ratio: round(convergeMs / floor, 3),
      jobs: grown("hostJobs"),
      writesAnObject: round((grown("metadataWrites") + grown("statusWrites") - besides) / objects),
      progressWritesAnObject: round(grown("progressWrites") / objects),
      laterWritesAnObject: round(grown("laterWrites") / objects),
      reconcilesAnObject: round(grown("reconciles") / objects, 1),
      inventories: grown("hostInventories"),
      planeCpuSeconds: cpu("plane"),
      agentsCpuSeconds: cpu("agents"),
      planeRssMiB: memory.plane.rssMiB,
      planePeakMiB: memory.plane.peakMiB,
      agentsRssMiB: memory.agents.rssMiB,
      idle,
      restartSeconds: round(restart.seconds),
      restartJobs: restart.jobs,
    };
  } finally {
    if (plane.child.exitCode === null) plane.child.kill("SIGKILL");
    if (!values.keep) rmSync(folders.top, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });
  }
};

const rows: readonly (readonly [string, (one: Result) => string | number])[] = [
  ["floor, s", (one) => one.floorSeconds],
  ["converged after, s", (one) => one.convergeSeconds],
  [`ratio (at most ${MOST_RATIO})`, (one) => one.ratio],
  ["jobs", (one) => one.jobs],
  [`store writes an object (at most ${MOST_WRITES})`, (one) => one.writesAnObject],
  ["further writes of progress", (one) => one.progressWritesAnObject],
  ["further writes of later news", (one) => one.laterWritesAnObject],
  ["reconciles an object", (one) => one.reconcilesAnObject],
  ["inventories while converging", (one) => one.inventories],
  ["CPU of the control plane, s", (one) => one.planeCpuSeconds],
  ["CPU of the agents, s", (one) => one.agentsCpuSeconds],
  ["memory (RSS) of the control plane, MiB", (one) => one.planeRssMiB],
  ["its peak, MiB", (one) => one.planePeakMiB],
  ["memory (RSS) of all agents, MiB", (one) => one.agentsRssMiB],
  ["idle: store writes", (one) => one.idle.writes],
  ["idle: jobs", (one) => one.idle.jobs],
  ["idle: questions a host and interval", (one) => one.idle.questionsAHostAndInterval],
  ["idle: bytes a question", (one) => one.idle.bytesAQuestion],
  ["idle: CPU of the control plane, %", (one) => one.idle.planeCpuPercent],
  ["restart to the first repairing job, s", (one) => one.restartSeconds],
];

const results: Result[] = [];
for (const machines of (values.machines ?? "").split(",").map(Number))
  results.push(await bench(machines, Number(values.hosts), Number(values.factor)));
process.stdout.write(`${table(rows, results)}\n`);
const report = { node: process.version, cpus: cpus().length, intervalSeconds: INTERVAL_SECONDS, results };
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
const failed = results.filter(({ ratio, writesAnObject }) => ratio > MOST_RATIO || writesAnObject > MOST_WRITES);
process.exitCode = failed.length > 0 ? 1 : 0;
