import { keyText, type Key } from "../api/resource.ts";
import type { Clock, JobRecord, Journal, KeyValue, Logger } from "../engine/ports.ts";
import type { LogLine } from "../protocol/generated/types.ts";
import { Channel } from "./channel.ts";
import { Latest } from "./latest.ts";
import { parse } from "./parse.ts";
import { redacted } from "./redact.ts";
import { WriteBehind } from "./writeBehind.ts";

export interface JournalOptions {
  readonly data: KeyValue;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ended jobs kept. Default 10,000. */
  readonly maxJobs?: number;
  /** Milliseconds a job is kept. Default 14 days. */
  readonly maxAgeMs?: number;
  /** Log lines kept of a job. Default 2,000. */
  readonly maxLines?: number;
  readonly delayMs?: number;
}

/** Which jobs to list; all given conditions hold. Times as milliseconds since 1970. */
export interface JobQuery {
  readonly key?: Key;
  readonly host?: string;
  /** Only (true) or none (false) of those that ended badly. */
  readonly failed?: boolean;
  readonly since?: number;
  readonly until?: number;
  /** Default 50. */
  readonly limit?: number;
}

interface Entry {
  readonly key: string;
  readonly host: string;
  readonly at: number;
  readonly ended: boolean;
  readonly failed: boolean;
}

/** A job still under way: how many lines it has, and who reads along. */
interface Live {
  lines: number;
  readonly readers: Set<Channel<LogLine>>;
}

const JOBS = "journal/job/";
const LINES = "journal/line/";
const MAX_JOBS = 10_000;
const MAX_AGE_MS = 14 * 24 * 3_600_000;
const MAX_LINES = 2_000;
const LIMIT = 50;

/** The ledger of jobs over a KeyValue. An index by id is in memory; ids are ULIDs, so their order is that of time. */
export class JobJournal implements Journal {
  readonly #options: JournalOptions;
  readonly #data: WriteBehind;
  /** In order of ids. */
  readonly #index = new Map<string, Entry>();
  readonly #live = new Map<string, Live>();
  /** Closed at the start without their end being known. */
  readonly #closed = new Set<string>();
  readonly #watchers = new Set<Latest<JobRecord>>();
  #pruning: Promise<void> = Promise.resolve();

  private constructor(options: JournalOptions) {
    this.#options = options;
    this.#data = new WriteBehind(options);
  }

  /** Reads what is kept. Jobs that were under way when the last process ended are closed: nobody knows their end. */
  static async open(options: JournalOptions): Promise<JobJournal> {
    const journal = new JobJournal(options);
    for await (const [, text] of options.data.entries(JOBS)) journal.#load(text);
    journal.#prune();
    await journal.#pruning;
    return journal;
  }

  put(record: JobRecord): void {
    const { id } = record;
    this.#index.set(id, entryOf(record));
    const kept = redacted(record);
    this.#data.put(`${JOBS}${id}`, JSON.stringify(kept));
    for (const watcher of this.#watchers) watcher.put(id, kept);
    if (record.finishedAt !== undefined) this.#end(id);
    else if (!this.#live.has(id)) this.#live.set(id, { lines: 0, readers: new Set() });
    if (this.#ended > this.#maxJobs * 1.02 + 1) this.#prune();
  }

  /** Lines beyond the most that are kept are dropped, with a note in place of the first. */
  log(id: string, line: LogLine): void {
    const live = this.#live.get(id);
    if (!live) return;
    const most = this.#options.maxLines ?? MAX_LINES;
    if (live.lines > most) return;
    const kept: LogLine =
      live.lines < most
        ? line
        : { time: line.time, level: "warn", text: `only the first ${most} lines of a job are kept` };
    this.#data.put(`${LINES}${id}/${String(live.lines).padStart(6, "0")}`, JSON.stringify(kept));
    live.lines += 1;
    for (const reader of live.readers) reader.push(kept);
  }

  async lost(id: string): Promise<JobRecord | "nothing" | "ended"> {
    if (!this.#index.has(id)) return "nothing";
    return this.#closed.delete(id) ? ((await this.get(id)) ?? "nothing") : "ended";
  }

  async get(id: string): Promise<JobRecord | undefined> {
    const text = await this.#data.get(`${JOBS}${id}`);
    return text === undefined ? undefined : (JSON.parse(text) as JobRecord);
  }

  /** Newest first. */
  async list(query: JobQuery = {}): Promise<readonly JobRecord[]> {
    const limit = query.limit ?? LIMIT;
    const found: string[] = [];
    const matches = matcher(query);
    for (const [id, entry] of [...this.#index].toReversed()) {
      if (found.length >= limit) break;
      if (matches(entry)) found.push(id);
    }
    const records = await Promise.all(found.map((id) => this.get(id)));
    return records.filter((record) => record !== undefined);
  }

  /** The kept lines of a job, oldest first. */
  async *lines(id: string): AsyncIterable<LogLine> {
    for await (const [, text] of this.#data.entries(`${LINES}${id}/`)) yield JSON.parse(text) as LogLine;
  }

  /** The kept lines, then those to come, until the job ends or the signal fires. */
  async *follow(id: string, signal: AbortSignal): AsyncIterable<LogLine> {
    const live = this.#live.get(id);
    if (!live) return yield* this.lines(id);
    const before = live.lines;
    const reader = new Channel<LogLine>(signal);
    live.readers.add(reader);
    try {
      let read = 0;
      for await (const line of this.lines(id)) {
        if (read++ >= before) break;
        yield line;
      }
      yield* reader;
    } finally {
      live.readers.delete(reader);
    }
  }

  /** Jobs under way, then each change of a job as it comes, until the signal fires. */
  async *watch(signal: AbortSignal): AsyncGenerator<JobRecord> {
    const watcher = new Latest<JobRecord>(signal);
    this.#watchers.add(watcher);
    try {
      for (const id of this.#live.keys()) {
        const record = await this.get(id);
        // What ended meanwhile is told by its change.
        if (record && record.finishedAt === undefined) yield record;
      }
      yield* watcher;
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  flush(): Promise<void> {
    return this.#data.flush();
  }

  async close(): Promise<void> {
    for (const { readers } of this.#live.values()) for (const reader of readers) reader.end();
    for (const watcher of this.#watchers) watcher.end();
    await this.#pruning;
    await this.#data.close();
  }

  get #maxJobs(): number {
    return this.#options.maxJobs ?? MAX_JOBS;
  }

  #load(text: string): void {
    const record = parse<JobRecord>(text);
    if (!record) return;
    if (record.finishedAt !== undefined) return void this.#index.set(record.id, entryOf(record));
    this.#closed.add(record.id);
    this.put({
      ...record,
      status: "error",
      code: "ProtocolError",
      message: "the control plane ended before the job's end was known",
      finishedAt: this.#options.clock.now().toISOString(),
    });
  }

  #end(id: string): void {
    for (const reader of this.#live.get(id)?.readers ?? []) reader.end();
    this.#live.delete(id);
  }

  get #ended(): number {
    return this.#index.size - this.#live.size;
  }

  /** Lets go of the oldest beyond the count, and of those too old. Jobs under way stay, and do not count. */
  #prune(): void {
    const oldest = this.#options.clock.now().getTime() - (this.#options.maxAgeMs ?? MAX_AGE_MS);
    let surplus = this.#ended - this.#maxJobs;
    const gone: string[] = [];
    for (const [id, { at, ended }] of this.#index) {
      if (surplus <= 0 && at >= oldest) break;
      if (!ended) continue;
      surplus -= 1;
      gone.push(id);
    }
    for (const id of gone) this.#index.delete(id);
    if (gone.length > 0) this.#pruning = this.#pruning.then(() => this.#erase(gone));
  }

  async #erase(ids: readonly string[]): Promise<void> {
    await this.#data.flush();
    for (const id of ids) {
      this.#data.put(`${JOBS}${id}`, undefined);
      for await (const [key] of this.#options.data.entries(`${LINES}${id}/`)) this.#data.put(key, undefined);
    }
  }
}

const entryOf = (record: JobRecord): Entry => ({
  key: keyText(record.key),
  host: record.host,
  at: Date.parse(record.queuedAt),
  ended: record.finishedAt !== undefined,
  failed: record.status === "error" || record.status === "partial",
});

const matcher = ({ key, host, failed, since, until }: JobQuery) => {
  const text = key && keyText(key);
  return (entry: Entry): boolean =>
    (text === undefined || entry.key === text) &&
    (host === undefined || entry.host === host) &&
    (failed === undefined || entry.failed === failed) &&
    (since === undefined || entry.at >= since) &&
    (until === undefined || entry.at <= until);
};
