import { acquireLease, Sight, tryLease, type Term } from "./lease.ts";
import {
  addressOf,
  defaultTimes,
  deleteLease,
  listLeases,
  shardsOf,
  type Lease,
  type LeaseOptions,
} from "./leaseObject.ts";
import { nextMove } from "./shardPlan.ts";

export interface ShardOptions extends Omit<LeaseOptions, "group" | "shards" | "address"> {
  /** Over how many shards the hosts are spread; 1: the one that leads has them all. */
  readonly shards: number;
  /** Where other replicas ask this one, as ADDRESS:PORT; nowhere if not given. */
  readonly address?: string | undefined;
}

/** Another replica that is alive, by the last look at the Leases. */
export interface OtherReplica {
  readonly identity: string;
  readonly shards: readonly number[];
  readonly address?: string;
}

/** What has to happen around a change of hands. */
export interface ShardWork {
  /** Before this process works on the shard: all that the holder before did must be known. */
  readonly prepare: () => Promise<void>;
  /** The shard is this process's. */
  readonly taken: (shard: number) => void;
  /** The shard is another's soon; resolves when nothing of it is at work here any more. */
  readonly given: (shard: number) => Promise<void>;
}

/**
 * The shards that this process holds, a Lease each: the first has the name given, others a number behind it. With more than one shard
 * every replica is a member by a Lease of its own, so that all can tell what a fair share is.
 */
export class Shards {
  readonly #options: ShardOptions;
  /** Held and worked on. */
  readonly #active = new Map<number, Term>();
  readonly #seen = new Map<string, Sight>();
  readonly #lost = new AbortController();
  readonly #leaving = new AbortController();
  #membership: Promise<void> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();
  #warned = false;
  #others: readonly OtherReplica[] = [];

  private constructor(options: ShardOptions) {
    this.#options = options;
  }

  /** Waits until this process holds a shard; undefined when the signal fired before. */
  static async acquire(options: ShardOptions, signal: AbortSignal): Promise<Shards | undefined> {
    const shards = new Shards(options);
    if (options.shards === 1) {
      const term = await acquireLease(shards.#lease(0), signal);
      if (term) shards.#hold(0, term);
      return term && shards;
    }
    shards.#membership = shards.#beMember();
    while (!signal.aborted && shards.#active.size === 0) {
      await shards.#turn(noWork, signal);
      if (shards.#active.size === 0) await shards.#pause(signal);
    }
    if (shards.#active.size > 0) return shards;
    await shards.release();
    return undefined;
  }

  /** Over how many shards the hosts are spread. */
  get count(): number {
    return this.#options.shards;
  }

  /** Fires when a shard was lost, not given: another process may work on it by now. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get held(): boolean {
    return !this.#lost.signal.aborted && [...this.#active.values()].every((term) => term.held);
  }

  /** None where one leads alone: the others wait, and know nothing that is theirs. */
  get others(): readonly OtherReplica[] {
    return this.#others;
  }

  has(shard: number): boolean {
    return this.#active.has(shard);
  }

  /** Of the shard; 0, which fences out nobody, for one that is another's. */
  epochOf(shard: number): number {
    return this.#active.get(shard)?.epoch ?? 0;
  }

  /** The highest of those held. */
  get epoch(): number {
    return Math.max(0, ...[...this.#active.values()].map((term) => term.epoch));
  }

  async raise(shard: number, min: number): Promise<number> {
    const term = this.#active.get(shard);
    if (!term) throw new Error(`shard ${shard} is another process's: its epoch is not raised`);
    return term.raise(min);
  }

  /** Takes what is free and gives up what is too much, until all is released. */
  run(work: ShardWork): void {
    if (this.count > 1) this.#running = this.#balance(work);
  }

  /** Gives all back, so that others need not wait. Nothing may be at work any more. */
  async release(): Promise<void> {
    this.#leaving.abort("released");
    await this.#running;
    const terms = [...this.#active.values()];
    this.#active.clear();
    await Promise.all(terms.map((term) => term.release()));
    await this.#membership;
  }

  async #balance(work: ShardWork): Promise<void> {
    const { signal } = this.#leaving;
    while (!signal.aborted && !this.#lost.signal.aborted) {
      await this.#pause(signal);
      if (!signal.aborted) await this.#turn(work, signal);
    }
  }

  /** One look at all Leases, and what follows from it. Never rejects. */
  async #turn(work: ShardWork, signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    try {
      const leases = await listLeases(this.#lease(0), signal);
      await this.#tidy(leases);
      const { identity: self } = this.#options;
      const holders = Array.from({ length: this.count }, (_, shard) => this.#holderOf(this.#nameOf(shard), leases));
      this.#others = this.#othersIn(leases, holders);
      if (this.#isOtherwise(leases)) return;
      const move = nextMove({ self, members: this.#members(leases), holders });
      if (move.do === "take") await this.#take(move.shard, work, signal);
      if (move.do === "give") await this.#give(move.shard, work);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, "the Leases of the shards cannot be read; it is tried again");
    }
  }

  async #take(shard: number, work: ShardWork, signal: AbortSignal): Promise<void> {
    const options = this.#lease(shard);
    const term = await tryLease(options, this.#sight(options.name), signal);
    if (!term) return;
    try {
      await work.prepare();
    } catch (error) {
      await term.release();
      throw error;
    }
    if (signal.aborted) return term.release();
    this.#hold(shard, term);
    work.taken(shard);
  }

  async #give(shard: number, work: ShardWork): Promise<void> {
    const term = this.#active.get(shard);
    if (!term) return;
    this.#active.delete(shard);
    this.#options.log.info({ shard }, "a shard is given to a replica that has fewer");
    await work.given(shard);
    await term.release();
  }

  #hold(shard: number, term: Term): void {
    this.#active.set(shard, term);
    const lose = (): void => {
      if (this.#active.get(shard) === term) this.#lost.abort("a Lease was lost");
    };
    if (term.lost.aborted) lose();
    term.lost.addEventListener("abort", lose, { once: true });
  }

  /** Keeps the Lease that tells the others of this process. */
  async #beMember(): Promise<void> {
    const { client, namespace } = this.#options;
    const { signal } = this.#leaving;
    const options = { ...this.#lease(0), name: this.#memberName(), address: this.#options.address };
    while (!signal.aborted) {
      const term = await acquireLease(options, signal);
      if (!term) break;
      await fired(AbortSignal.any([signal, term.lost]));
      await term.release();
    }
    await deleteLease(client, namespace, options.name).catch(() => undefined);
  }

  /** Removes what replicas left that are gone. */
  async #tidy(leases: readonly Lease[]): Promise<void> {
    const { client, namespace } = this.#options;
    const left = leases.filter((lease) => this.#isMember(lease) && this.#sight(lease.metadata.name).isFree(lease));
    for (const { metadata } of left)
      if (metadata.name !== this.#memberName())
        await deleteLease(client, namespace, metadata.name).catch(() => undefined);
  }

  #othersIn(leases: readonly Lease[], holders: readonly (string | undefined)[]): readonly OtherReplica[] {
    return this.#members(leases)
      .filter((identity) => identity !== this.#options.identity)
      .map((identity) => {
        const own = leases.find((lease) => this.#isMember(lease) && lease.spec?.holderIdentity === identity);
        const address = own && addressOf(own);
        const shards = holders.flatMap((holder, shard) => (holder === identity ? [shard] : []));
        return { identity, shards, ...(address === undefined ? {} : { address }) };
      });
  }

  #members(leases: readonly Lease[]): readonly string[] {
    const names = leases.filter((lease) => this.#isMember(lease)).map(({ metadata }) => metadata.name);
    return [...new Set([this.#options.identity, ...names.flatMap((name) => this.#holderOf(name, leases) ?? [])])];
  }

  /** Somebody alive spreads the hosts over another number of shards: both at once would work on the same hosts. */
  #isOtherwise(leases: readonly Lease[]): boolean {
    const other = leases.find(
      (lease) => shardsOf(lease) !== this.count && this.#holderOf(lease.metadata.name, leases) !== undefined,
    );
    if (other && !this.#warned)
      this.#options.log.warn(
        { holder: other.spec?.holderIdentity, shards: shardsOf(other) },
        "another number of shards is at work: this process waits until those have ended",
      );
    this.#warned = other !== undefined;
    return other !== undefined;
  }

  #holderOf(name: string, leases: readonly Lease[]): string | undefined {
    const lease = leases.find(({ metadata }) => metadata.name === name);
    return this.#sight(name).isFree(lease) ? undefined : lease?.spec?.holderIdentity;
  }

  #isMember({ metadata }: Lease): boolean {
    return metadata.name.startsWith(`${this.#options.name}-member-`);
  }

  #sight(name: string): Sight {
    const present = this.#seen.get(name);
    if (present) return present;
    const fresh = new Sight(this.#options.clock);
    this.#seen.set(name, fresh);
    return fresh;
  }

  #nameOf(shard: number): string {
    return shard === 0 ? this.#options.name : `${this.#options.name}-shard-${shard}`;
  }

  /** A Lease's name is that of a DNS subdomain; the identity's end is random. */
  #memberName(): string {
    const { identity, name } = this.#options;
    return `${name}-member-${identity
      .slice(-8)
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, "0")}`;
  }

  #lease(shard: number): LeaseOptions {
    const { address: _, ...options } = this.#options;
    return { ...options, name: this.#nameOf(shard), group: this.#options.name, shards: this.count };
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const { clock, random, times = defaultTimes } = this.#options;
    await clock.sleep(times.retryMs * (0.8 + random.next() * 0.4), signal);
  }
}

/** Before the control plane is put together there is nothing to stop or start. */
const noWork: ShardWork = {
  prepare: () => Promise.resolve(),
  taken: () => undefined,
  given: () => Promise.resolve(),
};

const fired = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
