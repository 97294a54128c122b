import type { Blocked } from "../engine/ports.ts";

/** Ends a derivation. */
export class Refused extends Error {
  readonly blocked: Blocked;
  constructor(blocked: Blocked) {
    super(blocked.message);
    this.blocked = blocked;
  }
}

/** Why there can be no configuration now (waiting), or never without a change (stalled). */
export const refuse = (at: Blocked["at"], reason: string, message: string): never => {
  throw new Refused({ at, reason, message });
};
