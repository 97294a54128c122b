import type { Clock } from "./ports.ts";

/**
 * Does what is asked for at once, but the same thing not again within `ms` milliseconds: what is asked meanwhile is done once, at the end
 * of that time.
 */
export class Paced {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #signal: AbortSignal;
  /** Done within the last `ms`; true: asked for again since. */
  readonly #resting = new Map<string, boolean>();

  constructor(clock: Clock, ms: number, signal: AbortSignal) {
    this.#clock = clock;
    this.#ms = ms;
    this.#signal = signal;
  }

  /** `what` names the thing. */
  ask(what: string, act: () => void): void {
    if (this.#resting.has(what)) return void this.#resting.set(what, true);
    act();
    void this.#rest(what, act);
  }

  async #rest(what: string, act: () => void): Promise<void> {
    for (let again = true; again && !this.#signal.aborted;) {
      this.#resting.set(what, false);
      await this.#clock.sleep(this.#ms, this.#signal);
      again = this.#resting.get(what) === true;
      if (again && !this.#signal.aborted) act();
    }
    this.#resting.delete(what);
  }
}
