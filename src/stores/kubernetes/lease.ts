import type { Clock } from "../../engine/ports.ts";
import type { KubeClient } from "./client.ts";
import { KubeError } from "./error.ts";
import {
  defaultTimes,
  epochOf,
  heldBy,
  readLease,
  releasedBy,
  renewedBy,
  writeLease,
  type Lease,
  type LeaseOptions,
  type LeaseTimes,
} from "./leaseObject.ts";

/** A time of leadership. */
export interface Term {
  /** Fences jobs: hosts refuse those of a lower one. Higher than that of every holder before. */
  readonly epoch: number;
  /** Fires once the leadership is lost, or given back. */
  readonly lost: AbortSignal;
  /** False also in the moment in which a process that was stopped for long wakes up and does not know of its loss yet. */
  readonly held: boolean;
  /** At least `min`, in the Lease before it is used. Rejects when the leadership is lost. */
  raise(min: number): Promise<number>;
  /** Gives the Lease back, so that the next holder need not wait. */
  release(): Promise<void>;
}

/** Who holds a Lease; undefined when nobody does. */
export const holderOf = async (client: KubeClient, namespace: string, name: string): Promise<string | undefined> => {
  const holder = (await readLease({ client, namespace, name }))?.spec?.holderIdentity ?? "";
  return holder === "" ? undefined : holder;
};

/** Waits until this process may lead; undefined when the signal fired before. */
export const acquireLease = async (options: LeaseOptions, signal: AbortSignal): Promise<Term | undefined> => {
  const { clock, random, times = defaultTimes } = options;
  const seen = new Sight(clock);
  while (!signal.aborted) {
    const term = await tryLease(options, seen, signal);
    if (term) return term;
    await clock.sleep(times.retryMs * (0.8 + random.next() * 0.4), signal);
  }
  return undefined;
};

/** Takes the Lease if it is free; undefined when it is not, or the server does not answer. */
export const tryLease = async (options: LeaseOptions, seen: Sight, signal: AbortSignal): Promise<Term | undefined> => {
  const { clock, log, identity, name } = options;
  try {
    const lease = await readLease(options, signal);
    if (!seen.isFree(lease)) return undefined;
    const asked = clock.now().getTime();
    const epoch = epochOf(lease) + 1;
    const taken = await writeLease(options, heldBy(options, lease, epoch), signal);
    log.info({ identity, epoch, lease: name }, "leadership acquired");
    return new HeldTerm(options, taken, epoch, asked);
  } catch (error) {
    // Lost the race for the Lease, or no answer: both are tried again.
    if (!signal.aborted && !isConflict(error))
      log.warn({ err: error, lease: name }, "the Lease cannot be read or taken; it is tried again");
    return undefined;
  }
};

/** Tells whether a Lease is free by this machine's own clock: those of others may be wrong. */
export class Sight {
  readonly #clock: Clock;
  #version = "";
  #since = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isFree(lease: Lease | undefined): boolean {
    const { holderIdentity = "", leaseDurationSeconds = 0 } = lease?.spec ?? {};
    if (lease === undefined || holderIdentity === "") return true;
    const now = this.#clock.now().getTime();
    const version = lease.metadata.resourceVersion ?? "";
    if (version !== this.#version) {
      this.#version = version;
      this.#since = now;
    }
    return now - this.#since > leaseDurationSeconds * 1000;
  }
}

class HeldTerm implements Term {
  readonly #options: LeaseOptions;
  readonly #times: LeaseTimes;
  readonly #ended = new AbortController();
  #lease: Lease;
  #epoch: number;
  /** When the last successful renewal was asked for: by then at the latest others began to count. */
  #renewed: number;
  #writing: Promise<unknown> = Promise.resolve();
  readonly #renewing: Promise<void>;
  readonly #stopRenewing = new AbortController();

  constructor(options: LeaseOptions, lease: Lease, epoch: number, asked: number) {
    this.#options = options;
    this.#times = options.times ?? defaultTimes;
    this.#lease = lease;
    this.#epoch = epoch;
    this.#renewed = asked;
    this.#renewing = this.#renew();
  }

  get epoch(): number {
    return this.#epoch;
  }

  get lost(): AbortSignal {
    return this.#ended.signal;
  }

  get held(): boolean {
    return !this.#ended.signal.aborted && this.#sinceRenewal() < this.#times.deadlineMs;
  }

  async raise(min: number): Promise<number> {
    return this.#exclusive(async () => {
      if (this.#ended.signal.aborted) throw new Error("the leadership is lost: the epoch is not raised");
      if (min <= this.#epoch) return this.#epoch;
      try {
        await this.#put(min);
      } catch (error) {
        if (error instanceof LostError) this.#lose(error.message);
        throw error;
      }
      this.#epoch = min;
      return min;
    });
  }

  async release(): Promise<void> {
    this.#stopRenewing.abort();
    await this.#renewing;
    if (this.#ended.signal.aborted) return;
    await this.#exclusive(async () => {
      this.#ended.abort();
      try {
        const lease = releasedBy(this.#options, this.#lease);
        await within(this.#options.clock, this.#times.retryMs, (signal) => writeLease(this.#options, lease, signal));
        this.#options.log.info({ identity: this.#options.identity }, "leadership given back");
      } catch (error) {
        // Nobody leads until the Lease runs out; that is all.
        this.#options.log.warn({ err: error }, "the Lease could not be given back; it runs out by itself");
      }
    });
  }

  async #renew(): Promise<void> {
    const { clock, log } = this.#options;
    const stop = this.#stopRenewing.signal;
    while (!stop.aborted) {
      await clock.sleep(this.#times.retryMs, stop);
      if (stop.aborted) return;
      try {
        await this.#exclusive(() => this.#put(this.#epoch));
      } catch (error) {
        log.warn({ err: error }, "the Lease was not renewed; it is tried again");
        if (error instanceof LostError) return this.#lose(error.message);
      }
      if (this.#sinceRenewal() >= this.#times.deadlineMs) return this.#lose("it could not be renewed");
    }
  }

  #sinceRenewal(): number {
    return this.#options.clock.now().getTime() - this.#renewed;
  }

  #lose(why: string): void {
    this.#options.log.error({ identity: this.#options.identity }, `the leadership is lost: ${why}`);
    this.#ended.abort();
  }

  /** Renews with this epoch. A LostError when somebody else holds the Lease. */
  async #put(epoch: number): Promise<void> {
    const { clock } = this.#options;
    const asked = clock.now().getTime();
    // Hardly beyond the deadline: but a process that was stopped for long asks once, and is told who leads now.
    const { deadlineMs } = this.#times;
    const left = Math.min(deadlineMs / 2, deadlineMs - this.#sinceRenewal());
    this.#lease = await within(clock, Math.max(deadlineMs / 10, left), (signal) => this.#written(epoch, signal));
    this.#renewed = asked;
  }

  async #written(epoch: number, signal: AbortSignal): Promise<Lease> {
    try {
      return await writeLease(this.#options, renewedBy(this.#options, this.#lease, epoch), signal);
    } catch (error) {
      if (!isConflict(error)) throw error;
      const present = await readLease(this.#options, signal);
      const holder = present?.spec?.holderIdentity;
      if (present === undefined || holder !== this.#options.identity)
        throw new LostError(`${holder ?? "nobody"} holds the Lease`, { cause: error });
      // Somebody else edited it: it is still ours.
      return await writeLease(this.#options, renewedBy(this.#options, present, epoch), signal);
    }
  }

  /** One write at a time: each needs the version that the one before made. */
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(work);
    this.#writing = done.catch(() => undefined);
    return done;
  }
}

/** Gives the work up, by its signal, once so many milliseconds of this clock have passed. */
const within = async <T>(clock: Clock, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
  const [tooLate, done] = [new AbortController(), new AbortController()];
  void clock.sleep(ms, done.signal).then(() => {
    if (!done.signal.aborted) tooLate.abort(new Error(`no answer within ${ms / 1000} s`));
  });
  try {
    return await work(tooLate.signal);
  } finally {
    done.abort();
  }
};

class LostError extends Error {
  override readonly name = "LostError";
}

const isConflict = (error: unknown): boolean =>
  error instanceof KubeError && (error.code === 409 || error.code === 404);
