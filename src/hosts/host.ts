import type { HostSettings, HostView, JobInFlight, JobOrder, JobOutcome, Reach } from "../engine/ports.ts";
import { fault, type Fault } from "../protocol/errors.ts";
import type { Delta, HelloData, HostState, ValidateData } from "../protocol/generated/types.ts";
import { backoff } from "./backoff.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { Digests } from "./digests.ts";
import { fetchHistory } from "./history.ts";
import { Jobs } from "./jobs.ts";
import { Latch } from "./latch.ts";
import type { FoldChange, FoldingSnapshot, HostChange, HostPorts } from "./parts.ts";
import { faultIn, unreachable } from "./replies.ts";

export interface HostOptions extends HostPorts, ConnectionOptions {
  readonly newSnapshot: () => FoldingSnapshot;
  readonly onChange: (host: string, change: HostChange) => void;
}

/** Counters since the start of the process. */
export interface HostCounts {
  readonly inventories: number;
  readonly jobs: number;
  /** Characters sent and received. */
  readonly bytes: number;
}

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;
/** Least time between the starts of two inventories that were asked for. */
const SPACING_MS = 200;
/** The same after an answer of which a part was set aside: jobs are at work, so it may be again. */
const AGAIN_MS = 5_000;
/** An inventory may take two intervals, within these bounds: by then a silent host counts as unreachable anyway. */
const INVENTORY_WAIT_S = { least: 30, most: 120 } as const;
const VALIDATE_WAIT_S = 60;
/** Unanswered inventories in a row until the host counts as down though its session lives. */
const FAILED_LOOKS = 2;
const NOBODY: ReadonlySet<string> = new Set();

/** One host: keeps the connection, looks at it once an interval, runs its jobs. */
export class ManagedHost implements HostView {
  readonly name: string;
  readonly #options: HostOptions;
  readonly #latch: Latch;
  readonly #jobs: Jobs;
  readonly #connection: Connection;
  #settings: HostSettings;
  #known: FoldingSnapshot;
  #reach: Reach = { at: "connecting" };
  #agent: HelloData | undefined;
  #problems: ValidateData["problems"] | undefined;
  #validated = false;
  #validatedFor: string | undefined;
  readonly #digests = new Digests();
  #looked = false;
  /** Failed tries to connect or look, in a row. */
  #failures = 0;
  #dueAt = 0;
  #lookedAt = 0;
  #inventories = 0;
  #life: "running" | "stopping" | "stopped" = "running";
  #stopped: Promise<void> | undefined;

  constructor(settings: HostSettings, options: HostOptions) {
    this.name = settings.name;
    this.#settings = settings;
    this.#options = options;
    this.#latch = new Latch(options.clock);
    this.#known = options.newSnapshot();
    this.#connection = new Connection(settings, options, {
      onStray: (result) => this.#jobs.stray(result),
      onGarbage: () => void this.#jobs.suspect(),
      onDown: () => {
        this.#dueAt = 0;
        this.#latch.ring();
      },
    });
    this.#jobs = new Jobs({
      ...options,
      limits: limitsOf(settings),
      connection: this.#connection,
      readiness: () => this.#readiness(),
      fold: (observed, times) => this.#fold(observed, times),
      wake: (uids) => this.#tell({ uids: new Set(uids), host: false }),
      refresh: () => this.refresh(),
      onStale: (why) => this.#outdated(why),
    });
    void this.#run();
  }

  get settings(): HostSettings {
    return this.#settings;
  }

  get reach(): Reach {
    return this.#reach;
  }

  get agent(): HelloData | undefined {
    return this.#agent;
  }

  get snapshot(): FoldingSnapshot | undefined {
    return this.#looked ? this.#known : undefined;
  }

  get problems(): ValidateData["problems"] | undefined {
    return this.#problems;
  }

  get counts(): HostCounts {
    return { inventories: this.#inventories, jobs: this.#jobs.sent, bytes: this.#connection.characters };
  }

  job(uid: string, but?: string): JobInFlight | undefined {
    return this.#jobs.of(uid, but);
  }

  uncertain(uid: string): Fault | undefined {
    return this.#jobs.uncertainty.of(uid);
  }

  submit(order: JobOrder, done: (outcome: JobOutcome) => void): void {
    this.#jobs.submit(order, done);
  }

  refresh(): void {
    this.#due(Math.max(this.#options.clock.now().getTime(), this.#lookedAt + SPACING_MS));
  }

  /** Takes over changed settings; another way to reach the host opens its sessions anew. */
  update(settings: HostSettings): void {
    const before = this.#settings;
    this.#settings = settings;
    this.#jobs.resize(limitsOf(settings));
    if (JSON.stringify([before.layout, before.networks]) !== JSON.stringify([settings.layout, settings.networks])) {
      this.#validated = false;
      this.#digests.forget();
      this.refresh();
    }
    if (before.inventoryIntervalMs !== settings.inventoryIntervalMs) this.#due(this.#nextRegular());
    if (before.connectionHash === settings.connectionHash) return;
    this.#connection.replace(settings);
    this.#failures = 0;
    this.#latch.ring();
  }

  /** From now on no job starts. */
  drain(): void {
    if (this.#life !== "running") return;
    this.#life = "stopping";
    this.#jobs.pump();
  }

  /** No new job starts; those running are waited for, at most `graceMs`. */
  stop({ graceMs }: { readonly graceMs: number }): Promise<void> {
    this.drain();
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<void> {
    const waited = new AbortController();
    await Promise.race([this.#jobs.idle(), this.#options.clock.sleep(graceMs, waited.signal)]);
    waited.abort();
    this.#life = "stopped";
    this.#jobs.abandon();
    this.#connection.close(fault("HostUnreachable", "the control plane stops"));
    this.#latch.ring();
  }

  // The loop: connect, look, sleep ---------------------------------------------------------------------------------

  async #run(): Promise<void> {
    while (!this.#over) {
      try {
        await this.#turn();
      } catch (error) {
        this.#options.log.error({ error, host: this.name }, "the loop of a host failed");
        this.#failed(fault("InternalError", error instanceof Error ? error.message : String(error)));
      }
      if (!this.#over) await this.#latch.sleep(this.#dueAt - this.#options.clock.now().getTime());
    }
  }

  get #over(): boolean {
    return this.#life === "stopped";
  }

  async #turn(): Promise<void> {
    const now = this.#options.clock.now().getTime();
    if (this.#connection.mode === "none") {
      if (this.#failures > 0 && now < this.#dueAt) return;
      if (!(await this.#connect())) return;
    } else if (now < this.#dueAt) return;
    await this.#connection.improve();
    if (!this.#validated) await this.#validate();
    await this.#look();
  }

  async #connect(): Promise<boolean> {
    const connected = await this.#connection.connect();
    if (this.#over || connected.at === "superseded") return false;
    this.#agent = connected.hello ?? this.#agent;
    if (connected.at === "failed") this.#failed(connected.fault);
    return connected.at === "connected";
  }

  async #validate(): Promise<void> {
    const { layout, networks } = this.#settings;
    const settings = this.#settings;
    const reply = await this.#connection.ask("host.validate", { layout, networks: [...networks] }, VALIDATE_WAIT_S);
    if (reply.at !== "answered" || !reply.checked.ok) {
      this.#options.log.warn(
        { host: this.name, fault: faultIn(reply) },
        "host.validate was not answered; asked again later",
      );
      return;
    }
    this.#validated = settings === this.#settings;
    const { problems } = reply.checked.result.data;
    if (JSON.stringify(problems) === JSON.stringify(this.#problems)) return;
    this.#problems = problems;
    this.#tell({ uids: NOBODY, host: true });
  }

  /** What host.validate looks at has changed, or it had found something that may be mended by now. */
  #mayValidateOtherwise(host: HostState | undefined): boolean {
    if ((this.#problems ?? []).length > 0) return true;
    if (!host) return false;
    const before = this.#validatedFor;
    this.#validatedFor = JSON.stringify([host.switches.map(({ name }) => name), host.storage.map(({ path }) => path)]);
    return before !== undefined && before !== this.#validatedFor;
  }

  async #look(): Promise<void> {
    await this.#jobs.settleLingering();
    const at = this.#options.clock.now();
    this.#lookedAt = at.getTime();
    this.#dueAt = this.#nextRegular();
    const asked = { settings: this.#settings, fold: this.#known.mark(), doubt: this.#jobs.uncertainty.mark() };
    const { last } = this.#digests;
    this.#inventories += 1;
    const reply = await this.#connection.ask(
      "host.inventory",
      { layout: this.#settings.layout, ...(last !== undefined && { since: last }) },
      this.#inventoryWaitSeconds(),
    );
    if (this.#over) return;
    if (reply.at !== "answered" || !reply.checked.ok) return this.#lookFailed(faultIn(reply));
    const { data } = reply.checked.result;
    const change = this.#known.foldInventory(data, at, asked.fold);
    // Else the digest of before, so that what was set aside, or what a job's late reply made doubtful, is told once more.
    if (asked.settings.layout === this.#settings.layout && !change.again && this.#digests.last === last)
      this.#digests.add(data.digest, this.#options.clock.now());
    if (change.again && data.unknown.length === 0) this.#due(this.#lookedAt + AGAIN_MS);
    if (this.#mayValidateOtherwise(data.observed.host)) this.#validated = false;
    const unseen = data.unknown.some(({ part }) => part === "vms" || part === "disks");
    this.#seen(change, unseen ? [] : this.#jobs.uncertainty.looked(asked.doubt));
  }

  #inventoryWaitSeconds(): number {
    const { least, most } = INVENTORY_WAIT_S;
    return Math.min(most, Math.max(least, (2 * this.#settings.inventoryIntervalMs) / 1000));
  }

  #seen(change: FoldChange, certain: readonly string[]): void {
    const first = !this.#looked;
    this.#looked = true;
    // After the first look, which is what everybody waits for.
    const [host, connection] = [this.name, this.#connection];
    if (first && this.#settings.role !== "observe")
      void fetchHistory(this.#agent, { ...this.#options, host, connection, stopped: () => this.#over });
    this.#failures = 0;
    this.#setUp();
    if (first) return this.#tell({ uids: "all", host: true });
    const uids = new Set([...change.uids, ...certain]);
    if (uids.size > 0 || change.host) this.#tell({ uids, host: change.host });
  }

  #lookFailed(why: Fault): void {
    if (why.code === "StaleController") return this.#outdated(why);
    this.#digests.forget();
    this.#failed(why, this.#failures + 1 < FAILED_LOOKS);
  }

  // What is known ---------------------------------------------------------------------------------------------------

  #readiness() {
    if (this.#life !== "running")
      return {
        at: "refused",
        fault: fault("HostUnreachable", "the control plane stops, or no longer manages the host"),
      } as const;
    if (this.#settings.role === "observe") return { at: "refused", fault: notOurs } as const;
    if (this.#reach.at === "down") return { at: "refused", fault: unreachable(this.#reach.fault) } as const;
    const connected = this.#reach.at === "up" && this.#connection.mode !== "none";
    return connected ? ({ at: "ready" } as const) : ({ at: "waiting" } as const);
  }

  #fold(observed: Delta, { sentAt, at }: { readonly sentAt: Date; readonly at: Date }): void {
    this.#digests.backTo(sentAt);
    const { uids, host } = this.#known.fold(observed, { at });
    if (uids.size > 0 || host) this.#tell({ uids, host });
  }

  #tell(change: HostChange): void {
    if (!this.#over) this.#options.onChange(this.name, change);
  }

  #setUp(): void {
    if (this.#reach.at !== "up") {
      this.#reach = { at: "up", since: this.#options.clock.now() };
      this.#tell({ uids: "all", host: true });
    }
    this.#jobs.pump();
  }

  /** A newer process acts on the host. Asked again each interval: an operator may have given the host back (take-over). */
  #outdated(why: Fault): void {
    this.#connection.disconnect(why);
    this.#failed(why);
    this.#dueAt = this.#nextRegular();
  }

  /** One more try failed: when to try again, and, unless it is `early`, the host is down. */
  #failed(why: Fault, early = false): void {
    this.#failures += 1;
    const longest = Math.min(MAX_RETRY_MS, this.#settings.inventoryIntervalMs);
    const pause = backoff(this.#failures - 1, Math.min(FIRST_RETRY_MS, longest), longest, this.#options.random);
    this.#dueAt = this.#options.clock.now().getTime() + pause;
    if (!early) this.#setDown(why);
  }

  #setDown(why: Fault): void {
    const now = this.#options.clock.now();
    const before = this.#reach;
    const since = before.at === "down" ? before.since : now;
    const missed = 1 + Math.floor((now.getTime() - since.getTime()) / this.#settings.inventoryIntervalMs);
    this.#reach = { at: "down", since, fault: why, missed };
    this.#jobs.pump();
    if (before.at !== "down") return this.#tell({ uids: "all", host: true });
    if (before.missed !== missed || before.fault.code !== why.code) this.#tell({ uids: NOBODY, host: true });
  }

  #due(at: number): void {
    if (at >= this.#dueAt) return;
    // While the host is down the next try is the backoff's.
    if (this.#connection.mode === "none" && this.#failures > 0) return;
    this.#dueAt = at;
    this.#latch.ring();
  }

  #nextRegular(): number {
    return this.#lookedAt + this.#settings.inventoryIntervalMs;
  }
}

const notOurs = fault("HostUnreachable", "another replica of the control plane manages this host: it sends the jobs");

const limitsOf = ({ concurrency, longConcurrency }: HostSettings) => ({ short: concurrency, long: longConcurrency });
