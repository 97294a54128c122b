import type { Fault } from "../protocol/errors.ts";

interface Doubt {
  readonly fault: Fault;
  /** Position in the order of job ends and inventory starts. */
  readonly since: number;
  /** The job that may still run on the host; only its end makes an inventory worth something. */
  readonly job?: string;
}

/** For which uids the last job's effect is unknown, until somebody has looked after its end. */
export class Uncertainty {
  readonly #doubts = new Map<string, Doubt>();
  #turn = 0;

  of(uid: string): Fault | undefined {
    return this.#doubts.get(uid)?.fault;
  }

  get size(): number {
    return this.#doubts.size;
  }

  /** A job that held these uids ended without telling what it did; with `job`, it may still be at it. */
  doubt(uids: readonly string[], why: Fault, job?: string): void {
    this.#turn += 1;
    for (const uid of uids) this.#doubts.set(uid, { fault: why, since: this.#turn, ...(job !== undefined && { job }) });
  }

  /** The job runs no more: from now on a look tells what it did. */
  ended(job: string): void {
    this.#turn += 1;
    for (const [uid, doubt] of this.#doubts)
      if (doubt.job === job) this.#doubts.set(uid, { fault: doubt.fault, since: this.#turn });
  }

  /** A later job told the state of these things itself. */
  covered(uids: readonly string[]): void {
    for (const uid of uids) if (this.#doubts.get(uid)?.job === undefined) this.#doubts.delete(uid);
  }

  /** Taken when an inventory starts, given to `looked` once it is folded. */
  mark(): number {
    return this.#turn;
  }

  /** Forgets what the inventory that started at `mark` has answered; gives these uids. */
  looked(mark: number): readonly string[] {
    const answered = [...this.#doubts].filter(([, { since, job }]) => since <= mark && job === undefined);
    for (const [uid] of answered) this.#doubts.delete(uid);
    return answered.map(([uid]) => uid);
  }
}
