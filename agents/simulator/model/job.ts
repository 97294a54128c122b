import type {
  JobRequest,
  LogLine,
  Operation,
  OperationSpecs,
  SessionLine,
} from "../../../src/protocol/generated/types.ts";
import type { Clock, Random } from "../../../src/engine/ports.ts";
import { auditOf, type Audit } from "./audit.ts";
import { JobError } from "./errors.ts";
import type { Fault } from "./faults.ts";
import type { Latency } from "./latency.ts";
import { settle, unsettled } from "./settle.ts";
import { Transaction, type HostStore } from "./state.ts";
import type { Run } from "./types.ts";
import { vmAndDisks } from "./views.ts";
import { World } from "./world.ts";

export type Emit = (line: SessionLine) => void;

/** The agent's process ends here, as if killed: nothing after the point happened. */
export class CrashError extends Error {
  override readonly name = "CrashError";
}

/** Ends a job early on purpose (fault `partial`). */
class PartialError extends JobError {}

export interface JobParts {
  readonly request: JobRequest;
  readonly store: HostStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly latency: Latency;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  readonly fault?: Fault;
  readonly audit?: Audit;
  /** What passes between two effects; by default nothing but other jobs' turns. */
  readonly betweenEffects?: () => Promise<void>;
}

/** One running job: its view of the host, its effects, its log. An operation is a function of a Job. */
export class Job<O extends Operation = Operation> {
  readonly spec: OperationSpecs[O];
  readonly controlPlane: string;
  readonly dryRun: boolean;
  readonly id: string;
  readonly latency: Latency;
  readonly touchedVms = new Set<string>();
  readonly touchedDisks = new Set<string>();
  readonly touchedTrash = new Set<string>();
  readonly logs: LogLine[] = [];
  effects = 0;
  readonly #parts: JobParts;
  /** A dry run's effects pile up here and are thrown away. */
  readonly #scratch: World | undefined;

  constructor(parts: JobParts) {
    this.#parts = parts;
    const { request } = parts;
    this.spec = request.resource_spec as unknown as OperationSpecs[O];
    this.controlPlane = request.metadata.control_plane;
    this.dryRun = request.metadata.dry_run;
    this.id = request.correlation_id;
    this.latency = parts.latency;
    this.#scratch = this.dryRun ? parts.store.read(() => new World(new Transaction(parts.store.table))) : undefined;
  }

  /** Milliseconds since 1970. */
  now(): number {
    return this.#parts.clock.now().getTime();
  }

  /** When something that nominally takes so long from now on is over. */
  after(nominalMs: number): number {
    return this.now() + nominalMs * this.latency.factor;
  }

  time(): string {
    return this.#parts.clock.now().toISOString();
  }

  uuid(): string {
    return this.#parts.random.uuid();
  }

  chance(): number {
    return this.#parts.random.next();
  }

  log(level: LogLine["level"], text: string): void {
    if (level === "debug" && !this.#parts.request.metadata.debug) return;
    const line = { time: this.time(), level, text };
    this.logs.push(line);
    this.#parts.emit({ type: "log", correlation_id: this.id, log: line });
  }

  progress(percent: number, text: string): void {
    if (this.dryRun) return;
    this.#parts.emit({ type: "progress", correlation_id: this.id, percent: Math.round(percent), text });
  }

  /** Reads the host as it is now. */
  read<T>(work: (world: World) => T): T {
    if (this.#scratch) return work(this.#scratch);
    this.settle();
    return this.#parts.store.read((tx) => work(new World(tx)));
  }

  settle(): void {
    const { store } = this.#parts;
    const now = this.now();
    if (!store.read((tx) => unsettled(new World(tx), now))) return;
    store.transact((tx) => settle(new World(tx), now, this.latency.factor));
  }

  /**
   * One change of the host that happens whole or not at all, and that a crash may follow. The fence is checked inside.
   * The operation must be repeatable from the state that any prefix of its effects leaves.
   */
  async effect<T>(point: string, work: (world: World) => T): Promise<T> {
    this.#interrupted();
    if (this.#scratch) return work(this.#scratch);
    this.#crash(`before:${point}`);
    const now = this.now();
    const result = this.#parts.store.transact((tx) => {
      const world = new World(tx);
      this.#fence(world);
      settle(world, now, this.latency.factor);
      this.#parts.audit?.({ at: "effect", point, ...auditOf(this.#parts.request, this.#parts.clock.now()) });
      return work(world);
    });
    this.effects += 1;
    this.log("debug", `done: ${point}`);
    this.#crash(point);
    if (this.#parts.fault?.type === "partial")
      throw new PartialError("HyperVError", `the job broke off after ${point}`);
    // Lets other jobs run between two effects, as on the real host.
    await this.#parts.betweenEffects?.();
    return result;
  }

  #crash(point: string): void {
    const { fault } = this.#parts;
    if (fault?.type === "crash" && (fault.point === point || fault.point === `#${this.effects}`))
      throw new CrashError(point);
  }

  #highestEpoch(world: World): number {
    return (world.tx.get(`epoch:${this.controlPlane}`) as number | undefined) ?? 0;
  }

  /** Whether the sender may not change anything any more; reads are answered all the same. */
  isStale(): boolean {
    return this.read((world) => this.#parts.request.metadata.epoch < this.#highestEpoch(world));
  }

  /**
   * Keeps the sender's epoch if it is the highest: from the first look of a new process on, jobs of the one before it are refused, be
   * there something to change or not.
   */
  raiseEpoch(): void {
    const { request, store, audit } = this.#parts;
    const { epoch } = request.metadata;
    if (epoch === 0 || this.dryRun) return;
    if (this.read((world) => epoch <= this.#highestEpoch(world))) return;
    store.transact((tx) => {
      if (epoch <= this.#highestEpoch(new World(tx))) return;
      tx.put(`epoch:${this.controlPlane}`, epoch);
      audit?.({ at: "look", ...auditOf(request, this.#parts.clock.now()) });
    });
  }

  #fence(world: World): void {
    const highest = this.#highestEpoch(world);
    const { epoch } = this.#parts.request.metadata;
    if (epoch < highest)
      throw new JobError("StaleController", `epoch ${epoch} is older than ${highest}, the highest seen on this host`);
    const run = world.tx.get(`run:${this.id}`) as Run | undefined;
    if (run?.cancel) throw new JobError("Timeout", "the job was cancelled on request");
  }

  #interrupted(): void {
    const { signal } = this.#parts;
    if (signal.aborted)
      throw signal.reason instanceof Error ? signal.reason : new JobError("Timeout", "the job was ended");
  }

  /** Takes time: nominal milliseconds, scaled by the latency's factor. */
  async work(nominalMs: number): Promise<void> {
    await this.wait(nominalMs * this.latency.factor);
  }

  /** Waits real milliseconds. */
  async wait(ms: number): Promise<void> {
    if (this.dryRun) return;
    this.#interrupted();
    if (ms > 0) await this.#parts.clock.sleep(ms, this.#parts.signal);
    this.#interrupted();
  }

  touchVm(id: string): void {
    this.touchedVms.add(id);
  }

  /** The machine with all files of its disks. */
  touchVmAndDisks(world: World, id: string): void {
    const touched = vmAndDisks(world, id);
    this.touchedVms.add(id);
    for (const path of touched.disks ?? []) this.touchedDisks.add(path);
  }

  touchDisk(path: string): void {
    this.touchedDisks.add(path);
  }
}

/** What an operation answers beside `observed`. */
export type Answer = Readonly<Record<string, unknown>>;
export type OperationHandler<O extends Operation> = (job: Job<O>) => Promise<Answer>;
