import type { Clock, Logger, Random } from "../../../src/engine/ports.ts";

/** A clock that moves only by hand. */
export class HandClock implements Clock {
  #ms: number;
  readonly #sleepers: { at: number; wake: () => void }[] = [];
  constructor(start = "2026-01-01T00:00:00Z") {
    this.#ms = Date.parse(start);
  }
  now(): Date {
    return new Date(this.#ms);
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#sleepers.push({ at: this.#ms + ms, wake: resolve });
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
  }
  advance(ms: number): void {
    this.#ms += ms;
    for (const sleeper of this.#sleepers.splice(0)) {
      if (sleeper.at <= this.#ms) sleeper.wake();
      else this.#sleepers.push(sleeper);
    }
  }
}

/** Uids in a row: the same at each run. */
export class CountingRandom implements Random {
  #count = 0;
  readonly #mark: string;
  constructor(mark = "0") {
    this.#mark = mark;
  }
  next(): number {
    return 0.5;
  }
  uuid(): string {
    this.#count += 1;
    return `00000000-0000-4000-800${this.#mark}-${String(this.#count).padStart(12, "0")}`;
  }
  ulid(): string {
    return this.uuid();
  }
}

/** Keeps what was logged. */
export class MemoryLog implements Logger {
  readonly lines: { level: string; fields: object; text: string }[] = [];
  debug(fields: object, text: string): void {
    this.lines.push({ level: "debug", fields, text });
  }
  info(fields: object, text: string): void {
    this.lines.push({ level: "info", fields, text });
  }
  warn(fields: object, text: string): void {
    this.lines.push({ level: "warn", fields, text });
  }
  error(fields: object, text: string): void {
    this.lines.push({ level: "error", fields, text });
  }
}
