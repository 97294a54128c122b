import type { Clock, KeyValue, Logger } from "../engine/ports.ts";

export interface WriteBehindOptions {
  readonly data: KeyValue;
  readonly clock: Clock;
  readonly log: Logger;
  /** Milliseconds that changes are gathered before one batch is written. Default 250. */
  readonly delayMs?: number;
}

const DELAY_MS = 250;
/** Entries kept in memory while the disk refuses; beyond them the oldest are given up. */
const MAX_WAITING = 50_000;

/** Gathers changes and writes them as one batch now and then; the last one of a key wins. A failed batch is tried again. */
export class WriteBehind {
  readonly #options: WriteBehindOptions;
  readonly #waiting = new Map<string, string | undefined>();
  readonly #closing = new AbortController();
  #writing: Promise<void> = Promise.resolve();
  #scheduled = false;

  constructor(options: WriteBehindOptions) {
    this.#options = options;
  }

  /** Undefined deletes. */
  put(key: string, value: string | undefined): void {
    this.#waiting.delete(key);
    this.#waiting.set(key, value);
    for (const oldest of this.#waiting.keys()) {
      if (this.#waiting.size <= MAX_WAITING) break;
      this.#waiting.delete(oldest);
    }
    void this.#schedule();
  }

  /** What was put last, written already or not. */
  async get(key: string): Promise<string | undefined> {
    return this.#waiting.has(key) ? this.#waiting.get(key) : await this.#options.data.get(key);
  }

  /** Entries in order of their keys, what waits included. */
  async *entries(prefix: string): AsyncIterable<readonly [string, string]> {
    await this.flush();
    yield* this.#options.data.entries(prefix);
  }

  /** Writes what waits. Never rejects: what could not be written goes on waiting. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.flush();
  }

  async #schedule(): Promise<void> {
    if (this.#scheduled || this.#closing.signal.aborted) return;
    this.#scheduled = true;
    await this.#options.clock.sleep(this.#options.delayMs ?? DELAY_MS, this.#closing.signal);
    this.#scheduled = false;
    if (!this.#closing.signal.aborted) await this.flush();
  }

  async #write(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const batch = new Map(this.#waiting);
    try {
      await this.#options.data.write(batch);
      for (const [key, value] of batch) if (this.#waiting.get(key) === value) this.#waiting.delete(key);
    } catch (error) {
      this.#options.log.warn({ error, entries: batch.size }, "history could not be written; it is tried again");
    }
  }
}
