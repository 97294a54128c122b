import type { GuardSettings } from "./massDelete.ts";
import type {
  Clock,
  EventRecorder,
  GuestConfigs,
  Hosts,
  Key,
  Kind,
  Logger,
  Observer,
  Random,
  Resource,
  Store,
} from "./ports.ts";

/** What the engine is put together from. */
export interface EngineParts {
  readonly store: Store;
  readonly hosts: Hosts;
  readonly kinds: readonly Kind[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly controlPlaneId: string;
  /** Absent: guest configuration is neither sealed nor published. */
  readonly guests?: GuestConfigs | undefined;
  readonly observer?: Observer | undefined;
  /** Where an object's document is, as file:line:column. */
  readonly placeOf?: ((key: Key) => string | undefined) | undefined;
  /** Whether this process works on an object; absent: on all. Who starts to is told by wakeAll. */
  readonly isMine?: ((resource: Resource) => boolean) | undefined;
  /** Brakes on many deletions at the same time; file mode's when absent. */
  readonly massDelete?: GuardSettings;
  /** Objects decided at the same time. Default 64: most wait for the store. */
  readonly workers?: number;
  /** Least time between two status writes of mere progress, milliseconds. Default 10 s, longer with more than 500 objects. */
  readonly progressIntervalMs?: number;
  /** Time between two looks at every object, milliseconds. Default 10 min. */
  readonly resyncMs?: number;
}
