import { randomUUID } from "node:crypto";
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { StateRecord, StateSnapshot, StateStorage, StateTable } from "../model/state.ts";
import { withFileLock } from "./lock.ts";

const COMPACT_BYTES = 8 * 1024 * 1024;
const NEWLINE = 10;

interface SnapshotFile extends StateSnapshot {
  /** Number of the log that goes on from here. */
  readonly log: number;
}

/**
 * State in a folder, for any number of processes: snapshot.json, and log.<n>.jsonl with what changed since. Writers hold
 * lock; readers follow the log by its size. A record counts once its line is complete, so a writer killed in the
 * middle leaves nothing. Records are not synced one by one: a killed process loses nothing, a power cut the last moments.
 */
export class FolderStorage implements StateStorage {
  readonly #folder: string;
  readonly #compactBytes: number;
  #snapshotMark = "";
  #log = 0;
  #logFile: number | undefined;
  #offset = 0;
  #rest = Buffer.alloc(0);
  #locked = false;

  constructor(folder: string, compactBytes = COMPACT_BYTES) {
    this.#folder = folder;
    this.#compactBytes = compactBytes;
    mkdirSync(folder, { recursive: true });
    if (!this.#markOf()) withFileLock(this.#path("lock"), () => this.#first());
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  #first(): void {
    if (this.#markOf()) return;
    const instance = randomUUID().slice(0, 8);
    this.#writeSnapshot({ instance, rev: 0, entries: [], removed: [], forgotten: 0, log: 1 });
  }

  #markOf(): string | undefined {
    const found = statSync(this.#path("snapshot.json"), { throwIfNoEntry: false });
    return found && `${found.ino}:${found.size}:${found.mtimeMs}`;
  }

  #writeSnapshot(snapshot: SnapshotFile): void {
    const next = this.#path(`snapshot.${process.pid}.tmp`);
    writeFileSync(next, JSON.stringify(snapshot));
    renameSync(next, this.#path("snapshot.json"));
  }

  locked<T>(work: () => T): T {
    if (this.#locked) throw new Error("transactions do not nest");
    return withFileLock(this.#path("lock"), () => {
      this.#locked = true;
      try {
        return work();
      } finally {
        this.#locked = false;
      }
    });
  }

  catchUp(table: StateTable): void {
    const mark = this.#markOf();
    if (mark === undefined) throw new Error(`${this.#path("snapshot.json")} is gone`);
    if (mark !== this.#snapshotMark) this.#reload(table, mark);
    this.#follow(table);
  }

  #reload(table: StateTable, mark: string): void {
    const snapshot = JSON.parse(readFileSync(this.#path("snapshot.json"), "utf8")) as SnapshotFile;
    table.load(snapshot);
    if (this.#logFile !== undefined) closeSync(this.#logFile);
    this.#log = snapshot.log;
    this.#logFile = openSync(this.#path(`log.${snapshot.log}.jsonl`), "a+");
    this.#offset = 0;
    this.#rest = Buffer.alloc(0);
    this.#snapshotMark = mark;
  }

  #file(): number {
    if (this.#logFile === undefined) throw new Error("the log is not open");
    return this.#logFile;
  }

  #follow(table: StateTable): void {
    const { size } = fstatSync(this.#file());
    if (size > this.#offset) {
      const bytes = Buffer.alloc(size - this.#offset);
      const read = readSync(this.#file(), bytes, 0, bytes.length, this.#offset);
      this.#offset += read;
      this.#take(table, Buffer.concat([this.#rest, bytes.subarray(0, read)]));
    }
    if (this.#locked && this.#rest.length > 0) this.#dropTorn();
  }

  #take(table: StateTable, bytes: Buffer): void {
    const end = bytes.lastIndexOf(NEWLINE);
    this.#rest = Buffer.from(bytes.subarray(end + 1));
    if (end < 0) return;
    for (const line of bytes.subarray(0, end).toString("utf8").split("\n"))
      if (line !== "") table.apply(JSON.parse(line) as StateRecord);
  }

  /** Nobody else writes now, so an unfinished line is a dead writer's. */
  #dropTorn(): void {
    this.#offset -= this.#rest.length;
    this.#rest = Buffer.alloc(0);
    ftruncateSync(this.#file(), this.#offset);
  }

  append(record: StateRecord, table: StateTable): void {
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    try {
      writeSync(this.#file(), line);
    } catch (error) {
      // The table is ahead of the log now: it is read anew before anything else.
      this.#snapshotMark = "";
      throw error;
    }
    this.#offset += line.length;
    if (this.#offset > this.#compactBytes) this.#compact(table);
  }

  /** The new snapshot names a new, empty log; the old log goes last. A crash between any two of these loses nothing. */
  #compact(table: StateTable): void {
    const log = this.#log + 1;
    writeFileSync(this.#path(`log.${log}.jsonl`), "");
    this.#writeSnapshot({ ...table.snapshot(), log });
    for (const name of readdirSync(this.#folder)) {
      const number = Number(/^log\.(\d+)\.jsonl$/.exec(name)?.[1] ?? log);
      if (number < log) unlinkSync(this.#path(name));
    }
  }
}
