// npm run bench, npm run bench:scale: a whole control plane over files, its hosts a process each; see `usage` below and docs/performance.md.
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeBehaviour } from "../../agents/simulator/process/host.ts";
import {
  allReady,
  costOf,
  firstRepair,
  growth,
  KINDS,
  measureDrift,
  momentOf,
  round,
  say,
  settled,
  spoilAdapter,
  type Cost,
  type Counters,
  type DriftFigures,
} from "./measure.ts";
import { commandLine } from "../support/commandLine.ts";
import { RunningPlane } from "./process.ts";
import { tell, type Line } from "./report.ts";
import { behaviour, floorMs, hostName, hostObjects, INTERVAL_SECONDS, machineObjects, manifestOf } from "./world.ts";

const usage = `Usage: npm run bench -- [options]

  --vms N[,N]      machines, 3 objects each (default 100,1000)
  --hosts N        simulated hosts, a process each (default 10)
  --factor F       how slow the hosts are: 1 = 50 ms a short operation, 1 s a start, 1 GiB/s a copy (default 1)
  --idle S         seconds of idleness that are watched (default 20)
  --drift N        changes behind the control plane's back, for the time to their repair (default 40)
  --json FILE      also write all numbers to a file
  --profile DIR    also write processor profiles of the control plane (node --cpu-prof)
  --source         run from the source instead of dist
  --keep           keep the folders

Exit code: 0 the goals hold, 1 one does not, 2 the bench could not run.`;

interface Result extends Cost {
  readonly machines: number;
  readonly hosts: number;
  readonly objects: number;
  readonly floorSeconds: number;
  readonly convergeSeconds: number;
  readonly ratio: number;
  readonly planeRssMiB: number;
  readonly planePeakMiB: number;
  /** What the objects and their machines added to the process without them. */
  readonly memoryAnObjectKiB: number;
  readonly agentsRssMiB: number;
  readonly idle: Idle;
  readonly drift: DriftFigures;
  /** From the start of the process to the first job that repairs what happened meanwhile. */
  readonly restartSeconds: number;
  readonly restartJobs: number;
}

interface Idle {
  readonly seconds: number;
  readonly writes: number;
  /** Files of the store that changed. */
  readonly storeFiles: number;
  readonly jobs: number;
  readonly questionsAHostAndInterval: number;
  readonly bytesAQuestion: number;
  readonly planeCpuPercent: number;
}

const options = () =>
  commandLine(usage, {
    options: {
      vms: { type: "string", default: "100,1000" },
      hosts: { type: "string", default: "10" },
      factor: { type: "string", default: "1" },
      idle: { type: "string", default: "20" },
      drift: { type: "string", default: "40" },
      json: { type: "string" },
      profile: { type: "string" },
      source: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
    },
  }).values;

type Values = ReturnType<typeof options>;

interface Bench {
  readonly machines: number;
  readonly hosts: number;
  readonly factor: number;
  readonly values: Values;
  readonly top: string;
  readonly files: string;
  readonly data: string;
}

const writesOf = ({ metadataWrites = 0, statusWrites = 0 }: Counters): number => metadataWrites + statusWrites;

/** Size and time of every file of the store: what a write could not leave as it was. */
const storeFiles = ({ data }: Bench): ReadonlyMap<string, string> => {
  const folder = join(data, "store");
  return new Map(
    readdirSync(folder).map((name) => {
      const { size, mtimeMs } = statSync(join(folder, name));
      return [name, `${size} ${mtimeMs}`];
    }),
  );
};

const measureIdle = async (bench: Bench, plane: RunningPlane): Promise<Idle> => {
  const seconds = Number(bench.values.idle);
  const [files, before] = [storeFiles(bench), await momentOf(plane)];
  await sleep(seconds * 1000);
  const [after, filesAfter] = [await momentOf(plane), storeFiles(bench)];
  const grown = growth(before, after);
  const cpu = after.usage.plane.cpuSeconds - before.usage.plane.cpuSeconds;
  return {
    seconds,
    writes: writesOf(after.counters) - writesOf(before.counters),
    storeFiles: [...filesAfter].filter(([name, mark]) => files.get(name) !== mark).length,
    jobs: grown("hostJobs"),
    questionsAHostAndInterval: round((grown("hostInventories") * INTERVAL_SECONDS) / bench.hosts / seconds),
    bytesAQuestion: Math.round(grown("hostBytes") / Math.max(1, grown("hostInventories"))),
    planeCpuPercent: round((cpu / ((after.at - before.at) / 1000)) * 100),
  };
};

const start = ({ top, data, files, values }: Bench): Promise<RunningPlane> =>
  RunningPlane.start({
    data,
    log: join(top, "output.log"),
    source: values.source,
    profile: values.profile,
    args: ["--files", files],
  });

/** Changes an adapter behind the stopped control plane's back, starts it anew, and waits for the repairing job. */
const measureRestart = async (bench: Bench): Promise<{ seconds: number; jobs: number }> => {
  say("  restart");
  await spoilAdapter(bench.data, 0, 0);
  const plane = await start(bench);
  try {
    return await firstRepair(plane);
  } finally {
    await plane.stop();
  }
};

const prepare = ({ files, data, hosts, factor }: Bench): void => {
  mkdirSync(files);
  writeFileSync(join(files, "hosts.yaml"), manifestOf(hostObjects(hosts)));
  for (let index = 0; index < hosts; index += 1) {
    const state = join(data, "simulated", hostName(index));
    mkdirSync(state, { recursive: true });
    writeBehaviour(state, behaviour(factor));
  }
};

/** Files of a hundred machines each, all put in place at the same time. */
const manifestsOf = ({ machines, top }: Bench): readonly string[] => {
  const paths: string[] = [];
  for (let from = 0; from < machines; from += 100) {
    const some = Array.from({ length: Math.min(100, machines - from) }, (_, index) => machineObjects(from + index));
    paths.push(join(top, `machines-${String(from).padStart(5, "0")}.yaml`));
    writeFileSync(paths.at(-1) ?? "", manifestOf(some.flat()));
  }
  return paths;
};

const converge = async (bench: Bench, plane: RunningPlane) => {
  const objects = bench.machines * KINDS.length;
  const manifests = manifestsOf(bench);
  const before = await momentOf(plane);
  const begin = Date.now();
  for (const path of manifests) renameSync(path, path.replace(bench.top, bench.files));
  const convergeMs = (await allReady(plane, KINDS, objects)) - begin;
  const after = await momentOf(plane);
  const floor = floorMs(bench.machines, bench.hosts, bench.factor);
  say(`  converged after ${round(convergeMs / 1000)} s, floor ${round(floor / 1000)} s`);
  return {
    ...costOf(before, after, objects),
    objects,
    floorSeconds: round(floor / 1000),
    convergeSeconds: round(convergeMs / 1000),
    ratio: round(convergeMs / floor, 3),
    emptyRssMiB: before.usage.plane.rssMiB,
  };
};

const measure = async (bench: Bench): Promise<Result> => {
  const { machines, hosts, data, values } = bench;
  const plane = await start(bench);
  try {
    await allReady(plane, ["VMHost"], hosts);
    await sleep(1000);
    const { emptyRssMiB, ...converged } = await converge(bench, plane);
    await settled(plane, writesOf, 10_000);
    const idle = await measureIdle(bench, plane);
    const memory = plane.usage();
    say("  drift");
    const drift = await measureDrift(plane, { data, hosts, samples: Number(values.drift) });
    await plane.stop();
    const restart = await measureRestart(bench);
    return {
      machines,
      hosts,
      ...converged,
      planeRssMiB: memory.plane.rssMiB,
      planePeakMiB: memory.plane.peakMiB,
      memoryAnObjectKiB: round(((memory.plane.rssMiB - emptyRssMiB) * 1024) / converged.objects, 1),
      agentsRssMiB: memory.agents.rssMiB,
      idle,
      drift,
      restartSeconds: restart.seconds,
      restartJobs: restart.jobs,
    };
  } finally {
    if (plane.child.exitCode === null) plane.child.kill("SIGKILL");
  }
};

const run = async (machines: number, values: Values): Promise<Result> => {
  const top = mkdtempSync(join(tmpdir(), "aetherv-bench-"));
  const [hosts, factor] = [Number(values.hosts), Number(values.factor)];
  const bench: Bench = { machines, hosts, factor, values, top, files: join(top, "files"), data: join(top, "data") };
  say(`${machines} machines on ${hosts} hosts in ${top}`);
  try {
    prepare(bench);
    return await measure(bench);
  } finally {
    if (!values.keep) rmSync(top, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });
  }
};

const lines: readonly Line<Result>[] = [
  { title: "floor, s", of: (one) => one.floorSeconds },
  { title: "converged after, s", of: (one) => one.convergeSeconds },
  { title: "ratio", of: (one) => one.ratio, most: 1.3 },
  { title: "jobs", of: (one) => one.jobs },
  { title: "store writes an object up to Ready", of: (one) => one.writesAnObject, most: 3 },
  { title: "further writes of progress", of: (one) => one.progressWritesAnObject },
  { title: "further writes of later news", of: (one) => one.laterWritesAnObject },
  { title: "looks (reconciles) an object", of: (one) => one.reconcilesAnObject },
  { title: "inventories while converging", of: (one) => one.inventories },
  { title: "CPU of the control plane, s", of: (one) => one.planeCpuSeconds },
  { title: "CPU of the agents, s", of: (one) => one.agentsCpuSeconds },
  { title: "memory (RSS) of the control plane, MiB", of: (one) => one.planeRssMiB, most: 600 },
  { title: "its peak, MiB", of: (one) => one.planePeakMiB },
  { title: "memory an object, KiB", of: (one) => one.memoryAnObjectKiB },
  { title: "memory (RSS) of all agents, MiB", of: (one) => one.agentsRssMiB },
  { title: "idle: seconds watched", of: (one) => one.idle.seconds },
  { title: "idle: store writes", of: (one) => one.idle.writes, most: 0 },
  { title: "idle: files of the store that changed", of: (one) => one.idle.storeFiles, most: 0 },
  { title: "idle: jobs", of: (one) => one.idle.jobs, most: 0 },
  { title: "idle: questions a host and interval", of: (one) => one.idle.questionsAHostAndInterval },
  { title: "idle: bytes a question", of: (one) => one.idle.bytesAQuestion },
  { title: "idle: CPU of the control plane, %", of: (one) => one.idle.planeCpuPercent, most: 5 },
  { title: "drift: changes behind its back, jobs", of: ({ drift }) => `${drift.samples}, ${drift.jobs}` },
  { title: "drift: to the repairing job, p50, s", of: (one) => one.drift.p50 },
  { title: "drift: to the repairing job, p95, s", of: (one) => one.drift.p95, most: INTERVAL_SECONDS + 1 },
  { title: "drift: the longest, s", of: (one) => one.drift.longest },
  { title: "restart to the first repairing job, s", of: (one) => one.restartSeconds },
];

const main = async (): Promise<number> => {
  const values = options();
  const results: Result[] = [];
  for (const machines of values.vms.split(",").map(Number)) results.push(await run(machines, values));
  const head = ({ machines }: Result): string => `${machines} VMs`;
  return tell({ lines, results, head, json: values.json, about: { intervalSeconds: INTERVAL_SECONDS } }) ? 0 : 1;
};

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(2));
process.exitCode = await main().catch((error: unknown) => {
  say(`the bench failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 2;
});
