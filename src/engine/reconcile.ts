import { annotations as names, finalizer } from "../api/annotations.ts";
import { keyOf, keyText } from "../api/resource.ts";
import { OPERATION_EFFECTS } from "../protocol/generated/types.ts";
import { Backoff, backoffMs, type DelayLimits } from "./backoff.ts";
import { driftNow, pathsOf, without } from "./drift.ts";
import { deepEqual } from "./equal.ts";
import { faultCause, Memory, wantedVersion, type Remembered } from "./memory.ts";
import { finishedJob, nextFault } from "./faultGate.ts";
import { isDeletion, isDestructive, jobNote, sameJob, withoutJob, type Job, type JobEnd } from "./jobs.ts";
import { withBatch } from "./massDelete.ts";
import { mergeMetadata } from "./metadata.ts";
import { done, earliest, gone, type Again, type Next } from "./next.ts";
import { writeObjects } from "./objectWrites.ts";
import { ConflictError } from "./ports.ts";
import type { EngineParts } from "./parts.ts";
import type { Act, Decision, Key, Kind, ObjectWrite, Resource, World } from "./ports.ts";
import { changedFields, progressInterval, statusEvents, statusWrite, writePurpose } from "./statusWrite.ts";

/** What the reconciler needs to know beyond the ports. */
export interface Surroundings {
  referrers(key: Key): readonly Resource[];
  /** Why the mass-delete guard holds this object, which is under deletion. */
  held(resource: Resource): World["massDelete"];
  /** A job of this object ended. */
  jobDone(key: Key): void;
}

export interface ReconcileCounters {
  reconciles: number;
  metadataWrites: number;
  /** All of them; those of mere progress and of news about objects that stay Ready are counted apart as well. */
  statusWrites: number;
  progressWrites: number;
  laterWrites: number;
  jobs: number;
}

/** Delays while the cache has to catch up, or other writes win; the store's next news of the object end them. */
const behindLimits: DelayLimits = { first: 150, longest: 5000 };
/** Decisions in a row that may each lead to another write. */
const mostRounds = 8;
const lookLimits: DelayLimits = { first: 1000, longest: 30_000 };

/**
 * Carries out decisions. One reconcile looks at one object's present state, writes metadata until the kind asks for no more, starts at
 * most one job without waiting for its end, and writes status at most once (twice at first sight: before and after).
 */
export class Reconciler {
  readonly memory = new Memory();
  /** Placements decided whose annotation is not in the cache yet; by key text. */
  readonly assumedHosts = new Map<string, string>();
  readonly counters: ReconcileCounters = {
    reconciles: 0,
    metadataWrites: 0,
    statusWrites: 0,
    progressWrites: 0,
    laterWrites: 0,
    jobs: 0,
  };
  readonly #parts: EngineParts;
  readonly #around: Surroundings;
  readonly #kinds: ReadonlyMap<string, Kind>;
  readonly #since: Date;
  /** Looks in a row that a cache behind the store made vain: its watch may be stalled for long. */
  readonly #behind: Backoff;

  constructor(parts: EngineParts, around: Surroundings) {
    this.#parts = parts;
    this.#since = parts.clock.now();
    this.#behind = new Backoff(behindLimits, parts.random);
    this.#around = around;
    this.#kinds = new Map(parts.kinds.map((kind) => [kind.kind, kind]));
  }

  kindOf(key: Key): Kind | undefined {
    return this.#kinds.get(key.kind);
  }

  /** Throws what the store or a kind throws, but for lost races. */
  async reconcile(key: Key): Promise<Next> {
    this.counters.reconciles += 1;
    const kind = this.kindOf(key);
    if (!kind) return done;
    const vain = this.#behind.attempts(keyText(key));
    const next = await this.#rounds(key, kind).catch((error: unknown): Next => {
      if (error instanceof ConflictError) return { ...this.#later(key), raced: true };
      throw error;
    });
    if (this.#behind.attempts(keyText(key)) === vain) this.#behind.forget(keyText(key));
    return next;
  }

  /** Once the cache may have caught up. */
  #later(key: Key): Again {
    return { do: "again", ms: this.#behind.next(keyText(key)) };
  }

  /** What the kind says of an object now; `objects` and `host` may be overlaid for a preview. */
  world(resource: Resource, over: Partial<World> = {}): World {
    const key = keyOf(resource);
    const remembered = this.memory.peek(key);
    const same = remembered?.uid === resource.metadata.uid ? remembered : undefined;
    const massDelete = resource.metadata.deletionTimestamp === undefined ? undefined : this.#around.held(resource);
    return {
      now: this.#parts.clock.now(),
      since: this.#since,
      controlPlaneId: this.#parts.controlPlaneId,
      objects: this.#parts.store.cache,
      referrers: (of) => this.#around.referrers(of),
      host: (name) => this.#parts.hosts.host(name),
      assumedHosts: this.assumedHosts,
      guests: this.#parts.guests,
      ...(same?.lastFault && { lastFault: same.lastFault }),
      ...(same?.lastJob && { lastJob: same.lastJob }),
      ...(same?.refused && { refusal: same.refused.message }),
      ...(this.#parts.placeOf && { placeOf: this.#parts.placeOf }),
      ...(massDelete && { massDelete }),
      ...over,
    };
  }

  forget(key: Key): void {
    this.memory.forget(key);
    this.#behind.forget(keyText(key));
    this.assumedHosts.delete(keyText(key));
  }

  async #rounds(key: Key, kind: Kind): Promise<Next> {
    for (let round = 0; round < mostRounds; round += 1) {
      const resource = this.#parts.store.cache.get(key);
      if (!resource) {
        this.forget(key);
        return gone;
      }
      const decision = this.#decide(resource, kind);
      const metadata = mergeMetadata(resource, decision.metadata);
      if (metadata) await this.#putMetadata(metadata);
      else if (resource.status === undefined && decision.status !== undefined && decision.act.do !== "release")
        // First sight is told before the first job: a watcher must not take an object without status for a current one.
        await this.#putStatus(resource, decision.status);
      else return await this.#carryOut(resource, kind, decision);
    }
    throw new Error(`${keyText(key)}: decisions ask for one write after another without coming to an end`);
  }

  #decide(resource: Resource, kind: Kind, over: Partial<World> = {}): Decision {
    const key = keyOf(resource);
    const remembered = this.memory.of(key, resource.metadata.uid);
    const placed = resource.metadata.annotations?.[names.host];
    if (placed !== undefined) this.assumedHosts.delete(keyText(key));
    if (remembered.lastFault && remembered.faultCause !== this.#cause(resource, kind)) remembered.lastFault = undefined;
    if (remembered.refused && remembered.refused.cause !== this.#cause(resource, kind)) remembered.refused = undefined;
    const { deferredStatus } = remembered;
    const shown = deferredStatus === undefined ? resource : { ...resource, status: deferredStatus };
    const decided = kind.decide(shown, this.world(shown, over));
    const status = withBatch(shown, decided.status);
    const decision = status === decided.status ? decided : { ...decided, status };
    const host = decision.metadata?.annotations?.[names.host];
    // In the same turn as the decision: the next object's placement must count it.
    if (typeof host === "string" && host !== placed) this.assumedHosts.set(keyText(key), host);
    return decision;
  }

  #cause(resource: Resource, kind: Kind): string {
    return faultCause(resource, kind.refs(resource), this.#parts.store.cache);
  }

  async #putMetadata(next: Resource): Promise<void> {
    try {
      await this.#parts.store.putMetadata(next);
      this.counters.metadataWrites += 1;
    } catch (error) {
      this.assumedHosts.delete(keyText(keyOf(next)));
      throw error;
    }
  }

  async #putStatus(resource: Resource, status: unknown): Promise<void> {
    const key = keyOf(resource);
    const remembered = this.memory.of(key, resource.metadata.uid);
    await this.#parts.store.putStatus({ ...resource, status });
    this.counters.statusWrites += 1;
    const purpose = writePurpose(resource.status, status);
    if (purpose === "progress") this.counters.progressWrites += 1;
    if (purpose === "later") this.counters.laterWrites += 1;
    remembered.statusWrittenAt = this.#parts.clock.now().getTime();
    remembered.deferredStatus = undefined;
    this.#parts.log.debug({ key: keyText(key), ...changedFields(resource.status, status) }, "status is written");
    for (const note of statusEvents(resource.status, status))
      this.#parts.events.record(key, resource.metadata.uid, note);
  }

  async #carryOut(resource: Resource, kind: Kind, decision: Decision): Promise<Next> {
    const remembered = this.memory.of(keyOf(resource), resource.metadata.uid);
    this.#recordEvents(resource, decision, remembered);
    this.#noteDrift(resource, decision, remembered);
    if (decision.act.do !== "look") remembered.looks = 0;
    const afterAct = await this.#act(resource, kind, decision.act);
    if (afterAct.do === "gone") return gone;
    const afterStatus = await this.#writeStatus(resource, decision.status, remembered);
    const afterDecision: Next = decision.wakeAfterMs === undefined ? done : { do: "again", ms: decision.wakeAfterMs };
    return earliest([afterAct, afterStatus, afterDecision]);
  }

  /** A decision repeats its events at each look; only those that the look before did not have are news. */
  #recordEvents(resource: Resource, { events = [] }: Decision, remembered: Remembered): void {
    for (const note of events)
      if (!remembered.events.some((known) => deepEqual(known, note)))
        this.#parts.events.record(keyOf(resource), resource.metadata.uid, note);
    remembered.events = events;
  }

  #noteDrift(resource: Resource, { plan }: Decision, remembered: Remembered): void {
    const before = remembered.drift;
    const drift = driftNow(before, resource, plan);
    remembered.drift = drift;
    const found = drift.generation === before.generation ? without(drift.paths, before.paths) : [...drift.paths];
    if (found.length > 0) this.#parts.observer?.driftFound(keyOf(resource), found);
  }

  async #writeStatus(resource: Resource, status: unknown, remembered: Remembered): Promise<Next> {
    const now = this.#parts.clock.now().getTime();
    const interval = this.#parts.progressIntervalMs ?? progressInterval(this.memory.size);
    const write = statusWrite(resource.status, status, { now, lastWrite: remembered.statusWrittenAt, interval });
    switch (write.do) {
      case "nothing":
        remembered.deferredStatus = undefined;
        return done;
      case "defer":
        remembered.deferredStatus = status;
        return { do: "again", ms: write.ms };
      case "write":
        await this.#putStatus(resource, status);
        return done;
      default:
        return write satisfies never;
    }
  }

  async #act(resource: Resource, kind: Kind, act: Act): Promise<Next> {
    switch (act.do) {
      case "nothing":
        return done;
      case "look":
        return this.#look(resource, act.host);
      case "release":
        return await this.#release(resource);
      case "job":
        return await this.#job(resource, kind, act);
      case "objects":
        return await this.#writeObjects(resource, kind, act.writes);
      default:
        return act satisfies never;
    }
  }

  /** The inventory may show nothing new, and then nobody wakes the key: it comes again by itself. */
  #look(resource: Resource, host: string): Next {
    const remembered = this.memory.of(keyOf(resource), resource.metadata.uid);
    remembered.looks += 1;
    this.#parts.hosts.refresh(host);
    return { do: "again", ms: backoffMs(remembered.looks, lookLimits, this.#parts.random) };
  }

  async #writeObjects(resource: Resource, kind: Kind, writes: readonly ObjectWrite[]): Promise<Next> {
    const remembered = this.memory.of(keyOf(resource), resource.metadata.uid);
    return { do: "again", ms: await writeObjects(this.#parts, writes, remembered, this.#cause(resource, kind)) };
  }

  async #release(resource: Resource): Promise<Next> {
    const live = await this.#parts.store.get(keyOf(resource));
    if (!live) return gone;
    if (live.metadata.uid !== resource.metadata.uid || live.metadata.deletionTimestamp === undefined)
      return this.#later(keyOf(resource));
    const finalizers = (live.metadata.finalizers ?? []).filter((held) => held !== finalizer);
    await this.#putMetadata({ ...live, metadata: { ...live.metadata, finalizers } });
    return gone;
  }

  async #job(resource: Resource, kind: Kind, act: Job): Promise<Next> {
    const { uid } = resource.metadata;
    const key = keyOf(resource);
    const remembered = this.memory.of(key, uid);
    const wait = (remembered.lastFault?.retryAt.getTime() ?? 0) - this.#parts.clock.now().getTime();
    if (wait > 0) return { do: "again", ms: wait };
    if (this.#parts.hosts.host(act.host)?.job(uid)) return done;
    if (isDestructive(act) && !(await this.#stillMeant(resource, kind, act))) return this.#later(key);
    const version = wantedVersion(resource);
    const stillMeant = (id: string): Promise<boolean> => this.#comesUp(key, kind, act, { id, version });
    const cause = this.#cause(resource, kind);
    const { host, locks, deadlineSeconds, step } = act;
    this.counters.jobs += 1;
    this.#parts.hosts.submit({ key, uid, host, step, locks, deadlineSeconds, stillMeant }, (outcome) => {
      this.#jobEnded(key, { uid, host, cause, paths: pathsOf([step]), outcome });
    });
    return done;
  }

  /** The live object is the one decided on, and the decision made on what is known now is the same. */
  async #stillMeant(resource: Resource, kind: Kind, act: Job): Promise<boolean> {
    const live = await this.#parts.store.get(keyOf(resource));
    if (!live || wantedVersion(live) !== wantedVersion(resource)) return false;
    if (isDeletion(act) && live.metadata.deletionTimestamp === undefined) {
      const at = keyText(keyOf(resource));
      this.#parts.log.error({ key: at, operation: act.step.operation }, "refused: a deletion of an object that stays");
      return false;
    }
    return deepEqual(this.#decide(resource, kind).act, act);
  }

  /** Whether the job, whose turn comes after it had to wait, is what would be decided on now. */
  async #comesUp(key: Key, kind: Kind, act: Job, { id, version }: { readonly id: string; readonly version: string }) {
    const live = isDestructive(act) ? [await this.#parts.store.get(key)] : [];
    const cached = this.#parts.store.cache.get(key);
    if (!cached || [cached, ...live].some((one) => !one || wantedVersion(one) !== version)) return false;
    return sameJob(
      this.#decide(cached, kind, { host: (name) => withoutJob(this.#parts.hosts.host(name), id) }).act,
      act,
    );
  }

  #jobEnded(key: Key, end: JobEnd): void {
    const { outcome, uid } = end;
    const remembered = this.memory.peek(key);
    if (remembered?.uid !== uid) return;
    if (outcome.withdrawn) return this.#around.jobDone(key);
    remembered.lastJob = finishedJob(outcome);
    remembered.lastHost = end.host;
    if (outcome.fault) {
      remembered.lastFault = nextFault(remembered.lastFault, { ...outcome, fault: outcome.fault }, this.#parts.random);
      remembered.faultCause = end.cause;
    } else {
      remembered.lastFault = undefined;
      const repaired = end.paths.filter((path) => remembered.drift.paths.has(path));
      if (repaired.length > 0) this.#parts.observer?.driftRepaired(key, repaired);
    }
    if (outcome.fault || OPERATION_EFFECTS[outcome.operation] === "change")
      this.#parts.events.record(key, uid, jobNote(outcome));
    this.#around.jobDone(key);
  }
}
