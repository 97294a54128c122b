import type { Peer } from "./everyReplica.ts";

/** So many rounds at most: half a minute, with one every 2 s. */
const longest = 15;

interface Pause {
  readonly rounds: number;
  /** The round in which it may be followed again. */
  readonly until: number;
  readonly hosts: string;
}

/**
 * How long one whose stream ended is left alone: twice as long each time that it ends soon, as a standby's does. One that was given
 * hosts, or lost some, is another one. In rounds of who follows, so that no clock that is set matters.
 */
export class Pauses {
  readonly #pauses = new Map<string, Pause>();
  #round = 0;

  /** A round begins, with these alive. */
  next(peers: readonly Peer[]): void {
    this.#round += 1;
    const alive = new Set(peers.map(({ name }) => name));
    for (const name of this.#pauses.keys()) if (!alive.has(name)) this.#pauses.delete(name);
  }

  holds(peer: Peer): boolean {
    const pause = this.#pauses.get(peer.name);
    return pause !== undefined && this.#round < pause.until && pause.hosts === hostsOf(peer);
  }

  /** Its stream ended, so many rounds after it was begun. */
  ended(peer: Peer, lasted: number): void {
    const before = this.#pauses.get(peer.name);
    const isNew = before === undefined || before.hosts !== hostsOf(peer) || lasted >= longest;
    const rounds = isNew ? 1 : Math.min(longest, 2 * before.rounds);
    this.#pauses.set(peer.name, { rounds, until: this.#round + rounds, hosts: hostsOf(peer) });
  }
}

const hostsOf = ({ hosts }: Peer): string => hosts.join();
