import type { Clock } from "../../src/engine/ports.ts";

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly fire: () => void;
}

/** Lets every promise that can settle do so, without letting time pass. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** Virtual time: stands still until the test lets it pass; timers fire in the order of their due times, then of their making. */
export class FakeClock implements Clock {
  #now: number;
  #order = 0;
  #timers: Timer[] = [];

  constructor(start: string = "2026-01-01T00:00:00.000Z") {
    this.#now = Date.parse(start);
  }

  now(): Date {
    return new Date(this.#now);
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.length;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer: Timer = { due: this.#now + Math.max(0, ms), order: (this.#order += 1), fire: resolve };
      this.#timers.push(timer);
      const cancel = (): void => {
        this.#timers = this.#timers.filter((other) => other !== timer);
        resolve();
      };
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  /** Lets `ms` pass; everything that wakes up on the way runs at its own time. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#now = next.due;
      this.#timers = this.#timers.filter((other) => other !== next);
      next.fire();
      await settle();
    }
    this.#now = end;
  }

  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers)
      if (
        timer.due <= end &&
        (!first || timer.due < first.due || (timer.due === first.due && timer.order < first.order))
      )
        first = timer;
    return first;
  }
}
