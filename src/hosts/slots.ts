/** A job as far as the choice of the next one goes. */
export interface Slotted {
  readonly long: boolean;
  /** Lower goes first; equal ones in the order of their arrival. */
  readonly priority: number;
  /** Held exclusively while the job runs. */
  readonly locks: readonly string[];
}

export interface SlotLimits {
  readonly short: number;
  readonly long: number;
}

/**
 * Which of the waiting jobs may run now: `short` and `long` ones side by side, no lock held twice. A job whose locks are
 * held does not stop those behind it, but those that want a lock it waits for come after it.
 */
export class Slots<J extends Slotted> {
  #limits: SlotLimits;
  #waiting: J[] = [];
  #longWaiting = 0;
  readonly #running = new Set<J>();

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  get running(): ReadonlySet<J> {
    return this.#running;
  }

  get waiting(): readonly J[] {
    return this.#waiting;
  }

  resize(limits: SlotLimits): void {
    this.#limits = limits;
  }

  add(job: J): void {
    if (job.long) this.#longWaiting += 1;
    const behind = this.#waiting.findIndex((other) => other.priority > job.priority);
    if (behind < 0) this.#waiting.push(job);
    else this.#waiting.splice(behind, 0, job);
  }

  /** Takes every job that may start now out of the line; each holds its slot until `release`. */
  take(): readonly J[] {
    const held = new Set([...this.#running].flatMap((job) => job.locks));
    const free = { short: this.#limits.short, long: this.#limits.long };
    for (const job of this.#running) free[job.long ? "long" : "short"] -= 1;
    const wanted = { short: this.#waiting.length - this.#longWaiting, long: this.#longWaiting };
    const started: J[] = [];
    for (const job of this.#waiting) {
      if (Math.min(free.short, wanted.short) <= 0 && Math.min(free.long, wanted.long) <= 0) break;
      const size = job.long ? "long" : "short";
      const blocked = free[size] <= 0 || job.locks.some((lock) => held.has(lock));
      for (const lock of job.locks) held.add(lock);
      if (blocked) continue;
      free[size] -= 1;
      if (job.long) this.#longWaiting -= 1;
      started.push(job);
    }
    for (const job of started) this.#running.add(job);
    if (started.length > 0) this.#waiting = this.#waiting.filter((job) => !this.#running.has(job));
    return started;
  }

  release(job: J): void {
    this.#running.delete(job);
  }

  /** Empties the line and gives what was in it. */
  drain(): readonly J[] {
    const drained = this.#waiting;
    this.#waiting = [];
    this.#longWaiting = 0;
    return drained;
  }
}
