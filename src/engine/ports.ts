import type { Condition, Key, Resource } from "../api/resource.ts";
import type { Fault } from "../protocol/errors.ts";
import type {
  AttachedDisk,
  DiskState,
  HelloData,
  HostState,
  JobRequest,
  JobResult,
  Layout,
  LogLine,
  Operation,
  OperationSpecs,
  TrashItem,
  ValidateData,
  VmState,
} from "../protocol/generated/types.ts";

import type { Objects, ObjectWrite } from "./store.ts";

// Time and chance ------------------------------------------------------------------------------------------------

export interface Clock {
  now(): Date;
  /** Resolves after `ms` milliseconds, or at once when the signal fires. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** A new uid (UUID v4). */
  uuid(): string;
  /** A new correlation id (ULID). */
  ulid(): string;
}

export interface Logger {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

export { ConflictError, RefusedError, type Draft, type Objects, type ObjectWrite, type Store } from "./store.ts";

// Plans ------------------------------------------------------------------------------------------------------------

/**
 * Hot: possible now. Disruptive: possible now, but the guest may suffer (approval). Restart: needs the machine off
 * (approval). Recreate: only by making the thing anew (never done by itself). Forbidden: impossible, with the reason.
 */
export type Effect = "Hot" | "Disruptive" | "Restart" | "Recreate" | "Forbidden";

/** One field's change. `path` is a field path of the resource (`spec.cpu.count`); values are as in the spec, absent = not set. */
export interface Change {
  readonly path: string;
  readonly from?: unknown;
  readonly to?: unknown;
}

export interface PendingChange extends Change {
  readonly effect: Effect;
  /** Why it is Forbidden, or what it waits for. */
  readonly reason?: string;
}

/** One job of a plan: what is sent, what it changes and what that does to a running machine. */
export interface Step<O extends Operation = Operation> {
  readonly operation: O;
  readonly spec: OperationSpecs[O];
  readonly effect: Effect;
  readonly changes: readonly Change[];
  /** Loses something, or holds what was given up, when sent wrongly: the engine reads the object live before it (same uid, still deleting). */
  readonly destructive?: boolean;
  /** Uses a long slot of the host (clones, moves, merges). */
  readonly long?: boolean;
  /** Why the effect is Forbidden, or what the step waits for. */
  readonly reason?: string;
}

/** A thing that can't be planned yet (waiting) or not until its owner changes something (stalled). `reason` is CamelCase. */
export interface Blocked {
  readonly at: "waiting" | "stalled";
  readonly reason: string;
  readonly message: string;
}

// Kinds ------------------------------------------------------------------------------------------------------------

/** What the engine shall do after a decision. */
export type Act =
  | { readonly do: "nothing" }
  /** Start this job. Its end wakes the key again. */
  | {
      readonly do: "job";
      readonly host: string;
      readonly step: Step;
      readonly locks: readonly string[];
      readonly deadlineSeconds: number;
    }
  /** Write other objects, in this order: a deployment's children. The key comes again once it is done. */
  | { readonly do: "objects"; readonly writes: readonly ObjectWrite[] }
  /** Ask the host afresh: what is known is too old or uncertain. */
  | { readonly do: "look"; readonly host: string }
  /** All is gone (or orphaned): take the finalizer off. */
  | { readonly do: "release" };

export interface MetadataChange {
  readonly finalizers?: readonly string[];
  /** null removes. */
  readonly annotations?: Readonly<Record<string, string | null>>;
}

export interface EventNote {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/** The whole outcome of one look at an object: pure data, carried out by the engine in this order. */
export interface Decision {
  /** Written before anything else (finalizer first); then the object is decided again. */
  readonly metadata?: MetadataChange;
  /** The whole diff in order, steps that can't run now included; what `aetherv plan` shows. */
  readonly plan: readonly Step[];
  readonly act: Act;
  /** The complete status as of now; written when it differs (rule 9). */
  readonly status?: unknown;
  /** Come back then, milliseconds from now, even if nothing happens. */
  readonly wakeAfterMs?: number;
  readonly events?: readonly EventNote[];
}

/** All that a kind supplies; pure. */
export interface Kind<R extends Resource = Resource> {
  readonly kind: R["kind"];
  /** What wakes it when it changes: every object its spec or placement refers to, its host included. */
  refs(resource: R): readonly Key[];
  decide(resource: R, world: World): Decision;
}

/** The last job of an object that ended badly; forgotten when a job succeeds or the spec's generation moves on. */
export interface LastFault {
  readonly fault: Fault;
  readonly operation: Operation;
  readonly at: Date;
  /** Ends of the same code in a row. */
  readonly attempts: number;
  /** No job is started for the object before then. */
  readonly retryAt: Date;
}

export interface FinishedJob {
  readonly id: string;
  readonly operation: Operation;
  readonly code: string;
  readonly at: Date;
}

/** Read-only view of all that a decision may use. */
export interface World {
  readonly now: Date;
  /** When this process began to decide: statuses may tell of before. */
  readonly since?: Date;
  readonly controlPlaneId: string;
  readonly objects: Objects;
  /** Objects whose refs name this key. */
  referrers(key: Key): readonly Resource[];
  host(name: string): HostView | undefined;
  /** Placement just decided but not yet in the cache; by key text. */
  readonly assumedHosts: ReadonlyMap<string, string>;
  /** Of the object being decided. */
  readonly lastFault?: LastFault;
  readonly lastJob?: FinishedJob;
  /** What the store said when it refused to write another object for this one; forgotten once the cause moved on. */
  readonly refusal?: string;
  /** Where the object's document is, as file:line:column, if it has one. */
  placeOf?(key: Key): string | undefined;
  /** Absent where no configuration can be sealed (a preview without a control plane). */
  readonly guests?: GuestConfigs | undefined;
  /** Set when the mass-delete guard holds this object: the batch to confirm, and why. */
  readonly massDelete?: { readonly batch: string; readonly message: string };
}

// Guest configuration ------------------------------------------------------------------------------------------------

/** What a guest's configuration is derived from beside its VirtualMachine. */
export interface GuestSources {
  /** Adapters of the machine; an address (00155D010203) is there once it is pinned. */
  readonly adapters: readonly { readonly object: Resource; readonly macAddress?: string | undefined }[];
  /** Virtual size of the disk that the machine boots from, bytes; absent: it boots from none; "unknown": not looked at yet. */
  readonly rootDiskBytes?: number | "unknown" | undefined;
}

/** soon: being read, the machine's key is woken. known: a keyed hash of the whole content, equal while the content is. */
export type GuestContent = { readonly at: "soon" } | Blocked | { readonly at: "known"; readonly digest: string };

/** What the guest agent says of itself. silent: nothing. torn: nothing that can be believed now. */
export type GuestHeard =
  | { readonly at: "silent" }
  | { readonly at: "torn"; readonly why: string }
  | { readonly at: "heard"; readonly report: GuestReport };

export interface GuestReport {
  readonly version: string;
  readonly key: GuestKey;
  readonly state: "Waiting" | "Applying" | "Rebooting" | "Applied" | "Failed";
  /** 0 while it has seen none. */
  readonly generation: number;
  /** SHA-256 of the ciphertext that state speaks of; empty while none. */
  readonly hash: string;
  readonly step: string;
  readonly error: string;
  readonly facts: Readonly<Record<string, string>>;
}

/** A guest's public key: RSA 3072, exponent 65537. */
export interface GuestKey {
  /** DER SubjectPublicKeyInfo in base64, on one line. */
  readonly spki: string;
  /** Hexadecimal SHA-256 of the DER. */
  readonly fingerprint: string;
}

/** A configuration to be sealed: of this content, for this machine and key. */
export interface SealOrder {
  readonly digest: string;
  readonly vmId: string;
  readonly generation: number;
  readonly guestKey: GuestKey;
}

/** soon: being sealed (or the content changed since), the machine's key is woken. */
export type GuestSealed =
  | { readonly at: "soon" }
  | {
      readonly at: "sealed";
      /** SHA-256 of the ciphertext. */
      readonly hash: string;
      /** In the order in which they are to be written. */
      readonly items: readonly { readonly key: string; readonly value: string }[];
    };

/** A configuration that lies ready for the guest, by its manifest. */
export interface PublishedConfig {
  readonly generation: number;
  readonly hash: string;
  /** All its keys, the manifest's first. */
  readonly keys: readonly string[];
}

/** Guest configuration: what it comes to, sealed. Synchronous answers, work goes on behind; no plaintext leaves it. */
export interface GuestConfigs {
  content(vm: Resource, sources: GuestSources): GuestContent;
  sealed(vm: Resource, sources: GuestSources, order: SealOrder): GuestSealed;
  /** Reads what a guest wrote (VmState.kvp.guest). */
  heard(items: Readonly<Record<string, string>>): GuestHeard;
  /** Reads the manifests that lie ready (VmState.kvp.host); one that can't be read counts by its key alone. */
  published(manifests: Readonly<Record<string, string>>): readonly PublishedConfig[];
}

// Hosts: the present state, and jobs on it ---------------------------------------------------------------------------

export interface JobInFlight {
  readonly id: string;
  readonly operation: Operation;
  readonly startedAt: Date;
  readonly key?: Key;
  readonly percent?: number;
}

export type Reach =
  | { readonly at: "connecting" }
  | { readonly at: "up"; readonly since: Date }
  /** `missed`: intervals without an answer. */
  | { readonly at: "down"; readonly since: Date; readonly fault: Fault; readonly missed: number };

/** What is known of one host. Everything synchronous and read-only. */
export interface HostView {
  readonly name: string;
  readonly reach: Reach;
  readonly agent?: HelloData | undefined;
  readonly snapshot?: SnapshotView | undefined;
  /** What host.validate found wrong with the VMHost's spec; undefined before the first answer. */
  readonly problems?: ValidateData["problems"] | undefined;
  /** A job queued or running that holds this uid; `but` is the id of one that is not looked at. */
  job(uid: string, but?: string): JobInFlight | undefined;
  /** Set while the last job that held this uid ended with its effect unknown and nothing was observed since. */
  uncertain(uid: string): Fault | undefined;
}

export interface Attachment {
  readonly vm: VmState;
  readonly disk: AttachedDisk;
}

/** The host's things as of the last inventory with every later job's observations folded in. */
export interface SnapshotView {
  readonly observedAt: Date;
  /** The last inventory passed the healthy test with no part unknown: only then does missing mean absent. */
  readonly complete: boolean;
  /** Complete inventories since this process started. */
  readonly inventories: number;
  /** Another one after each change of what is known. */
  readonly version: number;
  readonly unknownParts: ReadonlySet<string>;
  readonly host?: HostState;
  readonly vms: ReadonlyMap<string, VmState>;
  readonly disks: ReadonlyMap<string, DiskState>;
  readonly trash: ReadonlyMap<string, TrashItem>;
  /** Could not be read in the last look; neither present nor absent. */
  readonly unknownIds: ReadonlySet<string>;
  /** Machines whose valid stamp (its VM id is the machine's own, this control plane, no replica) carries the uid. */
  vmsOf(uid: string): readonly VmState[];
  /** Machines whose valid stamp names this object, with whatever uid. */
  vmsNamed(namespace: string, name: string): readonly VmState[];
  /** Disk files whose name carries the uid. */
  disksOf(uid: string): readonly DiskState[];
  diskById(diskId: string): readonly DiskState[];
  /** Attachments whose chain contains the path. */
  holders(path: string): readonly Attachment[];
  /** Machines with an adapter of this address, as the host writes it (00155D010203); replicas too. */
  vmsWithMac(mac: string): readonly VmState[];
  /** Every address that an adapter has, as the host writes it; replicas' too. */
  macs(): Iterable<string>;
  /** Files that name the path as their parent. */
  children(path: string): readonly DiskState[];
  /** Complete inventories in a row, up to the last, that lacked this machine id. */
  absentFor(vmId: string): number;
}

export interface JobOrder {
  readonly key: Key;
  readonly uid: string;
  readonly host: string;
  readonly step: Pick<Step, "operation" | "spec" | "long">;
  readonly locks: readonly string[];
  readonly deadlineSeconds: number;
  readonly dryRun?: boolean;
  /**
   * Asked, with the job's id, before a job is sent that had to wait in line: what it was decided on may be hours old. One that is not
   * meant any more, or of which that can't be told, is withdrawn. Absent: it is sent all the same.
   */
  readonly stillMeant?: (id: string) => Promise<boolean>;
}

/** How a job ended; `result` is there when the agent answered in a form that could be understood. */
export interface JobOutcome {
  readonly id: string;
  readonly operation: Operation;
  readonly fault?: Fault;
  readonly result?: JobResult;
  /** It was never sent: it was not what is wanted any more. */
  readonly withdrawn?: true;
  readonly finishedAt: Date;
}

/** A host as its VMHost object wants it reached; the wiring makes it from the resource. */
export interface HostSettings {
  readonly name: string;
  readonly uid: string;
  readonly layout: Layout;
  readonly networks: readonly { readonly name: string; readonly switchName: string }[];
  readonly concurrency: number;
  readonly longConcurrency: number;
  readonly inventoryIntervalMs: number;
  /** observe: another replica has it; it is looked at, and gets no job from here. Absent: manage. */
  readonly role?: "manage" | "observe";
  /** Changes when the way to reach the host changed: the sessions are opened anew. */
  readonly connectionHash: string;
}

/** The directory of hosts: keeps sessions, snapshots and job slots of every host. */
export interface Hosts {
  host(name: string): HostView | undefined;
  /**
   * Queues a job; at most one a key is in flight. Observations are folded into the snapshot before `done` is called.
   * Never throws: a job that could not be sent ends with a fault.
   */
  submit(order: JobOrder, done: (outcome: JobOutcome) => void): void;
  /** An inventory as soon as possible; several calls make one. */
  refresh(host: string): void;
}

export { TransportError, type AgentChannel, type Transport } from "./agents.ts";

// Records ----------------------------------------------------------------------------------------------------------

/** One job as the journal keeps it. Requests are kept without secrets. Times RFC 3339, duration in milliseconds. */
export interface JobRecord {
  readonly id: string;
  readonly key: Key;
  readonly uid: string;
  readonly host: string;
  readonly operation: Operation;
  readonly request: JobRequest;
  readonly attempt: number;
  readonly queuedAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly durationMs?: number;
  readonly percent?: number;
  /** withdrawn: never sent, for it was not wanted any more when its turn came. */
  readonly status: "queued" | "running" | "success" | "error" | "partial" | "withdrawn";
  readonly code?: string;
  readonly message?: string;
  readonly result?: unknown;
}

/** History of jobs; correctness never depends on it. Writes are buffered and never throw. */
export interface Journal {
  put(record: JobRecord): void;
  log(id: string, line: LogLine): void;
  /**
   * What is known of a job whose end may be fetched from its agent: its record when the process before ended first, "nothing"
   * when there is none, "ended" when there is nothing to fetch. A journal without it is never brought up to date.
   */
  lost?(id: string): Promise<JobRecord | "nothing" | "ended">;
}

/** Events on objects; repeated ones become a series. */
export interface EventRecorder {
  record(key: Key, uid: string, note: EventNote): void;
}

/** How a reconcile ended. requeued: the key comes again after a time. conflict: another write won. error: it threw. */
export type ReconcileOutcome = "done" | "requeued" | "gone" | "conflict" | "error";

/** Told what happens, for metrics and traces. Called in passing: it neither waits nor throws. */
export interface Observer {
  /** A reconcile begins, one a key at a time, after so many milliseconds in the queue. */
  reconcileBegan(key: Key, waitedMs: number): void;
  reconcileEnded(key: Key, outcome: ReconcileOutcome): void;
  /** Field paths of an object's spec (`spec.cpu.count`) that the host, though it was as declared, has otherwise now; "existence" when the thing is gone. */
  driftFound(key: Key, paths: readonly string[]): void;
  /** A job has put such fields right. */
  driftRepaired(key: Key, paths: readonly string[]): void;
}

/** A synced, ordered key-value store (level in a folder, or memory). */
export interface KeyValue {
  get(key: string): Promise<string | undefined>;
  /** All or nothing; durable once resolved. An undefined value deletes. */
  write(batch: ReadonlyMap<string, string | undefined>): Promise<void>;
  /** Entries whose key begins with the prefix, in order. */
  entries(prefix: string): AsyncIterable<readonly [string, string]>;
  close(): Promise<void>;
}

export type { Condition, Fault, Key, Resource };
