import type { Random } from "./ports.ts";

/** Bounds of an exponential delay, in milliseconds. */
export interface DelayLimits {
  readonly first: number;
  readonly longest: number;
}

/** The delay before attempt `attempts + 1`: doubled each time up to the longest, then a random point of its upper half (jitter). */
export const backoffMs = (attempts: number, { first, longest }: DelayLimits, random: Pick<Random, "next">): number => {
  const whole = Math.min(longest, first * 2 ** Math.min(Math.max(attempts, 1) - 1, 40));
  return Math.round(whole / 2 + (whole / 2) * random.next());
};

/** Counts attempts by key. */
export class Backoff {
  readonly #attempts = new Map<string, number>();
  readonly #limits: DelayLimits;
  readonly #random: Pick<Random, "next">;

  constructor(limits: DelayLimits, random: Pick<Random, "next">) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Counts one more attempt and gives the delay before it, in milliseconds. */
  next(key: string): number {
    const attempts = this.attempts(key) + 1;
    this.#attempts.set(key, attempts);
    return backoffMs(attempts, this.#limits, this.#random);
  }

  attempts(key: string): number {
    return this.#attempts.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#attempts.delete(key);
  }
}
