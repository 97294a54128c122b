import { fault, type Fault } from "../protocol/errors.ts";
import type { HelloData } from "../protocol/generated/types.ts";

/** What a hello means for the epoch we send to that host. */
export type Fencing =
  | { readonly do: "use"; readonly epoch: number }
  /** The host knows a control plane process like us already: ours must be above it. */
  | { readonly do: "raise"; readonly min: number }
  | { readonly do: "stop"; readonly fault: Fault };

/**
 * Decides by the host's highest epoch of this control plane. `own`: of this process. `used`: what this process has sent
 * to this host; a higher one that comes up after that belongs to a newer process, which we make way for.
 */
export const fencing = (hello: HelloData, controlPlaneId: string, own: number, used: number | undefined): Fencing => {
  // An observer (a plan without a control plane) sends no epoch and changes nothing.
  if (own === 0) return { do: "use", epoch: 0 };
  const known = hello.epochs[controlPlaneId] ?? 0;
  if (used === undefined) return known >= own ? { do: "raise", min: known + 1 } : { do: "use", epoch: own };
  if (known <= used) return { do: "use", epoch: used };
  const text = `a newer control plane process manages this host (epoch ${known}, ours is ${used})`;
  return { do: "stop", fault: fault("StaleController", text) };
};
