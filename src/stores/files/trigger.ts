import type { Clock } from "../../engine/ports.ts";

/** Something that is pulled by events and waited for by one loop; pulls while nobody waits are kept as one. */
export class Trigger {
  readonly #clock: Clock;
  #pulled = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  pull(): void {
    this.#pulled = true;
    this.#wake?.();
  }

  /** Resolves at a pull (true), or after `ms` milliseconds or at the signal (false). */
  async wait(ms: number, signal: AbortSignal): Promise<boolean> {
    if (!this.#pulled) {
      const done = new AbortController();
      this.#wake = () => done.abort();
      await this.#clock.sleep(ms, AbortSignal.any([done.signal, signal]));
      this.#wake = undefined;
    }
    const pulled = this.#pulled;
    this.#pulled = false;
    return pulled;
  }

  /** Resolves once no pull came for `ms` milliseconds; after ten such times at the latest. */
  async calm(ms: number, signal: AbortSignal): Promise<void> {
    for (let turn = 0; turn < 10 && !signal.aborted; turn++) if (!(await this.wait(ms, signal))) return;
  }
}
