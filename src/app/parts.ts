import type { Clock, Logger, Random } from "../engine/ports.ts";

/** What everything that is wired takes from outside. */
export interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}
