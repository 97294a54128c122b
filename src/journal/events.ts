import { keyText, type Key } from "../api/resource.ts";
import type { Clock, EventNote, EventRecorder, KeyValue, Logger, Random } from "../engine/ports.ts";
import { parse } from "./parse.ts";
import { WriteBehind } from "./writeBehind.ts";

export interface EventLogOptions {
  readonly data: KeyValue;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Events kept. Default 5,000. */
  readonly maxEvents?: number;
  /** Milliseconds an event is kept after it was last seen. Default 7 days. */
  readonly maxAgeMs?: number;
  /** An event seen again within this time of its last makes it a series. Default 1 h. */
  readonly seriesMs?: number;
  readonly delayMs?: number;
}

/** An event on an object, or a series of the same. Times RFC 3339; message of the last one seen. */
export interface EventEntry extends EventNote {
  readonly id: string;
  readonly key: Key;
  readonly uid: string;
  readonly count: number;
  readonly firstSeen: string;
  readonly lastSeen: string;
}

export interface EventQuery {
  readonly key?: Key;
  /** At most this many, the newest ones. Default: all. */
  readonly limit?: number;
}

const EVENTS = "event/";
const MAX_EVENTS = 5_000;
const MAX_AGE_MS = 7 * 24 * 3_600_000;
const SERIES_MS = 3_600_000;

/** Events of file mode: in memory, and in a KeyValue for the next process. */
export class EventLog implements EventRecorder {
  readonly #options: EventLogOptions;
  readonly #data: WriteBehind;
  /** By id, in order of lastSeen. */
  readonly #events = new Map<string, EventEntry>();
  /** Series -> id of its present event. */
  readonly #series = new Map<string, string>();

  private constructor(options: EventLogOptions) {
    this.#options = options;
    this.#data = new WriteBehind(options);
  }

  static async open(options: EventLogOptions): Promise<EventLog> {
    const log = new EventLog(options);
    const kept: EventEntry[] = [];
    for await (const [, text] of options.data.entries(EVENTS))
      kept.push(...[parse<EventEntry>(text)].filter((event) => event !== undefined));
    for (const event of kept.sort((a, b) => a.lastSeen.localeCompare(b.lastSeen))) log.#keep(event);
    log.#prune();
    return log;
  }

  record(key: Key, uid: string, note: EventNote): void {
    const now = this.#options.clock.now();
    const known = this.#events.get(this.#series.get(seriesOf(uid, note)) ?? "");
    const again = known && now.getTime() - Date.parse(known.lastSeen) <= (this.#options.seriesMs ?? SERIES_MS);
    const seen = now.toISOString();
    const event: EventEntry = again
      ? { ...known, message: note.message, count: known.count + 1, lastSeen: seen }
      : { ...note, id: this.#options.random.ulid(), key, uid, count: 1, firstSeen: seen, lastSeen: seen };
    this.#keep(event);
    this.#data.put(`${EVENTS}${event.id}`, JSON.stringify(event));
    this.#prune();
  }

  /** Oldest first, by when they were last seen. */
  list({ key, limit }: EventQuery = {}): readonly EventEntry[] {
    const text = key && keyText(key);
    const found = [...this.#events.values()].filter((event) => text === undefined || keyText(event.key) === text);
    return limit === undefined ? found : found.slice(Math.max(0, found.length - limit));
  }

  flush(): Promise<void> {
    return this.#data.flush();
  }

  close(): Promise<void> {
    return this.#data.close();
  }

  #keep(event: EventEntry): void {
    this.#events.delete(event.id);
    this.#events.set(event.id, event);
    this.#series.set(seriesOf(event.uid, event), event.id);
  }

  #prune(): void {
    const oldest = this.#options.clock.now().getTime() - (this.#options.maxAgeMs ?? MAX_AGE_MS);
    for (const event of this.#events.values()) {
      const surplus = this.#events.size > (this.#options.maxEvents ?? MAX_EVENTS);
      if (!surplus && Date.parse(event.lastSeen) >= oldest) return;
      this.#events.delete(event.id);
      const series = seriesOf(event.uid, event);
      if (this.#series.get(series) === event.id) this.#series.delete(series);
      this.#data.put(`${EVENTS}${event.id}`, undefined);
    }
  }
}

/** Messages that differ in numbers only ("tried 3 times") are one series. */
const seriesOf = (uid: string, { type, reason, message }: EventNote): string =>
  JSON.stringify([uid, type, reason, message.replace(/\d+/g, "#")]);
