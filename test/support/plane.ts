import { kinds } from "../../controllers/index.ts";
import type { HostSeed } from "../../agents/simulator/model/seed.ts";
import type { BehaviourFile } from "../../agents/simulator/model/behaviour.ts";
import type { VirtualMachine, VMHost } from "../../src/api/generated/types.ts";
import { annotations } from "../../src/api/annotations.ts";
import { keyOf, keyText, type Condition, type Key, type Resource } from "../../src/api/resource.ts";
import { hostSettings } from "../../src/app/settings.ts";
import { modelValidation } from "../../src/app/validation.ts";
import { Controller } from "../../src/engine/controller.ts";
import type { GuardSettings } from "../../src/engine/massDelete.ts";
import type { EventNote, JobRecord, Logger, Step } from "../../src/engine/ports.ts";
import { HostSnapshot } from "../../src/engine/snapshot.ts";
import { HostDirectory } from "../../src/hosts/directory.ts";
import { ProtocolCheck } from "../../src/protocol/check.ts";
import { MemoryStore, type Applied } from "../../src/stores/memory/store.ts";
import { SeededRandom } from "./random.ts";
import { SimHost } from "./simHost.ts";
import { VirtualClock } from "./virtualClock.ts";

export type Manifest = Applied;

export interface PlaneOptions {
  readonly seed?: number;
  readonly hosts: readonly HostSeed[];
  readonly behaviour?: BehaviourFile;
  readonly massDelete?: GuardSettings;
  /** Called after each change of a host's state. It may throw: the error is kept and `settle` throws it. */
  readonly watchHost?: (host: SimHost) => void;
  /** Called with each job that ended. */
  readonly jobEnded?: (record: JobRecord) => void;
}

/** Sums since the plane was made, over restarts. */
export interface PlaneCounters {
  /** Every write of an object, a user's included. */
  readonly storeWrites: number;
  /** Of the controllers: metadata and status on the way to Ready; mere progress; news of objects that are Ready. */
  readonly toReadyWrites: number;
  readonly progressWrites: number;
  readonly laterWrites: number;
  readonly jobs: number;
  readonly inventories: number;
  readonly reconciles: number;
}

type Sums = Omit<PlaneCounters, "storeWrites">;

const noSums: Sums = { toReadyWrites: 0, progressWrites: 0, laterWrites: 0, jobs: 0, inventories: 0, reconciles: 0 };

export interface Settled {
  /** Virtual milliseconds until the last write or job; the quiet time after it is not counted. */
  readonly tookMs: number;
  readonly quiet: boolean;
}

/** Longer than the directory waits for an inventory whose answer was lost. */
const QUIET_MS = 150_000;
const STEP_MS = 5_000;

/** Compiled once: the schemas take longest. */
const check = new ProtocolCheck();

const controlPlaneId = "00000000-0000-4000-8000-00000000c0de";

/** The process of a control plane: what is lost at a restart. */
interface Running {
  readonly controller: Controller;
  readonly hosts: HostDirectory;
  readonly stopping: AbortController;
}

/** A whole control plane and its hosts in one process, under virtual time and seeded chance. */
export class Plane {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly store: MemoryStore;
  readonly hosts = new Map<string, SimHost>();
  readonly jobs: JobRecord[] = [];
  readonly events: { readonly key: Key; readonly note: EventNote }[] = [];
  /** What went wrong inside: errors that were logged, and those of the watchers. */
  readonly errors: Error[] = [];
  readonly #options: PlaneOptions;
  #epoch = 0;
  #running: Running | undefined;
  #before = noSums;

  constructor(options: PlaneOptions) {
    this.#options = options;
    this.random = new SeededRandom(options.seed ?? 1);
    const { clock, random } = this;
    this.store = new MemoryStore({ clock, random, validation: modelValidation });
    for (const [index, seed] of options.hosts.entries()) this.#addHost(index, seed);
  }

  #addHost(index: number, seed: HostSeed): void {
    const { watchHost, behaviour } = this.#options;
    const host = new SimHost({
      clock: this.clock,
      random: new SeededRandom((this.#options.seed ?? 1) * 31 + index + 1),
      seed,
      ...(behaviour && { behaviour }),
      ...(watchHost && { onChange: (changed: SimHost) => this.#guarded(() => watchHost(changed)) }),
    });
    this.hosts.set(seed.name, host);
  }

  /** Starts the control plane's process. */
  async start(): Promise<this> {
    if (this.#running) throw new Error("the plane runs already");
    this.#epoch += 1;
    const stopping = new AbortController();
    const hosts = this.#directory();
    const controller = this.#controller(hosts);
    this.#running = { controller, hosts, stopping };
    const apply = (): void => hosts.apply((this.store.cache.list("VMHost") as readonly VMHost[]).map(hostSettings));
    await this.store.watch((key) => key.kind === "VMHost" && apply(), stopping.signal);
    await controller.start();
    return this;
  }

  #directory(): HostDirectory {
    const { clock, random } = this;
    return new HostDirectory({
      clock,
      random,
      log: this.#log(),
      check,
      controlPlaneId,
      journal: { put: (record) => this.#journal(record), log: () => undefined },
      epoch: () => this.#epoch,
      raiseEpoch: (min) => Promise.resolve((this.#epoch = Math.max(this.#epoch, min))),
      newSnapshot: () => new HostSnapshot(controlPlaneId),
      transportFor: ({ name }) => this.host(name),
      onChange: (host, { uids, host: self }) =>
        this.#running?.controller.wakeHost(host, uids === "all" ? "all" : { uids, host: self }),
    });
  }

  #controller(hosts: HostDirectory): Controller {
    const { clock, random, store, events } = this;
    const { massDelete } = this.#options;
    return new Controller({
      store,
      hosts,
      kinds,
      clock,
      random,
      log: this.#log(),
      events: { record: (key, _, note) => void events.push({ key, note }) },
      controlPlaneId,
      ...(massDelete && { massDelete }),
    });
  }

  /** Ends the process without waiting for running jobs. The store and the hosts stay. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (!running) return;
    this.#running = undefined;
    this.#before = this.#sums(running);
    running.stopping.abort();
    let ended = false;
    const end = running.controller
      .stop()
      .then(() => running.hosts.stop({ graceMs: 0 }))
      .finally(() => (ended = true));
    // Waiting of no length still needs the clock to go on.
    while (!ended) await this.clock.advance(0);
    await end;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  #log(): Logger {
    const error = (fields: object, text: string): void => {
      const { err, error: other } = fields as { err?: unknown; error?: unknown };
      const cause = err ?? other;
      this.errors.push(new Error(`${text} ${JSON.stringify(fields)}`, { cause }));
    };
    return { debug: () => undefined, info: () => undefined, warn: () => undefined, error };
  }

  #journal(record: JobRecord): void {
    if (record.finishedAt === undefined) return;
    this.jobs.push(record);
    const { jobEnded } = this.#options;
    if (jobEnded) this.#guarded(() => jobEnded(record));
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.errors.push(error instanceof Error ? error : new Error(String(error)));
    }
  }

  host(name: string): SimHost {
    const host = this.hosts.get(name);
    if (!host) throw new Error(`no simulated host ${name}`);
    return host;
  }

  /** Applies manifests in this order, as `kubectl apply` does. Throws what the model finds wrong. */
  async apply(manifests: readonly Manifest[]): Promise<void> {
    for (const manifest of manifests) await this.store.apply(manifest);
  }

  /** Changes the spec of an object as a user does; the given function gets a copy. Throws what the model finds wrong. */
  async edit(key: Key, change: (spec: Record<string, unknown>) => void): Promise<void> {
    const object = this.get(key);
    if (!object) throw new Error(`${keyText(key)} does not exist`);
    const spec = structuredClone(object.spec) as Record<string, unknown>;
    change(spec);
    const { name, namespace } = object.metadata;
    await this.store.apply({ kind: key.kind, metadata: { name, ...(namespace !== undefined && { namespace }) }, spec });
  }

  /** Sets an annotation as the CLI does. */
  async annotate(key: Key, name: string, value: string): Promise<void> {
    const object = await this.store.get(key);
    if (!object) throw new Error(`${keyText(key)} does not exist`);
    const annotations = { ...object.metadata.annotations, [name]: value };
    await this.store.putMetadata({ ...object, metadata: { ...object.metadata, annotations } });
  }

  /** Approves whatever awaits approval now. Tells how many plans. */
  async approveAll(): Promise<number> {
    let count = 0;
    for (const vm of this.store.cache.list("VirtualMachine") as readonly VirtualMachine[]) {
      const hash = vm.status?.planHash;
      if (hash === undefined || vm.metadata.annotations?.[annotations.approve] === hash) continue;
      await this.annotate(keyOf(vm), annotations.approve, hash);
      count += 1;
    }
    return count;
  }

  /** Settles, approves what awaits approval, and so on until nothing does. */
  async settleApproved(maxMs = 3_600_000): Promise<Settled> {
    for (let round = 0; ; round += 1) {
      const settled = await this.settle(maxMs);
      if (!settled.quiet || round === 8 || (await this.approveAll()) === 0) return settled;
    }
  }

  /** The steps that are still to be done for an object, as `aetherv plan` would show them. */
  plan(object: Resource): readonly Step[] {
    const running = this.#running;
    const kind = kinds.find((one) => one.kind === object.kind);
    if (!running || !kind) throw new Error("no plan without a running plane");
    return kind.decide(object, running.controller.world(object)).plan;
  }

  delete(key: Key): Promise<void> {
    return this.store.remove(key);
  }

  get(key: Key): Resource | undefined {
    return this.store.cache.get(key);
  }

  objects(): readonly Resource[] {
    return kinds.flatMap(({ kind }) => this.store.cache.list(kind));
  }

  #sums({ controller, hosts }: Running): Sums {
    const counts = [...hosts.counts().values()];
    const { metadataWrites, statusWrites, progressWrites, laterWrites, reconciles } = controller.counters();
    const own: Sums = {
      toReadyWrites: metadataWrites + statusWrites - progressWrites - laterWrites,
      progressWrites,
      laterWrites,
      reconciles,
      inventories: counts.reduce((sum, one) => sum + one.inventories, 0),
      jobs: counts.reduce((sum, one) => sum + one.jobs, 0),
    };
    const names = Object.keys(own) as (keyof Sums)[];
    return Object.fromEntries(names.map((name) => [name, own[name] + this.#before[name]])) as unknown as Sums;
  }

  counters(): PlaneCounters {
    const sums = this.#running ? this.#sums(this.#running) : this.#before;
    return { ...sums, storeWrites: this.store.counters.objects };
  }

  /** Whether a job is under way, or a key waits for a worker. */
  #busy(): boolean {
    const controller = this.#running?.controller.counters();
    return controller !== undefined && controller.depth + controller.working > 0;
  }

  /** Lets virtual time pass until nothing was written or sent for long enough, or `maxMs` are over. Throws inner errors. */
  async settle(maxMs = 3_600_000): Promise<Settled> {
    const start = this.clock.now().getTime();
    let last = start;
    let mark = "";
    for (;;) {
      const now = this.clock.now().getTime();
      const next = this.#mark();
      if (next !== mark || this.#busy()) last = now;
      mark = next;
      this.#throwErrors();
      if (now - last >= QUIET_MS) return { tookMs: last - start, quiet: true };
      if (now - start >= maxMs) return { tookMs: last - start, quiet: false };
      await this.clock.advance(STEP_MS);
    }
  }

  /** Lets virtual time pass. Throws inner errors. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
    this.#throwErrors();
  }

  #mark(): string {
    const { storeWrites, jobs } = this.counters();
    const running = this.objects().filter((one) => this.#running?.hosts.host(hostName(one))?.job(one.metadata.uid));
    return `${storeWrites}/${jobs}/${this.jobs.length}/${running.length > 0 ? this.clock.now().getTime() : ""}`;
  }

  #throwErrors(): void {
    const [error] = this.errors;
    if (error) throw error;
  }

  /** How each object stands: "Ready", "Ready/ChangesPending", "Stalled/HostMismatch", "Reconciling/Busy"; by key text. */
  standing(): ReadonlyMap<string, string> {
    return new Map(this.objects().map((one) => [keyText(keyOf(one)), standingOf(one)]));
  }
}

const hostName = (object: Resource): string => object.metadata.annotations?.[annotations.host] ?? "";

/** One word of a status: see Plane.standing. */
export const standingOf = ({ status, metadata }: Resource): string => {
  const conditions = (status as { conditions?: readonly Condition[] } | undefined)?.conditions ?? [];
  const held = conditions.find(
    ({ type, status: value }) => ["Stalled", "Reconciling"].includes(type) && value === "True",
  );
  const ready = conditions.find(({ type }) => type === "Ready");
  const current = ready === undefined || ready.observedGeneration === metadata.generation;
  if (!current) return "Outdated";
  if (held) return `${held.type}/${held.reason}`;
  if (ready?.status !== "True") return `Ready=${ready?.status ?? "missing"}/${ready?.reason ?? ""}`;
  return ready.reason === "ChangesPending" ? "Ready/ChangesPending" : "Ready";
};
