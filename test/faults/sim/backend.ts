import type { Key } from "../../../src/api/resource.ts";
import type { EventRecorder, Journal, Logger, Store } from "../../../src/engine/ports.ts";
import type { Manifest } from "../../support/plane.ts";
import type { Process } from "./process.ts";

/** A store as one process has it open, with all that its mode supplies beside. */
export interface Opened {
  readonly store: Store;
  readonly controlPlaneId: string;
  readonly epoch: () => number;
  readonly raiseEpoch: (min: number) => Promise<number>;
  readonly journal: Journal;
  readonly events: EventRecorder;
  /** Works until the signal fires: follows the folders, or the API server. */
  readonly run: (signal: AbortSignal) => Promise<void>;
  /** Fires when the process may no longer work. */
  readonly lost?: AbortSignal;
}

/** Where the desired state lies, over all processes; and the user's side of it. */
export interface Backend {
  /** Makes the desired state these documents, all others go. Asked again and again, as a GitOps tool does. */
  sync(documents: readonly Manifest[]): Promise<void>;
  annotate(key: Key, name: string, value: string): Promise<void>;
  /** Opens it for a process; undefined when that was told to end before. */
  open(process: Process, log: Logger, ending: AbortSignal): Promise<Opened | undefined>;
  /** Texts that were written where people or backups may read them; no secret may be in them. */
  texts(): Iterable<string>;
  /** Processes that are kept alive. */
  readonly replicas: number;
  /** Whether a process that is still there keeps others out. */
  readonly exclusive: boolean;
  /** Something of its own goes wrong, until `heal`. Tells what, for the trace. */
  disturb(): string;
  /** News of changes reach nobody for so long; where there are news. */
  silence(ms: number): void;
  heal(): void;
}
