import { Counts } from "../../src/engine/counts.ts";

/** Digits of an address that the addresses of one bucket share: a host's pool has 256 addresses unless somebody widened it. */
const shared = 10;

/** Addresses as hosts write them (00155D010203), with how many have each, found by range. */
export class MacIndex {
  readonly #buckets = new Map<string, Counts>();

  static of(macs: Iterable<string>): MacIndex {
    const made = new MacIndex();
    for (const mac of macs) made.add(mac);
    return made;
  }

  add(mac: string): void {
    const name = mac.slice(0, shared);
    const bucket = this.#buckets.get(name) ?? new Counts();
    bucket.add(mac);
    this.#buckets.set(name, bucket);
  }

  remove(mac: string): void {
    const bucket = this.#buckets.get(mac.slice(0, shared));
    bucket?.remove(mac);
    if (bucket?.size === 0) this.#buckets.delete(mac.slice(0, shared));
  }

  count(mac: string): number {
    return this.#buckets.get(mac.slice(0, shared))?.of(mac) ?? 0;
  }

  /** Addresses from `minimum` to `maximum`, both included, each once. */
  *within(minimum: string, maximum: string): Generator<string> {
    for (const bucket of this.#bucketsWithin(minimum, maximum))
      for (const mac of bucket.texts()) if (mac >= minimum && mac <= maximum) yield mac;
  }

  /** At least those that hold addresses of the range. */
  *#bucketsWithin(minimum: string, maximum: string): Generator<Counts> {
    const [first, last] = [minimum, maximum].map((mac) => Number.parseInt(mac.slice(0, shared), 16)) as [
      number,
      number,
    ];
    const narrow = isMac(minimum) && isMac(maximum) && last - first < this.#buckets.size;
    if (!narrow) return yield* this.#buckets.values();
    for (let at = first; at <= last; at += 1) {
      const bucket = this.#buckets.get(at.toString(16).toUpperCase().padStart(shared, "0"));
      if (bucket) yield bucket;
    }
  }
}

const isMac = (text: string): boolean => /^[\dA-F]{12}$/.test(text);
