import type { VirtualMachine, VMHost } from "../../src/api/generated/types.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import type {
  Act,
  EventNote,
  HostView,
  LastFault,
  MetadataChange,
  PendingChange,
  SnapshotView,
  Step,
  World,
} from "../../src/engine/ports.ts";
import type { Operation, VmState } from "../../src/protocol/generated/types.ts";
import { ERRORS } from "../../src/protocol/errors.ts";
import type { Approval, Latch } from "./approval.ts";
import type { Devices } from "./devices.ts";
import type { DrivePlace } from "./dvd.ts";
import type { GuestStatus } from "./guest.ts";

/** The object, and its host as it can be worked with now. */
export interface Scene {
  readonly vm: VirtualMachine;
  readonly world: World;
  readonly hostName: string;
  readonly host: VMHost;
  readonly view: HostView;
  readonly snapshot: SnapshotView;
}

/** What was seen of the machine, for the status. */
export interface Sight {
  readonly state: VmState;
  readonly devices: Devices;
  readonly drives: readonly DrivePlace[];
}

/** What one look at a machine comes to; the status and the decision are made of it. */
export interface Verdict {
  readonly trio: readonly ConditionDraft[];
  /** Conditions beside Ready, Reconciling and Stalled that differ from what the sight tells. */
  readonly more?: readonly ConditionDraft[];
  readonly plan?: readonly Step[];
  readonly act?: Act;
  readonly sight?: Sight;
  /** It is not where it was: what it did when it was last seen is not so any more. */
  readonly absent?: true;
  readonly pending?: readonly PendingChange[];
  readonly approval?: Pick<Approval, "planHash"> & { readonly latch?: Latch };
  readonly deletionBatch?: string;
  /** Written before anything else, and then all is decided again. */
  readonly metadata?: MetadataChange;
  /** Replaces status.guest, but for os and hostname. */
  readonly guest?: GuestStatus;
  readonly events?: readonly EventNote[];
  readonly wakeAfterMs?: number;
}

/** A job of the machine: it locks its own uid, and what else is given. */
export const vmJob = (
  { vm, hostName }: Pick<Scene, "vm" | "hostName">,
  step: Step,
  deadlineSeconds: number,
  locks: readonly string[] = [],
): Act => ({
  do: "job",
  host: hostName,
  step,
  locks: [vm.metadata.uid, ...locks],
  deadlineSeconds,
});

/** How a job's last failure shows while it is tried again; undefined when another operation failed. */
export const faultTrio = (operation: Operation, last: LastFault | undefined): readonly ConditionDraft[] | undefined => {
  if (last?.operation !== operation) return undefined;
  const { code, message } = last.fault;
  const { class: kind } = ERRORS[code];
  if (kind === "user" || kind === "bug") return conditions.stalled(code, message);
  return kind === "wait" ? conditions.waiting(code, message) : conditions.waiting("Retrying", `${code}: ${message}`);
};

/** Ready, Reconciling and Stalled as they were; first sight when there is no status yet. */
export const keptTrio = (vm: VirtualMachine, message: string): readonly ConditionDraft[] => {
  const last = (vm.status?.conditions ?? []).filter(({ type }) => ["Ready", "Reconciling", "Stalled"].includes(type));
  return last.length === 0
    ? conditions.firstSight(message)
    : last.map((one) => conditions.condition(one.type, one.status, one.reason, one.message));
};
