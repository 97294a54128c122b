import { apiVersion } from "../../api/kinds.ts";
import type { Key } from "../../api/resource.ts";
import type { Clock, EventNote, EventRecorder, Logger, Random } from "../../engine/ports.ts";
import type { KubeClient } from "./client.ts";
import { KubeError } from "./error.ts";
import { microTime } from "./microTime.ts";

export interface KubeEventsOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Who reports: the pod. */
  readonly instance: string;
  /** Least time between two writes of one series, milliseconds. Default 1 min. */
  readonly seriesMs?: number;
  /** Events that wait to be written; more are dropped. Default 1,000. */
  readonly maxWaiting?: number;
}

/** Events of the same kind on one object. */
interface Series {
  readonly path: string;
  readonly name: string;
  readonly namespace: string;
  count: number;
  written: number;
  lastSeen: Date;
  /** When the last write was begun. */
  writtenAt: number;
}

const controller = "aetherv.io/control-plane";
const seriesMs = 60_000;
/** A series that is silent so long is over; the server keeps events for an hour. */
const endMs = 3_000_000;
const maxWaiting = 1_000;
/** Limits of events.k8s.io/v1, in bytes. */
const maxNote = 1_024;

/** Writes Events (events.k8s.io/v1) in the background, repeated ones as a series. Events are lost rather than in anybody's way. */
export class KubeEvents implements EventRecorder {
  readonly #options: KubeEventsOptions;
  readonly #series = new Map<string, Series>();
  readonly #stop = new AbortController();
  #waiting: (() => Promise<void>)[] = [];
  #wake: (() => void) | undefined;
  #dropped = 0;
  readonly #working: Promise<unknown>;

  constructor(options: KubeEventsOptions) {
    this.#options = options;
    this.#working = Promise.all([this.#write(), this.#follow()]);
  }

  record(key: Key, uid: string, note: EventNote): void {
    const now = this.#options.clock.now();
    const id = seriesOf(uid, note);
    const known = this.#series.get(id);
    if (known && now.getTime() - known.lastSeen.getTime() < endMs) {
      known.count += 1;
      known.lastSeen = now;
      return;
    }
    const namespace = key.namespace === "" ? "default" : key.namespace;
    const path = `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/events`;
    const name = `${key.name.slice(0, 200)}.${Math.floor(this.#options.random.next() * 2 ** 48).toString(16)}`;
    const series: Series = { path, name, namespace, count: 1, written: 1, lastSeen: now, writtenAt: now.getTime() };
    this.#series.set(id, series);
    this.#enqueue(() => this.#create(series, { key, uid, note, now }));
  }

  /** Writes what waits, for at most the given time; then nothing more. */
  async close(graceMs: number): Promise<void> {
    for (const series of this.#series.values()) this.#enqueueSeries(series);
    const { clock } = this.#options;
    const end = clock.now().getTime() + graceMs;
    while (this.#waiting.length > 0 && clock.now().getTime() < end) await clock.sleep(20);
    this.#stop.abort();
    this.#wake?.();
    await this.#working;
  }

  #enqueue(work: () => Promise<void>): void {
    if (this.#waiting.length >= (this.#options.maxWaiting ?? maxWaiting)) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(work);
    this.#wake?.();
  }

  async #write(): Promise<void> {
    const stop = this.#stop.signal;
    while (!stop.aborted) {
      const [next] = this.#waiting;
      if (!next) {
        await new Promise<void>((resolve) => (this.#wake = resolve));
        continue;
      }
      try {
        await next();
      } catch (error) {
        this.#options.log.warn({ err: error, dropped: this.#dropped }, "an Event could not be written");
      }
      this.#waiting.shift();
    }
  }

  /** Brings the counts of series up to date now and then, and forgets those that ended. */
  async #follow(): Promise<void> {
    const { clock } = this.#options;
    const every = this.#options.seriesMs ?? seriesMs;
    while (!this.#stop.signal.aborted) {
      await clock.sleep(every / 2, this.#stop.signal);
      const now = clock.now().getTime();
      for (const [id, series] of this.#series) {
        if (now - series.writtenAt >= every) this.#enqueueSeries(series);
        if (now - series.lastSeen.getTime() >= endMs) this.#series.delete(id);
      }
    }
  }

  #enqueueSeries(series: Series): void {
    if (series.count === series.written) return;
    series.written = series.count;
    series.writtenAt = this.#options.clock.now().getTime();
    this.#enqueue(() => this.#update(series));
  }

  async #create(
    { path, name, namespace }: Series,
    { key, uid, note, now }: { key: Key; uid: string; note: EventNote; now: Date },
  ): Promise<void> {
    const regarding = { apiVersion, kind: key.kind, name: key.name, uid };
    const body = {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name, namespace },
      eventTime: microTime(now),
      reportingController: controller,
      reportingInstance: this.#options.instance.slice(0, 128),
      action: "Reconcile",
      reason: note.reason,
      type: note.type,
      note: shortened(note.message),
      regarding: key.namespace === "" ? regarding : { ...regarding, namespace: key.namespace },
    };
    await this.#options.client.call({ verb: "create", path, body, signal: this.#stop.signal });
  }

  async #update({ path, name, count, lastSeen }: Series): Promise<void> {
    const body = { series: { count, lastObservedTime: microTime(lastSeen) } };
    try {
      await this.#options.client.call({ verb: "patch", path: `${path}/${name}`, body, signal: this.#stop.signal });
    } catch (error) {
      // The server forgot it: there is nothing to count on.
      if (!(error instanceof KubeError) || error.code !== 404) throw error;
    }
  }
}

/** Messages that differ in numbers only ("tried 3 times") are one series, as in the event log of file mode. */
const seriesOf = (uid: string, { type, reason, message }: EventNote): string =>
  JSON.stringify([uid, type, reason, message.replace(/\d+/g, "#")]);

const shortened = (text: string): string => {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= maxNote) return text;
  return `${new TextDecoder("utf8", { fatal: false }).decode(bytes.slice(0, maxNote - 8)).replace(/\uFFFD+$/, "")}...`;
};
