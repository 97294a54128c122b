// npm run bench:kubernetes -- [--json FILE] [--vms 100,1000] [--hosts 10] [--factor 1] [--idle 60] [--source] [--keep]
// A whole control plane over a real API server: 3 objects a machine from apply to Ready against the floor, idleness, restart.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { writeBehaviour } from "../../agents/simulator/process/host.ts";
import type { Resource } from "../../src/api/resource.ts";
import type { KubeClient } from "../../src/stores/kubernetes/client.ts";
import { collectionPath } from "../../src/stores/kubernetes/paths.ts";
import { allObjects, installCrds, removeAll, startKubeApi, type KubeApi } from "../support/kubeApi.ts";
import { allReady, countersOf, firstRepair, isReady, KINDS, round, say, spoilAdapter, table } from "./measure.ts";
import { RunningPlane, type Usage } from "./process.ts";
import { behaviour, floorMs, hostDocuments, hostName, INTERVAL_SECONDS, machineDocuments } from "./world.ts";

const MOST_RATIO = 1.3;
const MOST_WRITES = 3;
/** Requests of the bench itself at the same time, as kubectl or Argo CD make a few. */
const APPLIERS = 16;
/** Objects that the bare client writes to learn the server's rate. */
const BARE_OBJECTS = 500;

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    vms: { type: "string", default: "100,1000" },
    hosts: { type: "string", default: "10" },
    factor: { type: "string", default: "1" },
    idle: { type: "string", default: "60" },
    source: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});

interface Result {
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
  readonly jobs: number;
  /** Metadata and status up to Ready, without mere progress. */
  readonly writesAnObject: number;
  readonly progressWritesAnObject: number;
  readonly laterWritesAnObject: number;
  /** Patches, creates and deletes of any kind that were sent, Events included, the Lease not. */
  readonly requestsAnObject: number;
  readonly reconcilesAnObject: number;
  readonly planeCpuSeconds: number;
  /** Of etcd and the API server. */
  readonly serversCpuSeconds: number;
  /** Processes that wanted a processor, this bench's included: the average over the last minute of converging. */
  readonly load: number;
  readonly planeRssMiB: number;
  readonly planePeakMiB: number;
  readonly idle: Idle;
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

const documentsOf = (text: string): readonly Resource[] =>
  text.split("\n---\n").map((document) => JSON.parse(document) as Resource);

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

const objectWrites = ({ apiPatch = 0, apiCreate = 0, apiDelete = 0 }: Readonly<Record<string, number>>): number =>
  apiPatch + apiCreate + apiDelete;

/** Until nothing was written for ten seconds: guests tell their news, series of Events are brought up to date. */
const settled = async (plane: RunningPlane): Promise<void> => {
  for (let before = -1; ; await sleep(10_000)) {
    const now = objectWrites(await countersOf(plane));
    if (now === before) return;
    before = now;
  }
};

const measureIdle = async ({ api }: Bench, plane: RunningPlane, seconds: number): Promise<Idle> => {
  say(`  idle for ${seconds} s`);
  const [before, version, cpu] = [
    await countersOf(plane),
    await storeVersion(api.client),
    plane.usage().plane.cpuSeconds,
  ];
  await sleep(seconds * 1000);
  const [after, versionAfter] = [await countersOf(plane), await storeVersion(api.client)];
  return {
    seconds,
    writes: objectWrites(after) - objectWrites(before),
    leaseWrites: (after["apiUpdate"] ?? 0) - (before["apiUpdate"] ?? 0),
    serverWrites: versionAfter - version,
    planeCpuPercent: round(((plane.usage().plane.cpuSeconds - cpu) / seconds) * 100),
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
  await spoilAdapter(join(bench.data, "simulated", hostName(0)));
  const plane = await start(bench);
  try {
    return await firstRepair(plane);
  } finally {
    await plane.stop();
  }
};

const converge = async (bench: Bench, plane: RunningPlane, machines: number) => {
  const { client } = bench.api;
  const objects = Array.from({ length: machines }, (_, index) => documentsOf(machineDocuments(index))).flat();
  const [before, usedBefore, serversBefore] = [await countersOf(plane), plane.usage(), plane.servers()];
  const begin = Date.now();
  const done = allReady(plane, KINDS, objects.length);
  await inParallel(objects, APPLIERS, (object) => apply(client, object));
  const applySeconds = round((Date.now() - begin) / 1000);
  say(`  ${objects.length} objects applied within ${applySeconds} s`);
  const convergeMs = (await done) - begin;
  const [after, used, servers] = [await countersOf(plane), plane.usage(), plane.servers()];
  const [load = 0] = loadavg();
  say(`  converged after ${round(convergeMs / 1000)} s`);
  const notReady = (await allObjects(client)).filter((object) => KINDS.includes(object.kind) && !isReady(object));
  if (notReady.length > 0) throw new Error(`${notReady.length} objects are not Ready as the API server tells`);
  const grown = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
  const besides = grown("progressWrites") + grown("laterWrites");
  return {
    machines,
    objects: objects.length,
    applySeconds,
    convergeSeconds: round(convergeMs / 1000),
    jobs: grown("hostJobs"),
    writesAnObject: round((grown("metadataWrites") + grown("statusWrites") - besides) / objects.length),
    progressWritesAnObject: round(grown("progressWrites") / objects.length),
    laterWritesAnObject: round(grown("laterWrites") / objects.length),
    requestsAnObject: round((objectWrites(after) - objectWrites(before)) / objects.length),
    reconcilesAnObject: round(grown("reconciles") / objects.length, 1),
    planeCpuSeconds: round(used.plane.cpuSeconds - usedBefore.plane.cpuSeconds, 1),
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
    for (const host of documentsOf(hostDocuments(hosts))) await apply(client, host);
    await allReady(plane, ["VMHost"], hosts);
    await sleep(1000);
    const converged = await converge(bench, plane, machines);
    await settled(plane);
    const idle = await measureIdle(bench, plane, Number(values.idle));
    const { plane: memory }: { plane: Usage } = plane.usage();
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
      restartSeconds: round(restart.seconds),
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

const rows: readonly (readonly [string, (one: Result) => string | number])[] = [
  ["floor of the hosts' work, s", (one) => one.hostFloorSeconds],
  ["writes a second of a bare client", (one) => one.bareWritesASecond],
  ["floor of the writes at that rate, s", (one) => one.writeFloorSeconds],
  ["applied within, s", (one) => one.applySeconds],
  ["converged after, s", (one) => one.convergeSeconds],
  [`ratio to the higher floor (at most ${MOST_RATIO})`, (one) => one.ratio],
  ["jobs", (one) => one.jobs],
  [`API writes an object up to Ready (at most ${MOST_WRITES})`, (one) => one.writesAnObject],
  ["further writes of progress", (one) => one.progressWritesAnObject],
  ["further writes of later news", (one) => one.laterWritesAnObject],
  ["all writing requests an object, Events included", (one) => one.requestsAnObject],
  ["reconciles an object", (one) => one.reconcilesAnObject],
  ["CPU of the control plane, s", (one) => one.planeCpuSeconds],
  ["CPU of etcd and the API server, s", (one) => one.serversCpuSeconds],
  ["load of the machine meanwhile", (one) => one.load],
  ["memory (RSS) of the control plane, MiB", (one) => one.planeRssMiB],
  ["its peak, MiB", (one) => one.planePeakMiB],
  ["idle: seconds", (one) => one.idle.seconds],
  ["idle: writes (must be 0)", (one) => one.idle.writes],
  ["idle: renewals of the Lease", (one) => one.idle.leaseWrites],
  ["idle: writes that the server's store saw", (one) => one.idle.serverWrites],
  ["idle: CPU of the control plane, %", (one) => one.idle.planeCpuPercent],
  ["restart to the first repairing job, s", (one) => one.restartSeconds],
];

const results: Result[] = [];
for (const machines of values.vms.split(",").map(Number))
  results.push(await run(machines, Number(values.hosts), Number(values.factor)));
process.stdout.write(`${table(rows, results)}\n`);
const report = { node: process.version, cpus: cpus().length, intervalSeconds: INTERVAL_SECONDS, results };
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
const failed = results.filter(
  ({ ratio, writesAnObject, idle }) => ratio > MOST_RATIO || writesAnObject > MOST_WRITES || idle.writes > 0,
);
process.exitCode = failed.length > 0 ? 1 : 0;
