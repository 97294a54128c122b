import { mkdir } from "node:fs/promises";
import { hostname } from "node:os";
import { keyText, type Key, type Resource } from "../api/resource.ts";
import { kubernetesModeGuard } from "../engine/massDelete.ts";
import { mergeMetadata } from "../engine/metadata.ts";
import { ConflictError } from "../engine/ports.ts";
import { shardOf, shardOfHost } from "../engine/shards.ts";
import type { EventRecorder } from "../engine/ports.ts";
import { ControlError } from "../server/control.ts";
import { tokenAudience } from "../server/remote.ts";
import { StandbyControl } from "../server/standby.ts";
import { KubeClient } from "../stores/kubernetes/client.ts";
import { openConnection, type Connection } from "../stores/kubernetes/connection.ts";
import { KubeEvents } from "../stores/kubernetes/events.ts";
import { patientIdentity } from "../stores/kubernetes/identity.ts";
import { holderOf, type Term } from "../stores/kubernetes/lease.ts";
import { Reviews } from "../stores/kubernetes/reviews.ts";
import { Shards } from "../stores/kubernetes/shards.ts";
import { KubernetesStore } from "../stores/kubernetes/store.ts";
import type { ConsoleChoice } from "../cli/context.ts";
import type { ConsoleServer } from "./console/serve.ts";
import { Doors, type ApiAddress } from "./doors.ts";
import { openRecords, type Records } from "./history.ts";
import { settingsOf, type RoleOf } from "./hosts.ts";
import type { Monitoring } from "./monitoring.ts";
import type { Parts } from "./parts.ts";
import { acrossReplicas, ownAddress } from "./replicas/index.ts";
import { dataPaths } from "./paths.ts";
import { clusterSigner } from "./clusterSigner.ts";
import { checkSocketPath, leadLost, openJournal, type Plane } from "./plane.ts";
import { version } from "./version.ts";
import { wire, type Wired } from "./wiring.ts";

export interface KubernetesOptions extends Parts {
  /** Default: what kubectl would take, or the pod's own account. */
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespaces: "all" | readonly string[];
  readonly localHosts: "allowed" | "refused";
  /** Over how many shards the hosts are spread; replicas share them. */
  readonly shards: number;
  readonly data: string;
  /** Where callers of the cluster reach what only the control plane knows; nowhere if not given. */
  readonly api?: ApiAddress;
  readonly console?: ConsoleChoice | undefined;
  readonly monitoring?: Monitoring | undefined;
}

const leaseName = "aetherv";
const eventsGraceMs = 2_000;
/** A host's jobs may end here for so long before its next owner begins; longer ones it finds on the host. */
const handOverMs = 20_000;

/** Starts the control plane of a cluster: waits as a warm standby until it may lead. Undefined when the signal fired before. */
export const startKubernetesPlane = async (
  options: KubernetesOptions,
  signal: AbortSignal,
): Promise<Plane | undefined> => {
  const { data, clock, random, log, monitoring } = options;
  checkSocketPath(dataPaths(data).socket);
  const connection = await openConnection(options);
  const client = new KubeClient(connection, clock, (answer) => monitoring?.apiAnswered(answer));
  const instance = `${hostname()}_${random.uuid().slice(0, 8)}`;
  const store = new KubernetesStore({ client, namespaces: options.namespaces, clock, random, log });
  monitoring?.follows(store.synced);
  const following = new AbortController();
  const doors = await openDoors(options, client);
  const warm = { options, client, store, instance, doors, following, running: store.run(following.signal) };
  const served = await openConsole(warm, connection);
  const standby: Standby = { ...warm, served };
  try {
    const { namespace } = client;
    const lease = {
      client,
      clock,
      random,
      log,
      namespace,
      name: leaseName,
      identity: instance,
      shards: options.shards,
      address: ownAddress(options.api, doors.apiPort),
    };
    log.info({ instance, namespace: client.namespace }, "waiting for the leadership");
    const shards = await Shards.acquire(lease, signal);
    if (shards) return await lead(standby, shards, signal);
  } catch (error) {
    await leave(standby);
    if (!signal.aborted) throw error;
    log.info({ err: error }, "told to end while it began to lead");
    return undefined;
  }
  await leave(standby);
  return undefined;
};

/** A standby serves it, too: its caches are warm. Loaded where it is wanted. */
const openConsole = async (
  warm: Omit<Standby, "served">,
  connection: Connection,
): Promise<ConsoleServer | undefined> => {
  const { options, store, doors } = warm;
  if (!options.console) return undefined;
  try {
    const { openKubeConsole } = await import("./console/kubernetes.ts");
    return await openKubeConsole(options.console, { ...options, connection, store, control: () => doors.control });
  } catch (error) {
    await leave({ ...warm, served: undefined });
    throw error;
  }
};

/** A process that waits says so, and who leads. */
const openDoors = async ({ data, api, clock, log }: KubernetesOptions, client: KubeClient): Promise<Doors> => {
  const status = { version, controlPlaneId: "", pid: process.pid, epoch: 0, startedAt: clock.now().toISOString() };
  const leader = (): Promise<string | undefined> =>
    holderOf(client, client.namespace, leaseName).catch(() => undefined);
  await mkdir(data, { recursive: true, mode: 0o700 });
  try {
    return await Doors.open({
      socket: dataPaths(data).socket,
      ...(api ? { api } : {}),
      gate: new Reviews(client, tokenAudience),
      standby: new StandbyControl({ status, leader }),
      log,
    });
  } catch (error) {
    await client.close();
    throw error;
  }
};

/** What works before this process leads: the cache is warm. */
interface Standby {
  readonly options: KubernetesOptions;
  readonly client: KubeClient;
  readonly store: KubernetesStore;
  readonly instance: string;
  readonly doors: Doors;
  /** The console, if it is served. */
  readonly served: ConsoleServer | undefined;
  /** Ends the following of the API server. */
  readonly following: AbortController;
  readonly running: Promise<void>;
}

const leave = async ({ following, running, client, doors, served }: Standby): Promise<void> => {
  await served?.close();
  await doors.close();
  following.abort();
  await running;
  await client.close();
};

const lead = async (standby: Standby, shards: Shards, ending: AbortSignal): Promise<Plane> => {
  const { options, client, store, instance } = standby;
  const { data, clock, random, log, monitoring } = options;
  try {
    store.writesDuring(shards);
    const named = { client, namespace: client.namespace, random, clock, log };
    const controlPlaneId = await patientIdentity(named, AbortSignal.any([shards.lost, ending]));
    // Decisions on lists from before the Lease could repeat what the holder before us did last.
    await Promise.race([store.refreshed(), lossOf(shards)]);
    const journal = await openJournal(data);
    const records = await openRecords(monitoring?.store("journal", journal) ?? journal, options);
    const events = new KubeEvents({ client, clock, random, log, instance });
    log.info({ controlPlaneId, epoch: shards.epoch, shards: shards.count }, "the control plane starts");
    const wired = wire({
      data,
      clock,
      random,
      log,
      store,
      records,
      controlPlaneId,
      events: both(records.events, events),
      epoch: () => shards.epoch,
      hostEpoch: (uid) => shards.epochOf(shardOfHost(uid, shards.count)),
      raiseEpoch: (min, uid) => shards.raise(shardOfHost(uid, shards.count), min),
      isMine: (resource) => shards.has(shardOf(resource, store.cache, shards.count)),
      localHosts: options.localHosts,
      secret: (namespace, name) => store.secret(namespace, name),
      signer: () => clusterSigner(client, client.namespace),
      massDelete: kubernetesModeGuard,
      folders: [],
      annotate: (key, annotations) => annotate(store, key, annotations),
      problems: () => ({ problems: [], missing: [] }),
      entries: () => Promise.reject(noBackup()),
      counters: () => requestsOf(client),
      monitoring,
      ending,
      lost: shards.lost,
    });
    return await run(standby, shards, { ...wired, records, events, controlPlaneId });
  } catch (error) {
    await shards.release();
    // Whatever was under way then fails with it.
    throw shards.lost.aborted && !ending.aborted ? new ControlError("Unavailable", leadLost) : error;
  }
};

interface Leading extends Wired {
  readonly records: Records;
  readonly events: KubeEvents;
  readonly controlPlaneId: string;
}

const run = async (standby: Standby, shards: Shards, leading: Leading): Promise<Plane> => {
  const { store, options, doors } = standby;
  const { hosts, controller, control, records, events, controlPlaneId, watchGuests } = leading;
  const stopping = new AbortController();
  const { api, clock } = options;
  const everywhere = acrossReplicas({ control, records, shards, api, clock, objects: store.cache });
  const roleOf: RoleOf = (uid) => (shards.has(shardOfHost(uid, shards.count)) ? "manage" : "observe");
  const apply = (graceMs = 0): void => hosts.apply(settingsOf(store.cache, roleOf), { graceMs });
  const stop: Plane["stop"] = async ({ graceMs }) => {
    stopping.abort();
    // All jobs are held back at once; the reconciles at work may still wait for the API server.
    const decided = controller.stop();
    // Jobs that a newer leader's hosts would refuse are not worth waiting for.
    await hosts.stop({ graceMs: shards.lost.aborted ? 0 : graceMs });
    await decided;
    await doors.close();
    await everywhere.close();
    await events.close(eventsGraceMs);
    // Last of what acts: the next leader begins now.
    await shards.release();
    await leave(standby);
    await records.close();
    options.log.info({}, "the control plane has ended");
  };
  try {
    await store.watch((key) => key.kind === "VMHost" && apply(), stopping.signal);
    await controller.start();
    void watchGuests(stopping.signal);
    if (standby.served) for (const one of [control, everywhere.control]) one.consoleAt(standby.served.url);
    await doors.lead(everywhere.control, control);
  } catch (error) {
    await stop({ graceMs: 0 });
    throw error;
  }
  const plane = { control, objects: store.cache, hosts, controller, controlPlaneId, stop };
  shards.run({
    // Decisions on lists from before the Lease could repeat what the holder before did last.
    prepare: () => store.refreshed(),
    taken: () => {
      apply();
      controller.wakeAll();
    },
    given: async () => {
      apply(handOverMs);
      await hosts.left();
    },
  });
  return { ...plane, problems: () => [], lost: shards.lost, console: standby.served?.url };
};

const lossOf = (term: Pick<Term, "lost">): Promise<never> =>
  new Promise((_, reject) => {
    const lose = (): void => reject(new Error("the leadership was lost"));
    if (term.lost.aborted) lose();
    term.lost.addEventListener("abort", lose, { once: true });
  });

const both = (...recorders: readonly EventRecorder[]): EventRecorder => ({
  record: (key, uid, note) => {
    for (const recorder of recorders) recorder.record(key, uid, note);
  },
});

const requestsOf = ({ counts }: KubeClient): Readonly<Record<string, number>> =>
  Object.fromEntries([...counts].map(([verb, count]) => [`api${verb[0]?.toUpperCase()}${verb.slice(1)}`, count]));

const noBackup = (): ControlError =>
  new ControlError(
    "Unavailable",
    "the objects of Kubernetes mode are in the cluster: they are not in this control plane's backup",
    "back up the cluster's objects of group aetherv.io and the ConfigMap aetherv-identity",
  );

const annotateTries = 5;

/** People's annotations; somebody else's write in between is no reason to refuse. */
const annotate = async (
  store: KubernetesStore,
  key: Key,
  annotations: Readonly<Record<string, string | null>>,
): Promise<Resource> => {
  for (let tries = 1; ; tries += 1) {
    const present = await store.get(key);
    if (!present) throw new ControlError("NotFound", `${keyText(key)} does not exist`);
    try {
      const next = mergeMetadata(present, { annotations });
      return next ? await store.putMetadata(next) : present;
    } catch (error) {
      if (!(error instanceof ConflictError) || tries >= annotateTries) throw error;
    }
  }
};
