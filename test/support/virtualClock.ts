import type { Clock } from "../../src/engine/ports.ts";
import { Heap } from "./heap.ts";

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly fire: () => void;
  over: boolean;
}

const before = (a: Timer, b: Timer): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);

/**
 * Virtual time for whole control planes: as FakeClock, with a heap of timers, so that thousands of them cost little. Timers fire in
 * the order of their due times, then of their making: the same program and seed make the same run.
 */
export class VirtualClock implements Clock {
  #now: number;
  #order = 0;
  readonly #heap = new Heap<Timer>(before, (timer) => timer.over);

  constructor(start: string = "2026-01-01T00:00:00.000Z") {
    this.#now = Date.parse(start);
  }

  now(): Date {
    return new Date(this.#now);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = (): void => {
        if (timer.over) return;
        this.#heap.drop(timer);
        timer.over = true;
        resolve();
      };
      const fire = (): void => {
        signal?.removeEventListener("abort", cancel);
        resolve();
      };
      const timer: Timer = { due: this.#now + Math.max(0, ms), order: (this.#order += 1), fire, over: false };
      this.#heap.push(timer);
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  /** Lets `ms` pass; everything that wakes up on the way runs at its own time. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await quiet();
    for (let next = this.#heap.peek(); next && next.due <= end; next = this.#heap.peek()) {
      this.#heap.pop();
      this.#now = next.due;
      next.over = true;
      next.fire();
      await quiet();
    }
    this.#now = end;
  }
}

/** Lets every promise that can settle do so, without letting time pass: microtasks run out before an immediate. */
const quiet = async (): Promise<void> => {
  await new Promise((resolve) => setImmediate(resolve));
};
