import type { Behaviour } from "./faults.ts";
import { DEFAULT_LATENCY, type Latency } from "./latency.ts";

/** What behaviour.json may hold: any part of it. */
export interface BehaviourFile {
  readonly offline?: boolean;
  readonly latency?: Partial<Latency>;
  readonly faults?: Behaviour["faults"];
}

export const behaviourOf = (file: BehaviourFile): Behaviour => ({
  offline: file.offline ?? false,
  latency: { ...DEFAULT_LATENCY, ...file.latency },
  faults: file.faults ?? [],
});
