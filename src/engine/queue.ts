import { keyText } from "../api/resource.ts";
import { Backoff, type DelayLimits } from "./backoff.ts";
import type { Clock, Key, Random } from "./ports.ts";

/** high: somebody changed the object. normal: its host did, or a job ended. low: a look after some time. */
export type Priority = "high" | "normal" | "low";

const lanes: readonly Priority[] = ["high", "normal", "low"];
const moreUrgent = (a: Priority, b: Priority): Priority => (lanes.indexOf(a) <= lanes.indexOf(b) ? a : b);

/** A key that waited this long goes before more urgent ones, so that none waits for ever. Milliseconds. */
const patienceMs = 30_000;
/** Keys begun without a pause: looks that wait for nothing would let nobody else (sockets, timers) have a turn until the last of them. */
const burst = 100;
const retryLimits: DelayLimits = { first: 1000, longest: 300_000 };

interface Waiting {
  readonly key: Key;
  readonly since: number;
}

interface Delayed {
  readonly due: number;
  readonly priority: Priority;
  readonly cancel: AbortController;
}

export interface QueueSettings {
  readonly clock: Clock;
  readonly random: Pick<Random, "next">;
  /** Keys worked on at the same time. */
  readonly workers: number;
  /** Works on one key, which waited so many milliseconds. A rejection goes to `failed`, and the key comes again with backoff. */
  readonly work: (key: Key, waitedMs: number) => Promise<void>;
  readonly failed?: (key: Key, error: unknown) => void;
  readonly retry?: DelayLimits;
}

export interface QueueCounters {
  /** Keys that wait for a worker now. */
  readonly depth: number;
  /** Keys that come later. */
  readonly delayed: number;
  readonly working: number;
  readonly added: number;
  readonly worked: number;
  readonly retries: number;
  /** Time from being added to a worker's start, milliseconds. */
  readonly waitTotalMs: number;
  readonly waitLongestMs: number;
  /** For how long the key at the head of a lane has been waiting, the longest of them, milliseconds. */
  readonly oldestMs: number;
}

/** Keys to work on: each at most once in the queue and with one worker at a time. */
export class KeyedQueue {
  readonly #settings: QueueSettings;
  readonly #backoff: Backoff;
  readonly #lanes: Readonly<Record<Priority, Map<string, Waiting>>> = {
    high: new Map(),
    normal: new Map(),
    low: new Map(),
  };
  readonly #delayed = new Map<string, Delayed>();
  readonly #working = new Set<string>();
  /** Added while in work: once more after it. */
  readonly #again = new Map<string, Priority>();
  #started = false;
  #stopped = false;
  #pumping = false;
  #begun = 0;
  #pausing = false;
  #idle: (() => void)[] = [];
  #added = 0;
  #worked = 0;
  #retries = 0;
  #waitTotal = 0;
  #waitLongest = 0;

  constructor(settings: QueueSettings) {
    this.#settings = settings;
    this.#backoff = new Backoff(settings.retry ?? retryLimits, settings.random);
  }

  /** Lets the workers begin; keys may be added before. */
  start(): void {
    this.#started = true;
    this.#pumpSoon();
  }

  add(key: Key, priority: Priority = "normal"): void {
    if (this.#stopped) return;
    const text = keyText(key);
    this.#added += 1;
    if (this.#working.has(text)) {
      this.#again.set(text, moreUrgent(priority, this.#again.get(text) ?? priority));
      return;
    }
    this.#enqueue(key, text, priority);
    this.#pumpSoon();
  }

  /** Adds the key `ms` milliseconds from now; of several, the earliest wins. */
  addAfter(key: Key, ms: number, priority: Priority = "low"): void {
    if (this.#stopped) return;
    if (ms <= 0) {
      this.add(key, priority);
      return;
    }
    const text = keyText(key);
    const due = this.#settings.clock.now().getTime() + ms;
    const present = this.#delayed.get(text);
    if (present && present.due <= due) return;
    present?.cancel.abort("earlier");
    const delayed: Delayed = { due, priority, cancel: new AbortController() };
    this.#delayed.set(text, delayed);
    void this.#arrive(key, ms, delayed);
  }

  /** Adds the key after its backoff: 1 s doubled up to 5 min, with jitter. */
  retry(key: Key): void {
    this.#retries += 1;
    this.addAfter(key, this.#backoff.next(keyText(key)), "normal");
  }

  /** The key went well: its next retry is a first one. */
  forget(key: Key): void {
    this.#backoff.forget(keyText(key));
  }

  /** Takes the key out: its object is gone. */
  drop(key: Key): void {
    const text = keyText(key);
    this.forget(key);
    this.#delayed.get(text)?.cancel.abort("dropped");
    this.#delayed.delete(text);
  }

  /** Starts nothing more; resolves when the keys in work are done. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { cancel } of this.#delayed.values()) cancel.abort();
    this.#delayed.clear();
    this.#again.clear();
    for (const lane of lanes) this.#lanes[lane].clear();
    if (this.#working.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Keys that wait for a worker now. */
  get depth(): number {
    return lanes.reduce((sum, lane) => sum + this.#lanes[lane].size, 0);
  }

  counters(): QueueCounters {
    return {
      depth: this.depth,
      delayed: this.#delayed.size,
      working: this.#working.size,
      added: this.#added,
      worked: this.#worked,
      retries: this.#retries,
      waitTotalMs: this.#waitTotal,
      waitLongestMs: this.#waitLongest,
      oldestMs: this.#oldest(),
    };
  }

  #oldest(): number {
    const since = Math.min(
      ...lanes.flatMap((lane) => {
        const [head] = this.#lanes[lane].values();
        return head ? [head.since] : [];
      }),
    );
    return Number.isFinite(since) ? Math.max(0, this.#settings.clock.now().getTime() - since) : 0;
  }

  async #arrive(key: Key, ms: number, delayed: Delayed): Promise<void> {
    await this.#settings.clock.sleep(ms, delayed.cancel.signal);
    const text = keyText(key);
    if (delayed.cancel.signal.aborted || this.#delayed.get(text) !== delayed) return;
    this.#delayed.delete(text);
    this.add(key, delayed.priority);
  }

  #enqueue(key: Key, text: string, priority: Priority): void {
    const present = lanes.find((lane) => this.#lanes[lane].has(text));
    if (present !== undefined && moreUrgent(present, priority) === present) return;
    const since = present && this.#lanes[present].get(text)?.since;
    if (present) this.#lanes[present].delete(text);
    this.#lanes[priority].set(text, { key, since: since ?? this.#settings.clock.now().getTime() });
  }

  /** After the present turn: all that one happening tells (a host's news, the end of its job) is there before the first decision on it. */
  #pumpSoon(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    void Promise.resolve().then(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#started && !this.#stopped && this.#working.size < this.#settings.workers) {
      if (this.#mustPause()) return;
      const next = this.#take();
      this.#begun = next ? this.#begun + 1 : 0;
      if (!next) return;
      void this.#work(next.key, next.waited);
    }
  }

  /** Goes on by itself after a turn of the event loop. */
  #mustPause(): boolean {
    if (this.#pausing || this.#begun < burst) return this.#pausing;
    this.#pausing = true;
    void this.#settings.clock.sleep(0).then(() => {
      this.#pausing = false;
      this.#begun = 0;
      this.#pump();
    });
    return true;
  }

  #take(): { readonly key: Key; readonly waited: number } | undefined {
    const now = this.#settings.clock.now().getTime();
    const heads = lanes.flatMap((lane) => {
      const [head] = this.#lanes[lane].entries();
      return head ? [{ lane, text: head[0], waiting: head[1] }] : [];
    });
    const next = heads.find(({ waiting }) => now - waiting.since > patienceMs) ?? heads[0];
    if (!next) return undefined;
    this.#lanes[next.lane].delete(next.text);
    const waited = now - next.waiting.since;
    this.#waitTotal += waited;
    this.#waitLongest = Math.max(this.#waitLongest, waited);
    return { key: next.waiting.key, waited };
  }

  async #work(key: Key, waited: number): Promise<void> {
    const text = keyText(key);
    this.#working.add(text);
    try {
      await this.#settings.work(key, waited);
    } catch (error) {
      this.#settings.failed?.(key, error);
      this.retry(key);
    }
    this.#worked += 1;
    this.#working.delete(text);
    const again = this.#again.get(text);
    this.#again.delete(text);
    if (again !== undefined && !this.#stopped) this.#enqueue(key, text, again);
    if (this.#stopped && this.#working.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    this.#pump();
  }
}
