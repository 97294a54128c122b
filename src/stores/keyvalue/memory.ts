import type { KeyValue } from "../../engine/ports.ts";

/** A KeyValue in memory, for tests and simulation: what was written survives "restarts" that keep the instance. */
export class MemoryKeyValue implements KeyValue {
  readonly #values = new Map<string, string>();
  /** Batches written so far. */
  writes = 0;

  get(key: string): Promise<string | undefined> {
    return Promise.resolve(this.#values.get(key));
  }

  write(batch: ReadonlyMap<string, string | undefined>): Promise<void> {
    this.writes += 1;
    for (const [key, value] of batch) {
      if (value === undefined) this.#values.delete(key);
      else this.#values.set(key, value);
    }
    return Promise.resolve();
  }

  async *entries(prefix: string): AsyncIterable<readonly [string, string]> {
    const keys = [...this.#values.keys()].filter((key) => key.startsWith(prefix)).sort();
    for (const key of keys) {
      const value = this.#values.get(key);
      if (value !== undefined) yield [key, value];
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
