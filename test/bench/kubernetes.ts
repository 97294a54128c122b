// npm run bench:kubernetes: a whole control plane over a real API server; see `usage` below and docs/performance.md.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeBehaviour } from "../../agents/simulator/process/host.ts";
import type { Resource } from "../../src/api/resource.ts";
import type { KubeClient } from "../../src/stores/kubernetes/client.ts";
import { collectionPath } from "../../src/stores/kubernetes/paths.ts";
import { allObjects, installCrds, removeAll, startKubeApi, type KubeApi } from "../support/kubeApi.ts";
import {
  allReady,
  costOf,
  firstRepair,
  growth,
  isReady,
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
import { behaviour, floorMs, hostName, hostObjects, INTERVAL_SECONDS, machineObjects } from "./world.ts";

const MOST_WRITES = 3;
/** Requests of the bench itself at the same time, as kubectl or Argo CD make a few. */
const APPLIERS = 16;
/** Objects that the bare client writes to learn the server's rate. */
const BARE_OBJECTS = 500;

const usage = `Usage: npm run bench:kubernetes -- [options]

From apply to Ready over a real API server against the floor, idleness, restart.

  --vms N[,N]    machines, 3 objects each (default 100,1000)
  --hosts N      simulated hosts, a process each (default 10)
  --factor F     how slow the hosts are: 1 = 50 ms a short operation, 1 s a start, 1 GiB/s a copy (default 1)
  --idle S       seconds of idleness that are watched (default 60)
  --drift N      changes behind the control plane's back, for the time to their repair (default 40)
  --json FILE    also write all numbers to a file
  --source       run from the source instead of dist
  --keep         keep the folders

Exit code: 0 the goals hold, 1 one does not, 2 wrong options.`;

const { values } = commandLine(usage, {
  options: {
    json: { type: "string" },
    vms: { type: "string", default: "100,1000" },
    hosts: { type: "string", default: "10" },
    factor: { type: "string", default: "1" },
    idle: { type: "string", default: "60" },
    drift: { type: "string", default: "40" },
    source: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});

interface Result extends Cost {
  readonly machines: number;
  readonly hosts: number;
  readonly objects: number;
  readonly hostFloorSeconds: number;
  readonly bareWritesASecond: number;
  readonly writeFloorSeconds: number;
  readonly floorSeconds: number;
  readonly applySeconds: number;
  readonly convergeSeconds: number;
  readonly ratio: number;
  /** Patches, creates and deletes of any kind that were sent, Events included, the Lease not. */
  readonly requestsAnObject: number;
  /** Of etcd and the API server. */
  readonly serversCpuSeconds: number;
  /** Processes that wanted a processor, this bench's included: the average over the last minute of converging. */
  readonly load: number;
  readonly planeRssMiB: number;
  readonly planePeakMiB: number;
  readonly idle: Idle;
  readonly drift: DriftFigures;
  readonly restartSeconds: number;
  readonly restartJobs: number;
}

interface Idle {
  readonly seconds: number;
  /** As the control plane counts what it sends. */
  readonly writes: number;
  readonly leaseWrites: number;
  /** Writes to the whole store of the API server, whoever made them, as its own version tells. */
  readonly serverWrites: number;
  readonly planeCpuPercent: number;
}

interface Bench {
  readonly api: KubeApi;
  readonly data: string;
  readonly log: string;
}

/** Does the work with so many at the same time. */
const inParallel = async <T>(
  items: readonly T[],
  count: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> => {
  const left = items[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: count }, async () => {
      for (const item of left) await work(item);
    }),
  );
};

const apply = (client: KubeClient, object: Resource): Promise<unknown> =>
  client.call({
    verb: "create",
    path: collectionPath(object.kind, object.kind === "VMHost" ? undefined : (object.metadata.namespace ?? "default")),
    query: { fieldManager: "kubectl", fieldValidation: "Strict" },
    body: object,
  });

/** Writes a second that a client reaches which does nothing else: creates, then the writes that an object costs on its way to Ready. */
const bareRate = async (client: KubeClient): Promise<number> => {
  const objects = Array.from({ length: BARE_OBJECTS }, (_, n) => {
    const spec = { source: { type: "Blank" }, size: "1Gi" };
    return { apiVersion: "aetherv.io/v1alpha1", kind: "VirtualDisk", metadata: { name: `bare-${n}` }, spec };
  }) as unknown as readonly Resource[];
  const conditions = ["Ready", "Reconciling"].map((type) => ({
    type,
    status: "Unknown",
    reason: "Waiting",
    message: "a message of usual length, as conditions have them",
    lastTransitionTime: "2026-01-01T00:00:00Z",
    observedGeneration: 1,
  }));
  const path = (object: Resource): string => `${collectionPath("VirtualDisk", "default")}/${object.metadata.name}`;
  const begin = Date.now();
  await inParallel(objects, 64, async (object) => {
    await apply(client, object);
    await client.call({ verb: "patch", path: path(object), body: { metadata: { annotations: { bare: "1" } } } });
    for (const observedGeneration of [1, 2])
      await client.call({
        verb: "patch",
        path: `${path(object)}/status`,
        body: { status: { observedGeneration, conditions } },
      });
  });
  const seconds = (Date.now() - begin) / 1000;
  await inParallel(objects, 64, (object) => client.call({ verb: "delete", path: path(object) }));
  return (BARE_OBJECTS * (1 + MOST_WRITES)) / seconds;
};

/** How many writes the server's store has seen: its version counts them. */
const storeVersion = async (client: KubeClient): Promise<number> => {
  const path = "/api/v1/namespaces";
  const { metadata } = await client.call<{ metadata: { resourceVersion: string } }>({ verb: "list", path });
  return Number(metadata.resourceVersion);
};

const objectWrites = ({ apiPatch = 0, apiCreate = 0, apiDelete = 0 }: Counters): number =>
  apiPatch + apiCreate + apiDelete;

const measureIdle = async ({ api }: Bench, plane: RunningPlane, seconds: number): Promise<Idle> => {
  say(`  idle for ${seconds} s`);
  const [before, version] = [await momentOf(plane), await storeVersion(api.client)];
  await sleep(seconds * 1000);
  const [after, versionAfter] = [await momentOf(plane), await storeVersion(api.client)];
  const cpu = after.usage.plane.cpuSeconds - before.usage.plane.cpuSeconds;
  return {
    seconds,
    writes: objectWrites(after.counters) - objectWrites(before.counters),
    leaseWrites: growth(before, after)("apiUpdate"),
    serverWrites: versionAfter - version,
    planeCpuPercent: round((cpu / ((after.at - before.at) / 1000)) * 100),
  };
};

/** Starts a control plane and waits until it leads: before, it answers as a standby. */
const start = async ({ api, data, log }: Bench): Promise<RunningPlane> => {
  const args = ["--kubernetes", "--kubeconfig", api.kubeconfig, "--allow-local-hosts"];
  const plane = await RunningPlane.start({ data, log, source: values.source, args });
  while ((await plane.client.status()).epoch === 0) {
    if (Date.now() - plane.startedAt > 60_000) throw new Error("it does not lead after 60 s");
    await sleep(20);
  }
  return plane;
};

const measureRestart = async (bench: Bench): Promise<{ seconds: number; jobs: number }> => {
  await spoilAdapter(bench.data, 0, 0);
  const plane = await start(bench);
  try {
    return await firstRepair(plane);
  } finally {
    await plane.stop();
  }
};

const converge = async (bench: Bench, plane: RunningPlane, machines: number) => {
  const { client } = bench.api;
  const objects = Array.from({ length: machines }, (_, index) => machineObjects(index) as readonly Resource[]).flat();
  const [before, serversBefore] = [await momentOf(plane), plane.servers()];
  const begin = Date.now();
  const done = allReady(plane, KINDS, objects.length);
  await inParallel(objects, APPLIERS, (object) => apply(client, object));
  const applySeconds = round((Date.now() - begin) / 1000);
  say(`  ${objects.length} objects applied within ${applySeconds} s`);
  const convergeMs = (await done) - begin;
  const [after, servers] = [await momentOf(plane), plane.servers()];
  const [load = 0] = loadavg();
  say(`  converged after ${round(convergeMs / 1000)} s`);
  const notReady = (await allObjects(client)).filter((object) => KINDS.includes(object.kind) && !isReady(object));
  if (notReady.length > 0) throw new Error(`${notReady.length} objects are not Ready as the API server tells`);
  const requests = objectWrites(after.counters) - objectWrites(before.counters);
  return {
    ...costOf(before, after, objects.length),
    machines,
    objects: objects.length,
    applySeconds,
    convergeSeconds: round(convergeMs / 1000),
    requestsAnObject: round(requests / objects.length),
    serversCpuSeconds: round(servers.cpuSeconds - serversBefore.cpuSeconds, 1),
    load: round(load, 1),
  };
};

const measure = async (bench: Bench, machines: number, hosts: number, factor: number): Promise<Result> => {
  const { client } = bench.api;
  const bareWritesASecond = Math.round(await bareRate(client));
  say(`  a bare client reaches ${bareWritesASecond} writes a second`);
  let plane = await start(bench);
  try {
    for (const host of hostObjects(hosts) as readonly Resource[]) await apply(client, host);
    await allReady(plane, ["VMHost"], hosts);
    await sleep(1000);
    const converged = await converge(bench, plane, machines);
    await settled(plane, objectWrites, 10_000);
    const idle = await measureIdle(bench, plane, Number(values.idle));
    const { plane: memory } = plane.usage();
    say("  drift");
    const drift = await measureDrift(plane, { data: bench.data, hosts, samples: Number(values.drift) });
    await plane.stop();
    say("  restart");
    const restart = await measureRestart(bench);
    const hostFloorSeconds = round(floorMs(machines, hosts, factor) / 1000);
    const writeFloorSeconds = round((converged.objects * (1 + MOST_WRITES)) / bareWritesASecond);
    const floorSeconds = Math.max(hostFloorSeconds, writeFloorSeconds);
    return {
      ...converged,
      hosts,
      hostFloorSeconds,
      bareWritesASecond,
      writeFloorSeconds,
      floorSeconds,
      ratio: round(converged.convergeSeconds / floorSeconds, 3),
      planeRssMiB: memory.rssMiB,
      planePeakMiB: memory.peakMiB,
      idle,
      drift,
      restartSeconds: restart.seconds,
      restartJobs: restart.jobs,
    };
  } finally {
    if (plane.child.exitCode === null) plane.child.kill("SIGKILL");
  }
};

/** A server of its own for each size, so that none pays for the one before. */
const run = async (machines: number, hosts: number, factor: number): Promise<Result> => {
  const api = await startKubeApi();
  if ("skipped" in api) throw new Error(api.skipped);
  const data = mkdtempSync(join(tmpdir(), "aetherv-bench-"));
  say(`${machines} machines on ${hosts} hosts in ${data}`);
  try {
    await installCrds(api.client);
    for (let index = 0; index < hosts; index += 1) {
      const state = join(data, "simulated", hostName(index));
      mkdirSync(state, { recursive: true });
      writeBehaviour(state, behaviour(factor));
    }
    return await measure({ api, data, log: join(data, "output.log") }, machines, hosts, factor);
  } finally {
    if (!api.own) await removeAll(api.client);
    await api.stop();
    if (!values.keep) rmSync(data, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 });
  }
};

const lines: readonly Line<Result>[] = [
  { title: "floor of the hosts' work, s", of: (one) => one.hostFloorSeconds },
  { title: "writes a second of a bare client", of: (one) => one.bareWritesASecond },
  { title: "floor of the writes at that rate, s", of: (one) => one.writeFloorSeconds },
  { title: "applied within, s", of: (one) => one.applySeconds },
  { title: "converged after, s", of: (one) => one.convergeSeconds },
  { title: "ratio to the higher floor", of: (one) => one.ratio, most: 1.3 },
  { title: "jobs", of: (one) => one.jobs },
  { title: "API writes an object up to Ready", of: (one) => one.writesAnObject, most: MOST_WRITES },
  { title: "further writes of progress", of: (one) => one.progressWritesAnObject },
  { title: "further writes of later news", of: (one) => one.laterWritesAnObject },
  { title: "all writing requests an object, Events included", of: (one) => one.requestsAnObject },
  { title: "looks (reconciles) an object", of: (one) => one.reconcilesAnObject },
  { title: "CPU of the control plane, s", of: (one) => one.planeCpuSeconds },
  { title: "CPU of etcd and the API server, s", of: (one) => one.serversCpuSeconds },
  { title: "load of the machine meanwhile", of: (one) => one.load },
  { title: "memory (RSS) of the control plane, MiB", of: (one) => one.planeRssMiB, most: 600 },
  { title: "its peak, MiB", of: (one) => one.planePeakMiB },
  { title: "idle: seconds watched", of: (one) => one.idle.seconds },
  { title: "idle: writes", of: (one) => one.idle.writes, most: 0 },
  { title: "idle: renewals of the Lease", of: (one) => one.idle.leaseWrites },
  { title: "idle: writes that the server's store saw", of: (one) => one.idle.serverWrites },
  { title: "idle: CPU of the control plane, %", of: (one) => one.idle.planeCpuPercent, most: 5 },
  { title: "drift: to the repairing job, p50, s", of: (one) => one.drift.p50 },
  { title: "drift: to the repairing job, p95, s", of: (one) => one.drift.p95, most: INTERVAL_SECONDS + 1 },
  { title: "restart to the first repairing job, s", of: (one) => one.restartSeconds },
];

const results: Result[] = [];
for (const machines of values.vms.split(",").map(Number))
  results.push(await run(machines, Number(values.hosts), Number(values.factor)));
const head = ({ machines }: Result): string => `${machines} VMs`;
const about = { intervalSeconds: INTERVAL_SECONDS };
process.exitCode = tell({ lines, results, head, json: values.json, about }) ? 0 : 1;
