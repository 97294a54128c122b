import type { Clock } from "../engine/ports.ts";

/** Lets one loop sleep until a time comes or somebody rings. A ring while nobody sleeps ends the next sleep at once. */
export class Latch {
  readonly #clock: Clock;
  #rung = false;
  #sleeper: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rung = true;
    this.#sleeper?.abort("rung");
  }

  async sleep(ms: number): Promise<void> {
    if (!this.#rung && ms > 0) {
      this.#sleeper = new AbortController();
      await this.#clock.sleep(ms, this.#sleeper.signal);
      this.#sleeper = undefined;
    }
    this.#rung = false;
  }
}
