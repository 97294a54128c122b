import type { Clock, Random } from "../../../src/engine/ports.ts";
import { Heap } from "../../support/heap.ts";

interface Entry {
  readonly due: number;
  /** Decides among entries of the same time: drawn from the seed. */
  readonly rank: number;
  readonly order: number;
  readonly label: string;
  readonly run: () => void;
  over: boolean;
}

/** Something that will happen; `cancel` keeps it from happening. */
export interface Pending {
  readonly cancel: () => void;
}

const before = (a: Entry, b: Entry): boolean => {
  if (a.due !== b.due) return a.due < b.due;
  return a.rank === b.rank ? a.order < b.order : a.rank < b.rank;
};

const start = Date.parse("2026-01-01T00:00:00.000Z");
const hashStart = 0x811c9dc5;

/**
 * The only source of time and order in a simulation: everything that happens outside of running code (a timer, a message, a write that
 * becomes durable) is an entry here. One entry runs, then everything that it woke, then the next. Of entries due at the same time the seed
 * chooses. The hash covers what ran and when: equal hashes are equal runs.
 */
export class Scheduler {
  readonly #random: Random;
  readonly #heap = new Heap<Entry>(before, (entry) => entry.over);
  readonly #trace: string[] | undefined;
  #now = start;
  #order = 0;
  #hash = hashStart;
  /** Entries that ran. */
  ran = 0;

  constructor(random: Random, keepTrace: "keep" | "drop") {
    this.#random = random;
    this.#trace = keepTrace === "keep" ? [] : undefined;
  }

  /** True time, milliseconds since 1970. */
  get ms(): number {
    return this.#now;
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  get trace(): readonly string[] {
    return this.#trace ?? [];
  }

  /** A word about what happens: part of the trace and of the hash. */
  note(text: string): void {
    for (let index = 0; index < text.length; index += 1)
      this.#hash = Math.imul(this.#hash ^ text.charCodeAt(index), 0x01000193);
    this.#hash = Math.imul(this.#hash ^ Math.floor(this.#now - start), 0x01000193);
    this.#trace?.push(`${((this.#now - start) / 1000).toFixed(3).padStart(10)} ${text}`);
  }

  at(ms: number, label: string, run: () => void): Pending {
    this.#order += 1;
    const due = this.#now + Math.max(0, ms);
    const entry: Entry = { due, rank: this.#random.next(), order: this.#order, label, run, over: false };
    this.#heap.push(entry);
    return {
      cancel: () => {
        if (!entry.over) this.#heap.drop(entry);
        entry.over = true;
      },
    };
  }

  /** Lets `ms` pass, or less: until `stop` says so after an entry. */
  async advance(ms: number, stop: () => boolean = () => false): Promise<void> {
    const end = this.#now + ms;
    await quiet();
    for (;;) {
      const next = this.#heap.peek();
      if (!next || next.due > end) break;
      this.#heap.pop();
      this.#now = next.due;
      next.over = true;
      this.ran += 1;
      if (next.label !== "") this.note(next.label);
      next.run();
      await quiet();
      if (stop()) return;
    }
    this.#now = end;
  }

  sleep(ms: number, label: string, signal?: AbortSignal): Promise<void> {
    return sleeping((run) => this.at(ms, label, run), signal);
  }

  /** True time as a Clock, for what stands outside of all machines. */
  clock(label: string): Clock {
    return { now: () => new Date(this.#now), sleep: (ms, signal) => this.sleep(ms, label, signal) };
  }
}

/** A sleep made of an entry: it ends at once when the signal fires. */
export const sleeping = (plan: (run: () => void) => Pending, signal?: AbortSignal): Promise<void> => {
  if (signal?.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = (): void => {
    pending.cancel();
    resolve();
  };
  const pending = plan(() => {
    signal?.removeEventListener("abort", cancel);
    resolve();
  });
  signal?.addEventListener("abort", cancel, { once: true });
  return promise;
};

/** Everything that running code can still do without waiting: the queue of ticks comes after all promises. */
const quiet = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));
