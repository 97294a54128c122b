/** What a job waits for: a start or stop has a slot kept free for it, beside the short ones. */
export type Lane = "power" | "short" | "long";

/** A job as far as the choice of the next one goes. */
export interface Slotted {
  readonly lane: Lane;
  /** Lower goes first; equal ones in the order of their arrival. */
  readonly priority: number;
  /** Held exclusively while the job runs. */
  readonly locks: readonly string[];
}

export interface SlotLimits {
  readonly short: number;
  readonly long: number;
}

/** People wait for machines to start and stop, so one such job runs even where all short slots are taken. */
const POWER = 1;

/**
 * Which of the waiting jobs may run now: `short` and `long` ones side by side, no lock held twice. A job whose locks are
 * held does not stop those behind it, but those that want a lock it waits for come after it.
 */
export class Slots<J extends Slotted> {
  #limits: SlotLimits;
  #waiting: J[] = [];
  readonly #waitingIn: Record<Lane, number> = { power: 0, short: 0, long: 0 };
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
    this.#waitingIn[job.lane] += 1;
    const behind = this.#waiting.findIndex((other) => other.priority > job.priority);
    if (behind < 0) this.#waiting.push(job);
    else this.#waiting.splice(behind, 0, job);
  }

  /** Takes every job that may start now out of the line; each holds its slot until `release`. */
  take(): readonly J[] {
    const held = new Set([...this.#running].flatMap((job) => job.locks));
    const used: Record<Lane, number> = { power: 0, short: 0, long: 0 };
    for (const job of this.#running) used[job.lane] += 1;
    const started: J[] = [];
    for (const job of this.#waiting) {
      if (LANES.every((lane) => this.#waitingIn[lane] === 0 || !this.#hasRoom(lane, used))) break;
      const blocked = !this.#hasRoom(job.lane, used) || job.locks.some((lock) => held.has(lock));
      for (const lock of job.locks) held.add(lock);
      if (blocked) continue;
      used[job.lane] += 1;
      this.#waitingIn[job.lane] -= 1;
      started.push(job);
    }
    for (const job of started) this.#running.add(job);
    if (started.length > 0) this.#waiting = this.#waiting.filter((job) => !this.#running.has(job));
    return started;
  }

  /** Starts and stops beyond the one of their own slot count as short jobs. */
  #hasRoom(lane: Lane, { power, short, long }: Readonly<Record<Lane, number>>): boolean {
    if (lane === "long") return long < this.#limits.long;
    return (lane === "power" && power < POWER) || short + Math.max(0, power - POWER) < this.#limits.short;
  }

  release(job: J): void {
    this.#running.delete(job);
  }

  /** Empties the line and gives what was in it. */
  drain(): readonly J[] {
    const drained = this.#waiting;
    this.#waiting = [];
    for (const lane of LANES) this.#waitingIn[lane] = 0;
    return drained;
  }
}

const LANES: readonly Lane[] = ["power", "short", "long"];
