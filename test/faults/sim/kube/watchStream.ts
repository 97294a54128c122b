import type { Response } from "../../../../src/stores/kubernetes/connection.ts";
import { InjectedError, type Process } from "../process.ts";
import type { Collection } from "./places.ts";
import type { WireState } from "./wire.ts";

interface Parts {
  readonly process: Process;
  readonly signal: AbortSignal | undefined;
  /** So long without any byte, and the client gives up. */
  readonly idleMs: number;
  readonly weather: WireState;
  /** The server's present version. */
  readonly version: () => number;
}

type Part = { readonly bytes: Uint8Array } | { readonly end: "clean" } | { readonly error: Error };

const encoder = new TextEncoder();

/** The bytes of one watch: lines in their order, each after some time, now and then very late or never. */
export class WatchStream {
  readonly #parts: Parts;
  readonly #over = Promise.withResolvers<void>();
  #queue: Part[] = [];
  #wake: (() => void) | undefined;
  #held: Uint8Array[] = [];
  #free = 0;
  #ended = false;
  #heardAt: number;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#heardAt = parts.process.scheduler.ms;
    parts.signal?.addEventListener("abort", () => this.#fail(new InjectedError("the watch was given up")), {
      once: true,
    });
    void this.#guard();
  }

  get over(): Promise<void> {
    return this.#over.promise;
  }

  tell(type: string, object: unknown): void {
    this.#line(JSON.stringify({ type, object }));
  }

  bookmark({ apiVersion, kind }: Collection): void {
    const metadata = { resourceVersion: String(this.#parts.version()) };
    this.#line(JSON.stringify({ type: "BOOKMARK", object: { apiVersion, kind, metadata } }));
  }

  #line(text: string): void {
    if (this.#ended) return;
    const bytes = encoder.encode(`${text}\n`);
    if (this.#parts.weather.frozen) this.#held.push(bytes);
    else this.#send(bytes);
  }

  thaw(): void {
    for (const bytes of this.#held.splice(0)) this.#send(bytes);
  }

  #send(bytes: Uint8Array): void {
    const { process } = this.#parts;
    const { scheduler, climate, chance } = process;
    if (climate.strikes("lineSlow", chance)) this.#free = Math.max(this.#free, scheduler.ms + chance.wide(100, 20_000));
    this.#free = Math.max(this.#free + 0.001, scheduler.ms + climate.delay(chance));
    scheduler.at(this.#free - scheduler.ms, `${process.name} hears news`, () =>
      process.deliver(() => this.#put({ bytes })),
    );
  }

  /** clean: as servers do. torn: within a line. lost: the connection breaks. */
  end(how: "clean" | "torn" | "lost"): void {
    if (this.#ended) return;
    this.#ended = true;
    const { process } = this.#parts;
    process.deliver(() => {
      if (how === "torn") this.#put({ bytes: encoder.encode('{"type":"MODIFIED","object":{"kind":') });
      this.#put(how === "lost" ? { error: new InjectedError("the connection was reset") } : { end: "clean" });
    });
    this.#over.resolve();
  }

  #fail(error: Error): void {
    this.#ended = true;
    this.#put({ error });
    this.#over.resolve();
  }

  #put(part: Part): void {
    this.#heardAt = this.#parts.process.scheduler.ms;
    this.#queue.push(part);
    this.#wake?.();
  }

  async #guard(): Promise<void> {
    const { process, idleMs } = this.#parts;
    while (!this.#ended && !process.ended) {
      await process.clock.sleep(idleMs);
      if (process.scheduler.ms - this.#heardAt >= idleMs)
        this.#fail(new InjectedError("the watch was silent for too long"));
    }
  }

  get body(): Response["body"] {
    const whole = (): Promise<never> => Promise.reject(new Error("a watch has no end"));
    return { text: whole, json: whole, [Symbol.asyncIterator]: () => this.#read() };
  }

  async *#read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const part = this.#queue.shift();
      if (!part) {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
        this.#wake = undefined;
      } else if ("bytes" in part) yield part.bytes;
      else if ("error" in part) throw part.error;
      else return;
    }
  }
}
