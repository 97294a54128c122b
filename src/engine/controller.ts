import { annotations as names } from "../api/annotations.ts";
import { keyOf, keyText } from "../api/resource.ts";
import { hasStatus } from "./conditions.ts";
import { Dependents } from "./dependents.ts";
import { hasten } from "./faultGate.ts";
import { fileModeGuard, hostOf, MassDeleteGuard } from "./massDelete.ts";
import { sameWishes } from "./memory.ts";
import { withMaker } from "./objectWrites.ts";
import { Paced } from "./paced.ts";
import type { EngineParts } from "./parts.ts";
import type { Condition, Key, Kind, ReconcileOutcome, Resource, World } from "./ports.ts";
import { KeyedQueue, type QueueCounters } from "./queue.ts";
import type { Next } from "./next.ts";
import { Reconciler, type ReconcileCounters } from "./reconcile.ts";

/** Part of a host's news that matters here; SnapshotChange has this shape. */
export interface HostNews {
  readonly uids: ReadonlySet<string>;
  /** The host's own state, or something that belongs to nobody here, changed. */
  readonly host: boolean;
}

/** Nobody decides by the status of these kinds (their present state comes from HostView). */
const statusUnread: ReadonlySet<string> = new Set(["VMHost"]);
const defaultResyncMs = 600_000;
/** A host at work has news with each job; those who only wait for it look no oftener. */
const waitersMs = 500;
/** With more keys than this in the queue nobody is woken on a chance: whoever waits is in the queue, or would only come behind them all. */
const crowd = 1000;

const hostKey = (name: string): Key => ({ kind: "VMHost", namespace: "", name });

/** The loop: turns changes of objects and hosts into keys, and keys into reconciles. */
export class Controller {
  readonly #parts: EngineParts;
  readonly #queue: KeyedQueue;
  readonly #reconciler: Reconciler;
  readonly #dependents = new Dependents();
  readonly #guard: MassDeleteGuard;
  /** As last seen, by key text. */
  readonly #known = new Map<string, Resource>();
  readonly #keyOfUid = new Map<string, Key>();
  /** Objects that are on no host yet, by key text. */
  readonly #unplaced = new Map<string, Key>();
  readonly #stopping = new AbortController();
  /** Wakes those who wait for a host's news, or for any host's. */
  readonly #waiters: Paced;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#waiters = new Paced({
      clock: parts.clock,
      ms: waitersMs,
      signal: this.#stopping.signal,
      isBusy: () => this.#queue.depth > crowd,
    });
    this.#guard = new MassDeleteGuard({
      list: (kind) => parts.store.cache.list(kind),
      now: () => parts.clock.now(),
      settings: parts.massDelete ?? fileModeGuard,
    });
    this.#reconciler = new Reconciler(parts, {
      referrers: (key) => this.referrers(key),
      held: (resource) => this.#guard.held(resource),
      jobDone: (key) => this.#queue.add(key, "normal"),
    });
    this.#queue = new KeyedQueue({
      clock: parts.clock,
      random: parts.random,
      workers: parts.workers ?? 64,
      work: (key, waitedMs) => this.#observed(key, waitedMs),
      failed: (key, error) => parts.log.error({ key: keyText(key), err: error }, "reconcile failed; it is tried again"),
    });
  }

  /** Begins to work once the store has listed everything. */
  async start(): Promise<void> {
    await this.#parts.store.watch((key) => this.#changed(key), this.#stopping.signal);
    this.#queue.start();
    void this.#resync();
  }

  /** Starts nothing more and waits for the reconciles at work; jobs at work are the hosts' to wait for. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#queue.stop();
  }

  /** Somebody wants this object looked at now. */
  wake(key: Key): void {
    this.#queue.add(key, "high");
  }

  /** Everything is looked at again: other objects are this process's than before. */
  wakeAll(): void {
    for (const resource of this.#known.values()) this.#queue.add(keyOf(resource), "normal");
  }

  /**
   * A host has news: the owners of what changed look again, and its VMHost. "all", or news of a host that does not answer: everything
   * that is on the host. What waited for its host may then try again before its time.
   */
  wakeHost(host: string, news: HostNews | "all"): void {
    const silent = news !== "all" && news.host && this.#parts.hosts.host(host)?.reach.at !== "up";
    if (news === "all" || silent) this.#wakeOn(host, this.referrers(hostKey(host)));
    else this.#wakeOn(host, this.#concerned(news));
    this.#queue.add(hostKey(host), "normal");
    if (news !== "all" && !news.host) return;
    if (news !== "all" && !silent) this.#waiters.ask(host, () => this.#wakeUnready(host));
    this.#wakeUnplaced();
  }

  #wakeOn(host: string, concerned: readonly Resource[]): void {
    for (const resource of concerned) {
      this.#hasten(resource, host);
      this.#queue.add(keyOf(resource), "normal");
    }
  }

  /** Whoever on the host is not Ready may wait for what it told of itself. */
  #wakeUnready(host: string): void {
    this.#wakeOn(
      host,
      this.referrers(hostKey(host)).filter((resource) => !isReady(resource)),
    );
  }

  referrers(key: Key): readonly Resource[] {
    return this.#dependents.referrersOf(key).flatMap((from) => this.#parts.store.cache.get(from) ?? []);
  }

  /** What a decision on this object would see now, for a preview; `over` replaces parts of it. */
  world(resource: Resource, over: Partial<World> = {}): World {
    return this.#reconciler.world(resource, over);
  }

  kindOf(key: Key): Kind | undefined {
    return this.#reconciler.kindOf(key);
  }

  counters(): QueueCounters & Readonly<ReconcileCounters> {
    return { ...this.#queue.counters(), ...this.#reconciler.counters };
  }

  async #observed(key: Key, waitedMs: number): Promise<void> {
    const { observer } = this.#parts;
    observer?.reconcileBegan(key, waitedMs);
    let outcome: ReconcileOutcome = "error";
    try {
      outcome = outcomeOf(await this.#work(key));
    } finally {
      observer?.reconcileEnded(key, outcome);
    }
  }

  async #work(key: Key): Promise<Next> {
    const resource = this.#parts.store.cache.get(key);
    if (resource && this.#parts.isMine?.(resource) === false) return this.#leave(key);
    const next = await this.#reconciler.reconcile(key);
    this.#queue.forget(key);
    if (next.do === "again") this.#queue.addAfter(key, next.ms);
    if (next.do === "gone") this.#queue.drop(key);
    return next;
  }

  /** Another process works on it: nothing is remembered of it here. */
  #leave(key: Key): Next {
    this.#reconciler.forget(key);
    this.#queue.drop(key);
    return { do: "done" };
  }

  /** The store's news: the object itself looks again, those that name it, and those that it names or named. */
  #changed(key: Key): void {
    const text = keyText(key);
    const before = this.#known.get(text);
    const resource = this.#parts.store.cache.get(key);
    for (const freed of this.#guard.changed(resource, before)) this.#queue.add(keyOf(freed), "normal");
    const refsBefore = this.#dependents.refsOf(key);
    this.#remember(text, key, resource);
    const statusOnly = before !== undefined && resource !== undefined && isStatusOnly(before, resource);
    // Its own status is its own writing: nothing new to itself.
    if (!statusOnly) this.#queue.add(key, "high");
    if (statusOnly && statusUnread.has(key.kind)) return;
    const referred = [...refsBefore, ...this.#dependents.refsOf(key)];
    for (const other of [...this.#dependents.referrersOf(key), ...referred]) this.#wakeOther(other);
    if (key.kind === "VMHost") this.#wakeUnplaced();
  }

  #wakeOther(key: Key): void {
    this.#queue.add(key, key.kind === "VMHost" ? "low" : "normal");
  }

  #remember(text: string, key: Key, resource: Resource | undefined): void {
    const before = this.#known.get(text);
    if (before && before.metadata.uid !== resource?.metadata.uid) this.#keyOfUid.delete(before.metadata.uid);
    this.#unplaced.delete(text);
    if (!resource) {
      this.#known.delete(text);
      this.#dependents.set(key, []);
      return;
    }
    this.#known.set(text, resource);
    this.#keyOfUid.set(resource.metadata.uid, key);
    if (key.kind !== "VMHost" && hostOf(resource) === undefined) this.#unplaced.set(text, key);
    this.#dependents.set(key, this.#refs(resource));
  }

  #refs(resource: Resource): readonly Key[] {
    const key = keyOf(resource);
    try {
      return withMaker(resource, this.kindOf(key)?.refs(resource) ?? []);
    } catch (error) {
      this.#parts.log.error({ key: keyText(key), err: error }, "the kind's refs failed: nothing wakes this object");
      return [];
    }
  }

  /** Owners by uid with all that refers to them. */
  #concerned({ uids }: HostNews): readonly Resource[] {
    const owners = [...uids].flatMap((uid) => this.#keyOfUid.get(uid) ?? []);
    const keys = owners.flatMap((key) => [key, ...this.#dependents.referrersOf(key)]);
    return keys.flatMap((key) => this.#parts.store.cache.get(key) ?? []);
  }

  /** Objects without a place: any host's news may be what they wait for. */
  #wakeUnplaced(): void {
    this.#waiters.ask("", () => {
      for (const key of this.#unplaced.values()) {
        const resource = this.#parts.store.cache.get(key);
        if (resource && !isReady(resource)) this.#queue.add(key, "normal");
      }
    });
  }

  #hasten(resource: Resource, host: string): void {
    const remembered = this.#reconciler.memory.peek(keyOf(resource));
    if (remembered?.lastFault && remembered.lastHost === host)
      remembered.lastFault = hasten(remembered.lastFault, this.#parts.clock.now());
  }

  async #resync(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#parts.clock.sleep(this.#parts.resyncMs ?? defaultResyncMs, signal);
      if (signal.aborted) return;
      for (const resource of this.#known.values()) this.#queue.add(keyOf(resource), "low");
    }
  }
}

const outcomeOf = (next: Next): ReconcileOutcome => {
  if (next.do !== "again") return next.do;
  return next.raced === true ? "conflict" : "requeued";
};

const isReady = ({ status }: Resource): boolean =>
  hasStatus((status as { readonly conditions?: readonly Condition[] } | undefined)?.conditions, "Ready", "True");

/** Whether nothing of it that anybody wishes or that tells its place changed. */
const isStatusOnly = (before: Resource, now: Resource): boolean => sameMetadata(before, now) && sameWishes(before, now);

const sameMetadata = ({ metadata: before }: Resource, { metadata: now }: Resource): boolean =>
  before.annotations?.[names.host] === now.annotations?.[names.host] &&
  before.finalizers?.length === now.finalizers?.length;
