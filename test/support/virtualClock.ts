import type { Clock } from "../../src/engine/ports.ts";

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
  #dead = 0;
  #heap: Timer[] = [];

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
        timer.over = true;
        this.#dead += 1;
        this.#compact();
        resolve();
      };
      const fire = (): void => {
        signal?.removeEventListener("abort", cancel);
        resolve();
      };
      const timer: Timer = { due: this.#now + Math.max(0, ms), order: (this.#order += 1), fire, over: false };
      this.#push(timer);
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  /** Lets `ms` pass; everything that wakes up on the way runs at its own time. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await quiet();
    for (let next = this.#pop(end); next; next = this.#pop(end)) {
      this.#now = next.due;
      next.over = true;
      next.fire();
      await quiet();
    }
    this.#now = end;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (!above || before(above, timer)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(end: number): Timer | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (!first || (!first.over && first.due > end)) return undefined;
      this.#dropFirst();
      if (!first.over) return first;
      this.#dead -= 1;
    }
  }

  #dropFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
      const least = right && left && before(right, left) ? 2 * at + 2 : 2 * at + 1;
      const child = heap[least];
      if (!child || before(last, child)) break;
      heap[at] = child;
      at = least;
    }
    heap[at] = last;
  }

  /** Cancelled timers leave the heap once they are the most of it. */
  #compact(): void {
    if (this.#dead < 64 || this.#dead * 2 < this.#heap.length) return;
    const alive = this.#heap.filter((timer) => !timer.over);
    this.#heap = [];
    this.#dead = 0;
    for (const timer of alive) this.#push(timer);
  }
}

/** Lets every promise that can settle do so, without letting time pass: microtasks run out before an immediate. */
const quiet = async (): Promise<void> => {
  await new Promise((resolve) => setImmediate(resolve));
};
