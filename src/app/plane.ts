import { mkdir } from "node:fs/promises";
import { kinds } from "../../controllers/index.ts";
import { keyText, type Key, type Resource } from "../api/resource.ts";
import { Controller } from "../engine/controller.ts";
import type { Kind, KeyValue } from "../engine/ports.ts";
import type { HostDirectory } from "../hosts/directory.ts";
import type { HostChange } from "../hosts/parts.ts";
import { ControlError, type ControlPlane, type FilesReport } from "../server/control.ts";
import { serveSocket, type ControlServer } from "../server/server.ts";
import { nodeFileSystem } from "../stores/files/filesystem.ts";
import { FileStore } from "../stores/files/store.ts";
import { LockedError, openLevel } from "../stores/keyvalue/level.ts";
import { LocalControl } from "./control.ts";
import { openRecords, type Records } from "./history.ts";
import { applyHosts, wireHosts } from "./hosts.ts";
import { ensureIdentity, Epoch } from "./identity.ts";
import type { Parts } from "./parts.ts";
import { dataPaths } from "./paths.ts";
import { modelValidation } from "./validation.ts";

export interface PlaneOptions extends Parts {
  readonly files: readonly string[];
  readonly data: string;
  readonly deletionDelayMs: number;
}

/** A control plane at work in this process. */
export interface Plane {
  readonly control: ControlPlane;
  readonly store: FileStore;
  readonly hosts: HostDirectory;
  readonly controller: Controller;
  readonly controlPlaneId: string;
  /** Starts nothing more, waits for running jobs for at most `graceMs`, closes everything. */
  stop(options: { readonly graceMs: number }): Promise<void>;
}

/** Opens the data folder's store; another process that has it is a Conflict that names it. */
export const openStore = async (data: string): Promise<KeyValue> => {
  await mkdir(data, { recursive: true, mode: 0o700 });
  try {
    return await openLevel(dataPaths(data).store);
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
    const who = error.pid === undefined ? "another process" : `process ${error.pid}`;
    throw new ControlError(
      "Conflict",
      `the data folder ${data} is in use by ${who}`,
      "one control plane a data folder: stop that one, or name another folder with --data",
    );
  }
};

/** Starts the control plane of a data folder over folders of manifests. */
export const startPlane = async (options: PlaneOptions): Promise<Plane> => {
  const { data, clock, random, log } = options;
  checkSocketPath(dataPaths(data).socket);
  const keyValue = await openStore(data);
  const controlPlaneId = await ensureIdentity(data, keyValue, random);
  const epoch = await Epoch.next(keyValue);
  const records = await openRecords(await openLevel(dataPaths(data).journal), options);
  const store = await FileStore.open({
    folders: options.files,
    data: keyValue,
    fs: nodeFileSystem,
    clock,
    random,
    validation: modelValidation,
    log,
    deletionDelayMs: options.deletionDelayMs,
  });
  log.info({ controlPlaneId, epoch: epoch.value, files: options.files }, "the control plane starts");
  const wired = wire(options, { keyValue, controlPlaneId, epoch, records, store });
  return run(options, wired);
};

/** Linux allows 107 bytes for a Unix socket's path, macOS 103; the system's own error names neither. */
const checkSocketPath = (path: string): void => {
  if (Buffer.byteLength(path) > 103)
    throw new ControlError(
      "Invalid",
      `the path of the socket is too long: ${path}`,
      "name a data folder with a shorter path (at most 103 bytes in all), for example a relative one",
    );
};

interface Opened {
  readonly keyValue: KeyValue;
  readonly controlPlaneId: string;
  readonly epoch: Epoch;
  readonly records: Records;
  readonly store: FileStore;
}

interface Wired extends Opened {
  readonly hosts: HostDirectory;
  readonly controller: Controller;
  readonly control: ControlPlane;
}

const wire = (options: PlaneOptions, opened: Opened): Wired => {
  const { data, clock, random, log } = options;
  const { controlPlaneId, epoch, records, store } = opened;
  const hosts = wireHosts({
    objects: store.cache,
    controlPlaneId,
    clock,
    random,
    log,
    journal: records.journal,
    simulated: dataPaths(data).simulated,
    epoch: () => epoch.value,
    raiseEpoch: (min) => epoch.raise(min),
    onChange: (host, change) => controller.wakeHost(host, news(change)),
  });
  const controller: Controller = new Controller({
    store,
    hosts,
    kinds: kinds as readonly Kind[],
    clock,
    random,
    log,
    events: records.events,
    controlPlaneId,
  });
  return { ...opened, hosts, controller, control: controlOf(options, { ...opened, hosts, controller }) };
};

const news = (change: HostChange): Parameters<Controller["wakeHost"]>[1] =>
  change.uids === "all" ? "all" : { uids: change.uids, host: change.host };

const controlOf = (options: PlaneOptions, wired: Omit<Wired, "control">): ControlPlane => {
  const { store, hosts, controller, records, epoch, keyValue, controlPlaneId } = wired;
  const { clock, random, files } = options;
  return new LocalControl({
    objects: store.cache,
    hosts,
    history: records.history,
    controlPlaneId,
    mode: "running",
    epoch: () => epoch.value,
    startedAt: clock.now(),
    folders: files,
    now: () => clock.now(),
    uuid: () => random.uuid(),
    world: (resource, over) => controller.world(resource, over),
    watch: (wake, signal) => store.watch(wake, signal),
    annotate: (key, annotations) => annotate(store, key, annotations),
    problems: () => filesReport(store),
    counters: () => countersOf(hosts, controller),
    entries: () => entriesOf(keyValue),
    close: () => Promise.resolve(),
  });
};

const annotate = async (
  store: FileStore,
  key: Key,
  annotations: Readonly<Record<string, string | null>>,
): Promise<Resource> => {
  let object = store.cache.get(key);
  try {
    for (const [name, value] of Object.entries(annotations)) object = await store.setAnnotation(key, name, value);
  } catch (error) {
    throw new ControlError("Conflict", error instanceof Error ? error.message : String(error));
  }
  if (!object) throw new ControlError("NotFound", `${keyText(key)} does not exist`);
  return object;
};

const filesReport = (store: FileStore): FilesReport => ({
  problems: store.problems(),
  missing: store.missing().map(({ key, since, deletionAt }) => ({
    key,
    since: since.toISOString(),
    ...(deletionAt ? { deletesAt: deletionAt.toISOString() } : {}),
  })),
});

const countersOf = (hosts: HostDirectory, controller: Controller): Readonly<Record<string, number>> => {
  const perHost = [...hosts.counts().values()];
  const sum = (pick: (one: (typeof perHost)[number]) => number): number =>
    perHost.reduce((total, one) => total + pick(one), 0);
  return {
    ...(controller.counters() as unknown as Record<string, number>),
    hostInventories: sum((one) => one.inventories),
    hostJobs: sum((one) => one.jobs),
    hostBytes: sum((one) => one.bytes),
  };
};

export const entriesOf = async (keyValue: KeyValue): Promise<readonly (readonly [string, string])[]> => {
  const entries: (readonly [string, string])[] = [];
  for await (const entry of keyValue.entries("")) entries.push(entry);
  return entries;
};

const run = async (options: PlaneOptions, wired: Wired): Promise<Plane> => {
  const { store, hosts, controller, control, records, keyValue, controlPlaneId } = wired;
  const { log, data } = options;
  const stopping = new AbortController();
  let server: ControlServer | undefined;
  const stop: Plane["stop"] = async ({ graceMs }) => {
    stopping.abort();
    await server?.close();
    await controller.stop();
    await hosts.stop({ graceMs });
    await watching;
    await records.close();
    await keyValue.close();
    log.info({}, "the control plane has ended");
  };
  // The hosts are known before the controller decides: else every object would wait for a host once.
  await store.watch((key) => key.kind === "VMHost" && applyHosts(hosts, store.cache), stopping.signal);
  await controller.start();
  const watching = store.run(stopping.signal);
  try {
    server = await serveSocket(dataPaths(data).socket, control, log);
  } catch (error) {
    await stop({ graceMs: 0 });
    throw error;
  }
  return { control, store, hosts, controller, controlPlaneId, stop };
};
