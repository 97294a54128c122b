/** One change of the host's state, all or nothing. A null value removes the entry. */
export interface StateRecord {
  readonly rev: number;
  readonly set: Readonly<Record<string, unknown>>;
}

/** The whole state at one revision. */
export interface StateSnapshot {
  readonly instance: string;
  readonly rev: number;
  /** [key, revision of its last change, value] */
  readonly entries: readonly (readonly [string, number, unknown])[];
  readonly removed: readonly (readonly [string, number])[];
  /** Removals up to this revision are forgotten. */
  readonly forgotten: number;
}

interface Entry {
  readonly rev: number;
  readonly value: unknown;
}

const REMEMBERED_REMOVALS = 4000;

const kindOf = (key: string): string => key.slice(0, key.indexOf(":"));

/** Entries by key ("kind:id"), each with the revision of its last change. */
export class StateTable {
  instance = "";
  rev = 0;
  forgotten = 0;
  readonly #kinds = new Map<string, Map<string, Entry>>();
  #removed = new Map<string, number>();
  readonly #kindRevs = new Map<string, number>();

  /** Revision of the last change of any entry of the kind. */
  kindRev(kind: string): number {
    return this.#kindRevs.get(kind) ?? 0;
  }

  #raise(key: string, rev: number): void {
    const kind = kindOf(key);
    this.#kindRevs.set(kind, Math.max(rev, this.kindRev(kind)));
  }

  get(key: string): unknown {
    return this.#kinds.get(kindOf(key))?.get(key)?.value;
  }

  of(kind: string): Iterable<readonly [string, Entry]> {
    return this.#kinds.get(kind) ?? [];
  }

  apply(record: StateRecord): void {
    this.rev = record.rev;
    for (const [key, value] of Object.entries(record.set)) {
      if (value === null) this.#remove(key, record.rev);
      else this.#put(key, { rev: record.rev, value });
    }
  }

  #put(key: string, entry: Entry): void {
    const kind = kindOf(key);
    this.#raise(key, entry.rev);
    const entries = this.#kinds.get(kind) ?? new Map<string, Entry>();
    entries.set(key, entry);
    this.#kinds.set(kind, entries);
    this.#removed.delete(key);
  }

  #remove(key: string, rev: number): void {
    this.#kinds.get(kindOf(key))?.delete(key);
    this.#raise(key, rev);
    this.#removed.delete(key);
    this.#removed.set(key, rev);
    if (this.#removed.size <= REMEMBERED_REMOVALS) return;
    const oldest = this.#removed.entries().next().value;
    if (!oldest) return;
    this.#removed.delete(oldest[0]);
    this.forgotten = Math.max(this.forgotten, oldest[1]);
  }

  /** Keys of a kind that changed or went after the revision. */
  changedSince(kind: string, rev: number): readonly string[] {
    const keys: string[] = [];
    for (const [key, entry] of this.of(kind)) if (entry.rev > rev) keys.push(key);
    for (const [key, at] of this.#removed) if (at > rev && kindOf(key) === kind) keys.push(key);
    return keys;
  }

  load(snapshot: StateSnapshot): void {
    this.#kinds.clear();
    this.#kindRevs.clear();
    for (const [key, rev, value] of snapshot.entries) this.#put(key, { rev, value });
    this.#removed = new Map(snapshot.removed);
    for (const [key, rev] of snapshot.removed) this.#raise(key, rev);
    this.instance = snapshot.instance;
    this.rev = snapshot.rev;
    this.forgotten = snapshot.forgotten;
  }

  snapshot(): StateSnapshot {
    const entries = [...this.#kinds.values()].flatMap((kind) =>
      [...kind].map(([key, entry]) => [key, entry.rev, entry.value] as const),
    );
    const { instance, rev, forgotten } = this;
    return { instance, rev, entries, removed: [...this.#removed], forgotten };
  }
}

/** Where the state lies. A folder (several processes), or memory. Everything synchronous: an effect is one small write. */
export interface StateStorage {
  /** Runs `work` while no other process writes. */
  locked<T>(work: () => T): T;
  /** Brings what others wrote into the table. */
  catchUp(table: StateTable): void;
  /** Makes the record durable against a killed process. Only inside `locked`. */
  append(record: StateRecord, table: StateTable): void;
}

/** State that lives in this process only: tests and simulation. */
export class MemoryStorage implements StateStorage {
  readonly #instance: string;
  constructor(instance = "memory") {
    this.#instance = instance;
  }
  locked<T>(work: () => T): T {
    return work();
  }
  catchUp(table: StateTable): void {
    table.instance = this.#instance;
  }
  append(): void {}
}

/** Reads and changes of one transaction, on top of the table. */
export class Transaction {
  readonly #table: StateTable;
  readonly changes = new Map<string, unknown>();

  constructor(table: StateTable) {
    this.#table = table;
  }

  get(key: string): unknown {
    if (!this.changes.has(key)) return this.#table.get(key);
    return this.changes.get(key) ?? undefined;
  }

  put(key: string, value: unknown): void {
    this.changes.set(key, value);
  }

  delete(key: string): void {
    if (this.get(key) !== undefined) this.changes.set(key, null);
  }

  *of(kind: string): Generator<unknown> {
    for (const [key, entry] of this.#table.of(kind)) if (!this.changes.has(key)) yield entry.value;
    for (const [key, value] of this.changes) if (value !== null && kindOf(key) === kind) yield value;
  }
}

/** The host's state: consistent reads, transactions, and changes since a revision. */
export class HostStore {
  readonly table = new StateTable();
  readonly #storage: StateStorage;

  constructor(storage: StateStorage) {
    this.#storage = storage;
  }

  read<T>(work: (tx: Transaction) => T): T {
    this.#storage.catchUp(this.table);
    return work(new Transaction(this.table));
  }

  /** All or nothing: what throws inside changes nothing. A transaction without changes writes nothing. */
  transact<T>(work: (tx: Transaction) => T): T {
    return this.#storage.locked(() => {
      this.#storage.catchUp(this.table);
      const tx = new Transaction(this.table);
      const result = work(tx);
      if (tx.changes.size > 0) {
        const record = { rev: this.table.rev + 1, set: Object.fromEntries(tx.changes) };
        this.table.apply(record);
        this.#storage.append(record, this.table);
      }
      return result;
    });
  }
}
