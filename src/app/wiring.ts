import { kinds } from "../../controllers/index.ts";
import { Controller } from "../engine/controller.ts";
import type { GuardSettings } from "../engine/massDelete.ts";
import type { EventRecorder, Key, Kind, Resource, Store } from "../engine/ports.ts";
import { GuestService } from "../guest/service.ts";
import type { Signer } from "../guest/signer.ts";
import type { HostDirectory } from "../hosts/directory.ts";
import type { HostChange } from "../hosts/parts.ts";
import type { Sources } from "../telemetry/collect.ts";
import { LocalControl, type ControlParts } from "./control.ts";
import type { Records } from "./history.ts";
import { settingsOf, wireHosts, type HostWiring } from "./hosts.ts";
import type { Monitoring } from "./monitoring.ts";
import type { Parts } from "./parts.ts";
import { dataPaths } from "./paths.ts";

/** What the two modes supply, each in its own way. */
export interface Opened extends Parts, Pick<ControlParts, "folders" | "annotate" | "problems" | "entries"> {
  readonly data: string;
  readonly store: Store;
  readonly records: Records;
  readonly events: EventRecorder;
  readonly controlPlaneId: string;
  readonly epoch: () => number;
  /** Of the host with this uid, where hosts have epochs of their own. */
  readonly hostEpoch?: HostWiring["epoch"];
  readonly raiseEpoch: HostWiring["raiseEpoch"];
  /** Which objects this process works on; all if not given. */
  readonly isMine?: (resource: Resource) => boolean;
  readonly localHosts: HostWiring["localHosts"];
  readonly secret: HostWiring["secret"];
  /** Tells when Secrets may have changed; absent where that can't be known. */
  readonly onSecrets?: (callback: () => void) => void;
  /** Where an object's document is, as file:line:column; only where objects have documents. */
  readonly placeOf?: (key: Key) => string | undefined;
  /** The key that signs guest configurations, made at the first use. */
  readonly signer: () => Promise<Signer>;
  readonly massDelete: GuardSettings;
  /** Added to the counters of `aetherv status`. */
  readonly counters: () => Readonly<Record<string, number>>;
  readonly monitoring?: Monitoring | undefined;
  /** Once it fires, no job is started any more. */
  readonly ending?: AbortSignal | undefined;
  /** Fires when another process may work in the place of this one. */
  readonly lost?: AbortSignal;
}

export interface Wired {
  readonly hosts: HostDirectory;
  readonly controller: Controller;
  readonly control: LocalControl;
  /** Looks after the Secrets of guests until the signal fires. */
  readonly watchGuests: (signal: AbortSignal) => Promise<void>;
}

/** Puts hosts, engine and API together over an opened store. Nothing works yet. */
export const wire = (opened: Opened): Wired => {
  const { store, records, controlPlaneId, clock, random, log, massDelete, monitoring } = opened;
  const hosts = wireHosts({
    objects: store.cache,
    controlPlaneId,
    clock,
    random,
    log,
    journal: monitoring?.journal(records.journal) ?? records.journal,
    localHosts: opened.localHosts,
    secret: opened.secret,
    simulated: dataPaths(opened.data).simulated,
    epoch: opened.hostEpoch ?? opened.epoch,
    raiseEpoch: opened.raiseEpoch,
    onChange: (host, change) => controller.wakeHost(host, news(change)),
  });
  const guests = new GuestService({
    signer: opened.signer,
    secret: opened.secret,
    wake: (key) => controller.wake(key),
    clock,
    log,
  });
  opened.onSecrets?.(() => guests.secretsChanged());
  const controller: Controller = new Controller({
    store,
    guests,
    hosts,
    kinds: kinds as readonly Kind[],
    clock,
    random,
    log,
    events: eventsUntil(opened),
    controlPlaneId,
    observer: monitoring?.observer,
    placeOf: opened.placeOf,
    isMine: opened.isMine,
    massDelete,
  });
  onEnding(opened.ending, () => {
    // The engine first: what it wanted and does not get any more is no news to decide on.
    void controller.stop();
    hosts.drain();
  });
  monitoring?.leads(sourcesOf(opened, { hosts, controller }), opened.lost);
  const watchGuests = (signal: AbortSignal): Promise<void> =>
    guests.run((key, uid) => store.cache.get(key)?.metadata.uid === uid, signal);
  return { hosts, controller, watchGuests, control: controlOf(opened, { hosts, controller }) };
};

const onEnding = (ending: AbortSignal | undefined, act: () => void): void => {
  if (ending?.aborted === true) act();
  ending?.addEventListener("abort", act, { once: true });
};

/** Jobs that are not started since this process ends say nothing about their host. */
const eventsUntil = ({ events, ending }: Opened): EventRecorder => ({
  record: (key, uid, note) => {
    if (ending?.aborted !== true || note.reason !== "HostUnreachable") events.record(key, uid, note);
  },
});

const sourcesOf = (opened: Opened, { hosts, controller }: Pick<Wired, "hosts" | "controller">): Sources => ({
  objects: opened.store.cache,
  hosts: () => hosts.list(),
  settings: () => settingsOf(opened.store.cache),
  inventories: () => hosts.counts(),
  queue: () => controller.counters(),
  epoch: opened.epoch,
  problems: () => opened.problems().problems.length,
  now: () => opened.clock.now(),
});

const news = (change: HostChange): Parameters<Controller["wakeHost"]>[1] =>
  change.uids === "all" ? "all" : { uids: change.uids, host: change.host };

const controlOf = (opened: Opened, { hosts, controller }: Pick<Wired, "hosts" | "controller">): LocalControl => {
  const { store, records, epoch, controlPlaneId, clock, random, folders, annotate, problems, entries } = opened;
  return new LocalControl({
    objects: store.cache,
    hosts,
    history: records.history,
    controlPlaneId,
    mode: "running",
    epoch,
    startedAt: clock.now(),
    folders,
    now: () => clock.now(),
    uuid: () => random.uuid(),
    world: (resource, over) => controller.world(resource, over),
    watch: (wake, signal) => store.watch(wake, signal),
    annotate,
    problems,
    counters: () => ({ ...countersOf(hosts, controller), ...opened.counters() }),
    entries,
    close: () => Promise.resolve(),
  });
};

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
