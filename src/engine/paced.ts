import type { Clock } from "./ports.ts";

export interface Pace {
  readonly clock: Clock;
  readonly ms: number;
  readonly signal: AbortSignal;
  /** While it says so, what is asked for waits. */
  readonly isBusy?: () => boolean;
}

/**
 * Does what is asked for at once, but the same thing not again within `ms` milliseconds: what is asked meanwhile is done once, at the end
 * of that time.
 */
export class Paced {
  readonly #pace: Pace;
  /** Done within the last `ms`; true: asked for again since. */
  readonly #resting = new Map<string, boolean>();

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** `what` names the thing. */
  ask(what: string, act: () => void): void {
    if (this.#resting.has(what)) return void this.#resting.set(what, true);
    void this.#rest(what, act);
  }

  async #rest(what: string, act: () => void): Promise<void> {
    const { clock, ms, signal, isBusy } = this.#pace;
    for (let asked = true; asked && !signal.aborted; asked = this.#resting.get(what) === true) {
      const waits = isBusy?.() === true;
      this.#resting.set(what, waits);
      if (!waits) act();
      await clock.sleep(ms, signal);
    }
    this.#resting.delete(what);
  }
}
