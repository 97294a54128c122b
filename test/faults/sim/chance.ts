import type { Random } from "../../../src/engine/ports.ts";
import { SeededRandom } from "../../support/random.ts";

/** Choices made from a seed. */
export class Chance extends SeededRandom implements Random {
  readonly #seed: number;

  constructor(seed: number) {
    super(seed);
    this.#seed = seed;
    // Neighbouring seeds differ from the second number on.
    this.next();
  }

  /** A stream of its own, so that more choices at one place change none elsewhere. */
  fork(name: string): Chance {
    let hash = this.#seed ^ 0x9e3779b9;
    for (let index = 0; index < name.length; index += 1) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
    return new Chance(hash >>> 0);
  }

  /** True with this probability. */
  is(probability: number): boolean {
    return this.next() < probability;
  }

  /** A whole number from `least` to `most`. */
  int(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  pick<T>(items: readonly [T, ...T[]]): T;
  pick<T>(items: readonly T[]): T | undefined;
  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.next() * items.length)];
  }

  /** Between the bounds; as likely from 1 to 10 as from 10 to 100. */
  wide(least: number, most: number): number {
    return Math.exp(Math.log(least) + this.next() * (Math.log(most) - Math.log(least)));
  }
}
