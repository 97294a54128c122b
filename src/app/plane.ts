import { mkdir } from "node:fs/promises";
import { keyText, type Key, type Resource } from "../api/resource.ts";
import type { Controller } from "../engine/controller.ts";
import { fileModeGuard } from "../engine/massDelete.ts";
import type { KeyValue, Objects } from "../engine/ports.ts";
import type { HostDirectory } from "../hosts/directory.ts";
import { ControlError, type ControlPlane, type FileProblem, type FilesReport } from "../server/control.ts";
import { serveSocket, type ControlServer } from "../server/server.ts";
import { nodeFileSystem } from "../stores/files/filesystem.ts";
import { checkFormat, NewerFormatError } from "../stores/files/records.ts";
import { placeText } from "../stores/files/place.ts";
import { FileStore } from "../stores/files/store.ts";
import { LockedError, openLevel } from "../stores/keyvalue/level.ts";
import { openRecords, type Records } from "./history.ts";
import { applyHosts } from "./hosts.ts";
import type { ConsoleChoice } from "../cli/context.ts";
import type { ConsoleServer } from "./console/serve.ts";
import type { Monitoring } from "./monitoring.ts";
import { ensureIdentity, Epoch } from "./identity.ts";
import type { Parts } from "./parts.ts";
import { dataPaths } from "./paths.ts";
import { fileSigner } from "./signer.ts";
import { modelValidation } from "./validation.ts";
import { wire, type Wired } from "./wiring.ts";

export interface PlaneOptions extends Parts {
  readonly files: readonly string[];
  readonly data: string;
  readonly deletionDelayMs: number;
  readonly monitoring?: Monitoring | undefined;
  /** Once it fires, no job is started any more; `stop` is still to be called. */
  readonly ending?: AbortSignal | undefined;
  readonly console?: ConsoleChoice | undefined;
}

/** Why a process whose Lease went ends: whoever started it starts it again. */
export const leadLost = "another process leads now, or the API server could not be reached in time: this one ends";

/** A control plane at work in this process. */
export interface Plane {
  readonly control: ControlPlane;
  readonly objects: Objects;
  readonly hosts: HostDirectory;
  readonly controller: Controller;
  readonly controlPlaneId: string;
  /** What is wrong with the files that it is to take up; nothing in Kubernetes mode. */
  problems(): readonly FileProblem[];
  /** Where the console is served, if it is. */
  readonly console?: string | undefined;
  /** Fires when this process may not go on working (its leadership is lost). */
  readonly lost?: AbortSignal;
  /** Starts nothing more, waits for running jobs for at most `graceMs`, closes everything. */
  stop(options: { readonly graceMs: number }): Promise<void>;
}

/** Opens the data folder's store; another process that has it is a Conflict that names it. */
export const openStore = async (data: string): Promise<KeyValue> => {
  const store = await openFolder(data, dataPaths(data).store);
  try {
    await checkFormat(store);
    return store;
  } catch (error) {
    await store.close();
    if (!(error instanceof NewerFormatError)) throw error;
    throw new ControlError(
      "Conflict",
      `${data}: ${error.message}`,
      "run that version, or put a backup of before into a new folder",
    );
  }
};

/** Opens the journal and events of a data folder. */
export const openJournal = async (data: string): Promise<KeyValue> => openFolder(data, dataPaths(data).journal);

const openFolder = async (data: string, path: string): Promise<KeyValue> => {
  await mkdir(data, { recursive: true, mode: 0o700 });
  try {
    return await openLevel(path);
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
  const { data, clock, random, log, monitoring, ending } = options;
  checkSocketPath(dataPaths(data).socket);
  const opened = await openStore(data);
  const keyValue = monitoring?.store("store", opened) ?? opened;
  const controlPlaneId = await ensureIdentity(data, keyValue, random);
  const epoch = await Epoch.next(keyValue);
  const journal = await openJournal(data);
  const records = await openRecords(monitoring?.store("journal", journal) ?? journal, options);
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
  const wired = wire({
    data,
    clock,
    random,
    log,
    store,
    records,
    controlPlaneId,
    events: records.events,
    epoch: () => epoch.value,
    raiseEpoch: (min) => epoch.raise(min),
    localHosts: "allowed",
    secret: (namespace, name) => store.secret(namespace, name),
    onSecrets: (callback) => store.onSecrets(callback),
    placeOf: (key) => {
      const place = store.place(key);
      return place && placeText(place);
    },
    signer: () => fileSigner(dataPaths(data).signer),
    massDelete: fileModeGuard,
    folders: options.files,
    annotate: (key, annotations) => annotate(store, key, annotations),
    problems: () => filesReport(store),
    entries: () => entriesOf(keyValue),
    counters: () => ({}),
    monitoring,
    ending,
  });
  return run(options, { ...wired, store, records, keyValue, controlPlaneId });
};

interface Started extends Wired {
  readonly store: FileStore;
  readonly records: Records;
  readonly keyValue: KeyValue;
  readonly controlPlaneId: string;
}

const run = async (options: PlaneOptions, started: Started): Promise<Plane> => {
  const { store, hosts, controller, control, records, keyValue, controlPlaneId, watchGuests } = started;
  const { log, data } = options;
  const stopping = new AbortController();
  const servers: ControlServer[] = [];
  const stop: Plane["stop"] = async ({ graceMs }) => {
    stopping.abort();
    // All jobs are held back at once; the reconciles at work may still wait for the store.
    const decided = controller.stop();
    await hosts.stop({ graceMs });
    await decided;
    for (const server of servers) await server.close();
    await watching;
    await records.close();
    await keyValue.close();
    log.info({}, "the control plane has ended");
  };
  // The hosts are known before the controller decides: else every object would wait for a host once.
  await store.watch((key) => key.kind === "VMHost" && applyHosts(hosts, store.cache), stopping.signal);
  await controller.start();
  const watching = Promise.all([store.run(stopping.signal), watchGuests(stopping.signal)]);
  try {
    const served = await openConsole(options, started);
    const url = served?.url;
    if (served) servers.push(served);
    if (url !== undefined) control.consoleAt(url);
    servers.push(await serveSocket(dataPaths(data).socket, () => control, log));
    const problems = (): readonly FileProblem[] => store.problems();
    return { control, objects: store.cache, hosts, controller, controlPlaneId, problems, stop, console: url };
  } catch (error) {
    await stop({ graceMs: 0 });
    throw error;
  }
};

/** Loaded where it is wanted. */
const openConsole = async (options: PlaneOptions, started: Started): Promise<ConsoleServer | undefined> => {
  if (!options.console) return undefined;
  const { openFileConsole } = await import("./console/files.ts");
  return openFileConsole(options.console, { ...options, ...started });
};

/** Linux allows 107 bytes for a Unix socket's path, macOS 103; the system's own error names neither. */
export const checkSocketPath = (path: string): void => {
  if (Buffer.byteLength(path) > 103)
    throw new ControlError(
      "Invalid",
      `the path of the socket is too long: ${path}`,
      "name a data folder with a shorter path (at most 103 bytes in all), for example a relative one",
    );
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

export const entriesOf = async (keyValue: KeyValue): Promise<readonly (readonly [string, string])[]> => {
  const entries: (readonly [string, string])[] = [];
  for await (const entry of keyValue.entries("")) entries.push(entry);
  return entries;
};
