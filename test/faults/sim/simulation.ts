import { annotations } from "../../../src/api/annotations.ts";
import { keyOf } from "../../../src/api/resource.ts";
import type { VirtualDisk, VirtualMachine } from "../../../src/api/generated/types.ts";
import type { Logger } from "../../../src/engine/ports.ts";
import { manifests, type WorldSpec } from "../../property/world.ts";
import { Invariants } from "../../support/invariants.ts";
import type { Manifest } from "../../support/plane.ts";
import { SimHost } from "../../support/simHost.ts";
import type { Backend } from "./backend.ts";
import { backendOf } from "./backends.ts";
import type { Chance } from "./chance.ts";
import { Climate } from "./climate.ts";
import { startControlPlane, type RunningPlane } from "./controlPlane.ts";
import { HostWatch } from "./hostWatch.ts";
import { Network } from "./network.ts";
import { InjectedError } from "./process.ts";
import { Scheduler } from "./scheduler.ts";
import type { StoreKind } from "./story.ts";
import { Supervisor } from "./supervisor.ts";
import { Truth } from "./truth.ts";

export interface SimulationParts {
  readonly chance: Chance;
  readonly store: StoreKind;
  readonly hosts: readonly string[];
  readonly crashes: boolean;
  readonly climate?: "foul" | "fair";
  readonly trace: "keep" | "drop";
}

/** A host and what watches it. */
export interface WatchedHost {
  readonly host: SimHost;
  readonly watch: HostWatch;
  /** Its clock against the true time, milliseconds. */
  skewMs: number;
}

const noGuard = { floor: 1000, share: 1, windowMs: 600_000 };

/** Everything that takes part in one run, none of it moving yet. */
export class Simulation {
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  readonly climate: Climate;
  readonly network: Network;
  readonly truth: Truth;
  readonly backend: Backend;
  readonly hosts = new Map<string, WatchedHost>();
  readonly supervisor: Supervisor;
  /** What must never happen and did; the first one ends the run. */
  readonly alarms: string[] = [];
  /** Texts that were logged, for the search for secrets. */
  readonly logged: string[] = [];
  readonly #invariants = new Invariants();
  /** When the last of what goes wrong for a time is over. */
  troubleUntil = 0;
  /** Set once the after-effects of what went wrong are over, too. */
  settled = false;
  #documents: readonly Manifest[] = [];
  wanted: WorldSpec = { hosts: [], vms: [], disks: [], nics: [], named: 0 };

  constructor({ chance, store, hosts, crashes, trace, climate: begins }: SimulationParts) {
    this.chance = chance;
    this.scheduler = new Scheduler(chance.fork("order"), trace);
    this.climate = new Climate(chance.fork("climate"), begins);
    const alarm = (what: string): void => {
      this.alarms.push(what);
      this.scheduler.note(`ALARM ${what}`);
    };
    this.network = new Network(alarm);
    this.truth = new Truth(alarm, () => this.scheduler.ms);
    const { scheduler, truth, climate } = this;
    const controlPlaneId = chance.uuid();
    const trouble = (ms: number, label: string, end: () => void): void => this.trouble(ms, label, end);
    this.backend = backendOf(store, {
      scheduler,
      chance: chance.fork("store"),
      truth,
      climate,
      controlPlaneId,
      trouble,
    });
    const common = this.#invariants;
    for (const name of hosts) this.#addHost(name, new HostWatch({ alarm: (what) => alarm(what), truth, common }));
    this.supervisor = new Supervisor({
      scheduler,
      chance: chance.fork("processes"),
      climate,
      replicas: this.backend.replicas,
      exclusive: this.backend.exclusive,
      crashes,
      start: (process, ending) =>
        startControlPlane(
          {
            process,
            backend: this.backend,
            network: this.network,
            host: (name) => this.host(name).host,
            log: this.#log(process.name),
            massDelete: noGuard,
            told: (record) => this.hosts.get(record.host)?.watch.told(record),
          },
          ending,
        ),
      abandoned: (process) => this.network.abandoned(process),
      failed: (error) => this.#failure("a start failed", error),
    });
  }

  #addHost(name: string, watch: HostWatch): void {
    const { scheduler, climate } = this;
    const chance = this.chance.fork(`host ${name}`);
    const watched: WatchedHost = {
      watch,
      skewMs: 0,
      host: new SimHost({
        clock: {
          now: () => new Date(scheduler.ms + watched?.skewMs),
          sleep: (ms, signal) => scheduler.sleep(ms, "", signal),
        },
        random: chance,
        seed: { name },
        onChange: (host, set) => watch.changed(host, set),
        audit: (entry) => {
          watch.heard(entry);
          scheduler.note(`${name} ${entry.at} ${entry.operation} ${entry.point ?? ""}${entry.code ?? ""}`);
        },
        betweenEffects: async () => {
          if (climate.strikes("agentKilled", chance)) watched.host.kill();
          await scheduler.sleep(
            climate.strikes("effectSlow", chance) ? chance.wide(100, 40_000) : chance.next() * 20,
            "",
          );
        },
      }),
    };
    this.hosts.set(name, watched);
  }

  host(name: string): WatchedHost {
    const found = this.hosts.get(name);
    if (!found) throw new Error(`no host ${name}`);
    return found;
  }

  /** Changes of hosts that jobs have made. */
  get effects(): number {
    const records = [...this.hosts.values()].flatMap(({ watch }) => watch.audit);
    return records.filter(({ at }) => at === "effect").length;
  }

  get plane(): RunningPlane | undefined {
    return this.supervisor.plane;
  }

  /** Makes the world what the user wants from now on. */
  async want(asked: WorldSpec): Promise<void> {
    const world = this.#unshrunk(asked);
    if (this.wanted !== world) this.#documents = manifests(world);
    this.wanted = world;
    await this.backend.sync([...this.#documents, ...this.#letGo()]);
  }

  /** A disk that was to go and has not gone yet is declared again no smaller than it is: that would be refused. */
  #unshrunk(world: WorldSpec): WorldSpec {
    const bigger = (name: string): number => {
      const there = (this.truth.list() as readonly VirtualDisk[]).find(
        ({ kind, metadata }) => kind === "VirtualDisk" && metadata.name === name && !metadata.deletionTimestamp,
      );
      return Number.parseInt(there?.spec.size ?? "0", 10);
    };
    if (world.disks.every(({ name, sizeGi }) => sizeGi >= bigger(name))) return world;
    return {
      ...world,
      disks: world.disks.map((disk) => ({ ...disk, sizeGi: Math.max(disk.sizeGi, bigger(disk.name)) })),
    };
  }

  /** Disks that are to go from machines that stay: their owner detaches them first, since a deletion would wait for that. */
  #letGo(): readonly Manifest[] {
    const disks = new Set(this.#documents.map(({ kind, metadata }) => `${kind}/${metadata.name}`));
    const vms = new Set(this.wanted.vms.map(({ name }) => name));
    return (this.truth.list() as readonly VirtualDisk[]).flatMap(({ kind, metadata, spec, status }) => {
      const { attachment, ...detached } = kind === "VirtualDisk" ? spec : {};
      const { name, namespace = "", deletionTimestamp } = metadata;
      if (!attachment || deletionTimestamp !== undefined) return [];
      // A move to a machine that goes, too, may not have begun.
      const holders = [attachment.virtualMachine, status?.attachedTo?.virtualMachine ?? ""];
      if (!holders.some((holder) => vms.has(holder))) return [];
      return disks.has(`${kind}/${name}`) ? [] : [{ kind, metadata: { name, namespace }, spec: detached }];
    });
  }

  /** Approves whatever awaits approval now; what was approved before and was not done in its restart is asked for anew. */
  async approve(): Promise<void> {
    for (const vm of this.truth.list() as readonly VirtualMachine[]) {
      const hash = vm.kind === "VirtualMachine" ? vm.status?.planHash : undefined;
      if (hash === undefined) continue;
      const { approve, restartedAt } = annotations;
      if (vm.metadata.annotations?.[approve] !== hash) await this.backend.annotate(keyOf(vm), approve, hash);
      else if (isUndone(vm))
        await this.backend.annotate(keyOf(vm), restartedAt, this.scheduler.clock("").now().toISOString());
    }
  }

  /** Something is wrong for so long; then this ends it. */
  trouble(ms: number, label: string, end: () => void): void {
    this.troubleUntil = Math.max(this.troubleUntil, this.scheduler.ms + ms);
    this.scheduler.at(ms, label, end);
  }

  /** Somebody takes these disks to another host. */
  moved(diskIds: readonly string[]): void {
    for (const id of diskIds) this.#invariants.excuse(id);
  }

  /** The run is over: what is left of it can be collected. */
  async close(): Promise<void> {
    this.supervisor.bury();
    await this.scheduler.advance(0);
    // A run never gives the event loop a turn, and without one nothing that waits for the collector is let go of.
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets time pass; at most until something happened that must not. */
  async pass(ms: number): Promise<void> {
    await this.scheduler.advance(ms, () => this.alarms.length > 0);
  }

  #log(process: string): Logger {
    const keep = (level: string) => (fields: object, text: string) => {
      this.logged.push(level === "debug" ? text : `${text} ${JSON.stringify(fields, errorText)}`);
      if (level !== "debug") this.scheduler.note(`${process} ${level}: ${text}`);
    };
    return {
      debug: keep("debug"),
      info: keep("info"),
      warn: keep("warn"),
      error: (fields, text) => {
        keep("error")(fields, text);
        const { err, error } = fields as { err?: unknown; error?: unknown };
        if (err !== undefined || error !== undefined) this.#failure(text, err ?? error);
      },
    };
  }

  /** While things go wrong much may be complained about; a mistake of the program never, and nothing once nothing goes wrong. */
  #failure(text: string, error: unknown): void {
    if (!isMistake(error) && (isInjected(error) || !this.settled)) return;
    const stack = error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error);
    this.alarms.push(`${text}: ${stack}`);
    this.scheduler.note(`ALARM ${text}: ${error instanceof Error ? error.message : stack}`);
  }
}

/** Its restart came and went without the change: people are told to ask again. */
const isUndone = ({ status }: VirtualMachine): boolean =>
  status?.conditions?.some(({ type, message }) => type === "Ready" && message.includes("aetherv restart")) === true;

const isMistake = (error: unknown): boolean =>
  error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;

const errorText = (_: string, value: unknown): unknown => (value instanceof Error ? value.message : value);

const isInjected = (error: unknown): boolean =>
  error instanceof InjectedError || (error instanceof Error && error.cause !== undefined && isInjected(error.cause));
