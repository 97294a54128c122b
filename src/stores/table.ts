import { keyOf, keyText } from "../api/resource.ts";
import type { Key, Metadata, Resource } from "../api/resource.ts";
import { ConflictError, RefusedError } from "../engine/ports.ts";
import type { Clock, Draft, Objects, Random, Store } from "../engine/ports.ts";
import { frozenCopy } from "./equal.ts";
import { Listing } from "./listing.ts";
import {
  annotated,
  bornOfDraft,
  deletionAsked,
  desiredWritten,
  isFinished,
  isProtected,
  keyOfDraft,
  metadataWritten,
  revised,
  statusWritten,
} from "./rows.ts";
import type { Row } from "./rows.ts";
import { messageOf } from "./validation.ts";
import type { Validation } from "./validation.ts";

/** Rows to write by key text; undefined removes. */
export type Changes = ReadonlyMap<string, Row | undefined>;

export interface TableOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly validation?: Validation;
  /** Makes the changes durable, all or nothing, before anybody sees them. */
  readonly persist?: (changes: Changes, revision: number) => Promise<void>;
}

/** How often something was written since the store was opened. */
export interface Counters {
  /** Objects written or removed. */
  objects: number;
  /** Atomic batches that held them. */
  batches: number;
}

/** A write of one object that waits for its turn. */
interface Waiting {
  readonly key: string;
  /** The object that it was decided on; without, it holds whatever the object has become. */
  readonly decidedOn?: Metadata;
  readonly change: (row: Row) => Row;
  readonly resolve: (present: Resource) => void;
  readonly reject: (error: unknown) => void;
}

/** Objects in memory with the semantics of the Kubernetes API; every store of this process builds on it. */
export class ObjectTable implements Store {
  readonly cache: Objects;
  readonly counters: Counters = { objects: 0, batches: 0 };
  readonly #options: TableOptions;
  readonly #rows = new Map<string, Row>();
  readonly #byKind = new Map<string, Listing>();
  readonly #watchers = new Set<(key: Key) => void>();
  #revision = 0;
  #last: Promise<unknown> = Promise.resolve();
  #waiting: Waiting[] = [];

  constructor(options: TableOptions) {
    this.#options = options;
    this.cache = { get: (key) => this.row(keyText(key))?.object, list: (kind) => this.#ofKind(kind).list() };
  }

  /** Fills the table from what was persisted, without counting or waking. */
  load(rows: Iterable<Row>, revision: number): void {
    for (const row of rows) this.#set(keyText(keyOf(row.object)), row);
    this.#revision = revision;
  }

  /** Of the last change. */
  get revision(): number {
    return this.#revision;
  }

  row(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  rows(): IterableIterator<[string, Row]> {
    return this.#rows.entries();
  }

  get(key: Key): Promise<Resource | undefined> {
    return Promise.resolve(this.cache.get(key));
  }

  putMetadata(next: Resource): Promise<Resource> {
    return this.#put(next, (row) => metadataWritten(row, next.metadata));
  }

  /**
   * Sets an annotation, or removes it (null): of two that are asked for, the later one stays. Rejects with a ConflictError if the
   * object is gone, and with what `admit` throws of the object as it is when its turn comes.
   */
  annotate(key: Key, name: string, value: string | null, admit: (row: Row) => void = () => {}): Promise<Resource> {
    return this.#wait({
      key: keyText(key),
      change: (row) => {
        admit(row);
        return annotated(row, name, value);
      },
    });
  }

  putStatus(next: Resource): Promise<Resource> {
    return this.#put(next, (row) => statusWritten(row, next.status));
  }

  putDesired(next: Resource): Promise<Resource> {
    return this.#put(next, (row) => this.#desired(row, next));
  }

  create(draft: Draft): Promise<Resource> {
    return this.exclusive(async () => {
      const key = keyText(keyOfDraft(draft));
      if (this.#rows.has(key)) throw new ConflictError(`${key} exists already`);
      const { random, clock } = this.#options;
      const row = this.#admitted(bornOfDraft(draft, { uid: random.uuid(), now: clock.now() }));
      await this.commit(new Map([[key, row]]));
      return this.#present(key);
    });
  }

  delete(key: Key, uid: string): Promise<void> {
    return this.exclusive(async () => {
      const text = keyText(key);
      const row = this.#rows.get(text);
      if (row?.object.metadata.uid !== uid) return;
      if (isProtected(row)) throw new RefusedError(`${text} is not deleted: spec.deletionProtection is true`);
      await this.commitRow(text, row, deletionAsked(row, this.#options.clock.now()));
    });
  }

  watch(wake: (key: Key) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const watcher = (key: Key): void => wake(key);
    this.#watchers.add(watcher);
    signal.addEventListener("abort", () => this.#watchers.delete(watcher), { once: true });
    for (const row of this.#rows.values()) wake(keyOf(row.object));
    return Promise.resolve();
  }

  /** Runs `work` when all earlier writes are done, and before any later one. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Writes one row if it differs; removes it if its deletion is finished. Only inside `exclusive`. */
  async commitRow(key: string, before: Row, after: Row): Promise<void> {
    if (after === before) return;
    await this.commit(new Map([[key, isFinished(after) ? undefined : after]]));
  }

  /** Makes all changes durable, then visible, then wakes the watchers. Only inside `exclusive`. */
  async commit(changes: Changes): Promise<void> {
    if (changes.size === 0) return;
    const revision = this.#revision + 1;
    const stored = new Map<string, Row | undefined>();
    for (const [key, row] of changes) stored.set(key, row && frozenCopy(revised(row, String(revision))));
    await this.#options.persist?.(stored, revision);
    this.#revision = revision;
    const keys = [...stored].map(([key, row]) => this.#apply(key, row));
    this.counters.batches += 1;
    this.counters.objects += stored.size;
    for (const key of keys) for (const wake of this.#watchers) wake(key);
  }

  /** Writes that wait for the same turn are made durable together: a synced write costs as much for one object as for sixty. */
  #put(next: Resource, change: (row: Row) => Row): Promise<Resource> {
    return this.#wait({ key: keyText(keyOf(next)), decidedOn: next.metadata, change });
  }

  #wait(write: Omit<Waiting, "resolve" | "reject">): Promise<Resource> {
    const { promise, resolve, reject } = Promise.withResolvers<Resource>();
    this.#waiting.push({ ...write, resolve, reject });
    if (this.#waiting.length === 1) void this.exclusive(() => this.#writeWaiting());
    return promise;
  }

  /** Never rejects: each writer is told its own outcome. */
  async #writeWaiting(): Promise<void> {
    const changes = new Map<string, Row | undefined>();
    const accepted: (Waiting & { readonly after: Row })[] = [];
    for (const waiting of this.#waiting.splice(0)) {
      const { key } = waiting;
      try {
        const row = this.#current(waiting, changes);
        const after = waiting.change(row);
        if (after !== row) changes.set(key, isFinished(after) ? undefined : after);
        accepted.push({ ...waiting, after });
      } catch (error) {
        waiting.reject(error);
      }
    }
    try {
      await this.commit(changes);
      for (const { key, after, resolve } of accepted) resolve(this.#rows.get(key)?.object ?? after.object);
    } catch (error) {
      for (const { reject } of accepted) reject(error);
    }
  }

  /** The row that a write changes. Of two writes of one object in one turn the second, if it was decided on what was before, lost the race. */
  #current({ key, decidedOn }: Waiting, changes: Changes): Row {
    const row = changes.has(key) ? changes.get(key) : this.#rows.get(key);
    if (!row) throw new ConflictError(`${key} is gone`);
    if (!decidedOn) return row;
    const { resourceVersion, uid } = row.object.metadata;
    if (changes.has(key) || resourceVersion !== decidedOn.resourceVersion || uid !== decidedOn.uid)
      throw new ConflictError(`${key} was changed by somebody else since it was read`);
    return row;
  }

  #present(key: string): Resource {
    const row = this.#rows.get(key);
    if (!row) throw new Error(`${key} is not there after it was written`);
    return row.object;
  }

  #desired(row: Row, next: Resource): Row {
    const key = keyText(keyOf(next));
    if (row.origin === "document") throw new RefusedError(`${key} is not changed: it has a document of its own`);
    const after = desiredWritten(row, next);
    const verdict = after === row ? undefined : this.#options.validation?.validateUpdate(row.object, after.object);
    if (!verdict || verdict.ok) return after;
    throw new RefusedError(`${key} is not valid: ${messageOf(verdict.errors)}`);
  }

  #admitted(row: Row): Row {
    const verdict = this.#options.validation?.validate(row.object);
    if (!verdict) return row;
    if (!verdict.ok) throw new RefusedError(`${keyText(keyOf(row.object))} is not valid: ${messageOf(verdict.errors)}`);
    return { ...row, object: { ...row.object, spec: verdict.object.spec } };
  }

  #apply(key: string, row: Row | undefined): Key {
    const object = (row ?? this.#rows.get(key))?.object;
    this.#set(key, row);
    if (!object) throw new Error(`${key} was removed, but was not there`);
    return keyOf(object);
  }

  #set(key: string, row: Row | undefined): void {
    const ofKind = this.#ofKind(key.slice(0, key.indexOf("/")));
    if (row) {
      this.#rows.set(key, row);
      ofKind.set(key, row.object);
    } else {
      this.#rows.delete(key);
      ofKind.delete(key);
    }
  }

  #ofKind(kind: string): Listing {
    const present = this.#byKind.get(kind);
    if (present) return present;
    const fresh = new Listing();
    this.#byKind.set(kind, fresh);
    return fresh;
  }
}
