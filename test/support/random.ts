import type { Random } from "../../src/engine/ports.ts";

/** Chance that repeats itself: the same seed, the same sequence (mulberry32). */
export class SeededRandom implements Random {
  #state: number;
  #count = 0;

  constructor(seed: number = 1) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  #digits(count: number, alphabet: string): string {
    let text = "";
    for (let drawn = 0; drawn < count; drawn += 1) text += alphabet[Math.floor(this.next() * alphabet.length)];
    return text;
  }

  uuid(): string {
    const hex = (count: number): string => this.#digits(count, "0123456789abcdef");
    return `${hex(8)}-${hex(4)}-4${hex(3)}-${this.#digits(1, "89ab")}${hex(3)}-${hex(12)}`;
  }

  /** Ordered by the order of the calls. */
  ulid(): string {
    this.#count += 1;
    return `01${this.#count.toString().padStart(8, "0")}${this.#digits(16, "0123456789ABCDEFGHJKMNPQRSTVWXYZ")}`;
  }
}
