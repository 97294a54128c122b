import type { Backend } from "./backend.ts";
import type { Chance } from "./chance.ts";
import type { Climate } from "./climate.ts";
import { FilesBackend } from "./filesBackend.ts";
import { KubernetesBackend } from "./kubernetesBackend.ts";
import { MemoryBackend } from "./memoryBackend.ts";
import type { Scheduler } from "./scheduler.ts";
import type { StoreKind } from "./story.ts";
import type { Truth } from "./truth.ts";

export interface BackendParts {
  readonly scheduler: Scheduler;
  readonly chance: Chance;
  readonly truth: Truth;
  readonly climate: Climate;
  readonly controlPlaneId: string;
  /** Something is wrong for so long; then this ends it. */
  readonly trouble: (ms: number, label: string, end: () => void) => void;
}

export const backendOf = (kind: StoreKind, parts: BackendParts): Backend => {
  switch (kind) {
    case "memory":
      return new MemoryBackend(parts);
    case "files":
      return new FilesBackend(parts);
    case "kubernetes":
      return new KubernetesBackend(parts);
    default:
      return kind satisfies never;
  }
};
