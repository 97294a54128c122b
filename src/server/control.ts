import type { MissingReplica } from "../api/missingReplicas.ts";
import type { Key, Resource } from "../api/resource.ts";
import type { Effect, JobRecord } from "../engine/ports.ts";
import type { DiskState, HostState, LogLine, VmState } from "../protocol/generated/types.ts";

/**
 * A control plane as people see it. The wiring implements it over the store, hosts and journal; the socket's client
 * implements it over HTTP; the CLI and the console speak to nothing else. Every method rejects with a ControlError.
 */
export interface ControlPlane {
  status(): Promise<ControlStatus>;
  /** Objects of a kind, of one namespace or of all; in order of namespace and name. */
  list(kind: string, namespace?: string): Promise<readonly Resource[]>;
  get(key: Key): Promise<Resource | undefined>;
  /** Every object of the kinds first, then each change, until the signal fires. */
  watch(kinds: readonly string[], signal: AbortSignal): AsyncIterable<ObjectChange>;
  /** Sets annotations of the group; null takes one off. */
  annotate(key: Key, annotations: Readonly<Record<string, string | null>>): Promise<Resource>;
  plan(request: PlanRequest): Promise<PlanReport>;
  /** Newest first; of all replicas that share the hosts. One whose jobs are not among them is told. */
  jobs(filter: JobFilter, missing?: TellMissing): Promise<readonly JobRecord[]>;
  job(id: string): Promise<JobRecord | undefined>;
  /** Jobs under way, then each change of a job, until the signal fires. A slow reader may miss what was overtaken. */
  watchJobs(signal: AbortSignal): AsyncIterable<JobRecord>;
  /** Kept lines first; with `follow`, further ones until the job ends. */
  jobLog(id: string, options: { readonly follow: boolean }, signal: AbortSignal): AsyncIterable<LogLine>;
  /** Oldest first; of all replicas that share the hosts. One whose events are not among them is told. */
  events(filter: EventFilter, missing?: TellMissing): Promise<readonly EventReport[]>;
  hosts(): Promise<readonly HostReport[]>;
  /** Everything last seen on one host: what `aetherv import` reads. Undefined when it was never seen. */
  inventory(host: string): Promise<HostInventory | undefined>;
  /** What is wrong with the manifest files, and documents that are missing and soon deleted. */
  problems(): Promise<FilesReport>;
  trash(): Promise<readonly TrashEntry[]>;
  restore(request: RestoreRequest): Promise<RestoreReport>;
  /** All that a new data folder needs to go on as this control plane. */
  backup(): Promise<Backup>;
  close(): Promise<void>;
}

export type ControlErrorCode =
  | "NotFound"
  | "Invalid"
  | "Conflict"
  | "Forbidden"
  | "Unauthenticated"
  /** Another process leads: it has to be asked. */
  | "Standby"
  | "Unavailable"
  | "Internal";

/** An error for people: what is wrong, where, and (hint) what to do about it. */
export class ControlError extends Error {
  override readonly name = "ControlError";
  readonly code: ControlErrorCode;
  readonly hint: string | undefined;
  constructor(code: ControlErrorCode, message: string, hint?: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

export interface ControlStatus {
  readonly version: string;
  readonly controlPlaneId: string;
  /**
   * running: an `aetherv run` process answers. standby: one that waits for another to end. store: the files of a stopped
   * one are read, and nothing can be changed.
   */
  readonly mode: "running" | "standby" | "store";
  /** Who leads, as the Lease names it; of a standby only. */
  readonly leader?: string;
  readonly pid: number;
  readonly epoch: number;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly folders: readonly string[];
  /** Address of the console, if it is served. */
  readonly console?: string;
  /** Counters since the start; absent without a running control plane. */
  readonly counters?: Readonly<Record<string, number>>;
}

export interface ObjectChange {
  readonly type: "changed" | "removed" | "synced";
  readonly key?: Key;
  readonly object?: Resource;
}

/** A place in a manifest file; lines and columns from 1. */
export interface Place {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

export interface FileProblem extends Place {
  /** Field path, where one is to blame. */
  readonly path?: string;
  readonly message: string;
  readonly hint?: string;
}

export interface FilesReport {
  readonly problems: readonly FileProblem[];
  /** Objects whose document is gone; RFC 3339 `deletesAt` is when their deletion starts, absent while it is held back. */
  readonly missing: readonly { readonly key: Key; readonly since: string; readonly deletesAt?: string }[];
}

export interface DraftDocument {
  readonly object: unknown;
  readonly place: Place;
}

export interface PlanRequest {
  /** Documents to plan with in place of the stored ones; absent: the objects as they are. */
  readonly documents?: readonly DraftDocument[];
  /** The documents are everything: stored objects of files that they lack are to be deleted. */
  readonly whole?: boolean;
  /** Secrets that are given beside the documents, by name only: what they change can't be told. */
  readonly secrets?: readonly SecretName[];
  /** Stored objects to plan the deletion of, with what goes along. */
  readonly remove?: readonly Key[];
  /** Ask the hosts afresh before planning. */
  readonly live?: boolean;
}

export interface SecretName {
  readonly namespace: string;
  readonly name: string;
}

export interface PlannedChange {
  readonly path: string;
  readonly from?: unknown;
  readonly to?: unknown;
  readonly effect: Effect;
  /** Why it is forbidden, or what it waits for. */
  readonly reason?: string;
  /** The job that makes it. */
  readonly operation: string;
}

/** A guest's configuration, by the names of its settings: no value of it is in a plan. */
export interface PlannedGuest {
  /** First: it has none yet. Dropped: it is not configured any more, and stays as it is. */
  readonly at: "First" | "Change" | "Dropped";
  /** When the guest takes it; Now: it runs, and its agent was heard. */
  readonly when: "Now" | "NextStart" | "AgentReports" | "KeyApproved" | "Resumed" | "Adopted";
  /** The same in words. */
  readonly meaning: string;
  readonly settings: readonly PlannedSetting[];
}

export interface PlannedSetting {
  /** `hostname`, `network adapter lan (DNS)`, `user operator (password)` */
  readonly name: string;
  /**
   * Apply: the guest does it. Restart: the guest restarts itself for it. RunAgain: a script that runs with every configuration. Leave: not
   * declared any more, stays as it is. Unknown: a value of a Secret, which a plan does not read.
   */
  readonly effect: "Apply" | "Restart" | "RunAgain" | "Leave" | "Unknown";
  /** The effect in words, with when it comes. */
  readonly meaning: string;
}

/** adopt: what is there already becomes the object's. */
export type PlanAction = "create" | "adopt" | "update" | "delete";

export interface PlannedObject {
  readonly key: Key;
  readonly action: PlanAction;
  readonly host?: string;
  readonly place?: Place;
  readonly changes: readonly PlannedChange[];
  /** Of a virtual machine: what becomes of the configuration inside its guest. */
  readonly guest?: PlannedGuest;
  /** What happens to the object's things beyond its fields ("the disk goes to the trash, kept 24h"). */
  readonly note?: string;
  /** Why nothing of it happens now: Ready's or Stalled's reason and message. */
  readonly blocked?: { readonly reason: string; readonly message: string };
  /** Some changes await approval: `aetherv approve` of the machine with this hash. */
  readonly planHash?: string;
  /** The virtual machine whose approval its changes need, where that is another object. */
  readonly machine?: Key;
  /** Whether Disruptive and Restart changes wait for somebody, or are made by themselves (in the window, if there is one). */
  readonly approval: "Manual" | "Automatic";
}

export interface PlanReport {
  readonly objects: readonly PlannedObject[];
  readonly summary: Readonly<Record<PlanAction, number>>;
  /** How each host was seen; `ageSeconds` of the view, absent when nothing is known. */
  readonly hosts: readonly {
    readonly name: string;
    readonly ageSeconds?: number;
    readonly complete: boolean;
    readonly fault?: string;
  }[];
  /** Documents that were refused; the plan is of the others. */
  readonly problems: readonly FileProblem[];
  /** Machines whose guests would get values of given Secrets anew: whether these differ from what they have is not told. */
  readonly untold?: readonly {
    readonly key: Key;
    readonly secrets: readonly string[];
    readonly settings: readonly string[];
  }[];
}

export interface JobFilter {
  readonly key?: Key;
  readonly host?: string;
  readonly failed?: boolean;
  /** At most this many, newest first; 50 unless told. */
  readonly limit?: number;
}

export interface EventFilter {
  readonly key?: Key;
  readonly limit?: number;
}

export type TellMissing = (replica: MissingReplica) => void;

export interface EventReport {
  readonly key: Key;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  /** RFC 3339. */
  readonly firstSeen: string;
  readonly lastSeen: string;
}

export interface HostReport {
  readonly name: string;
  readonly reach: "connecting" | "up" | "down";
  readonly since?: string;
  readonly fault?: { readonly code: string; readonly message: string };
  readonly agent?: string;
  /** RFC 3339, of the last inventory. */
  readonly observedAt?: string;
  readonly complete: boolean;
}

export interface HostInventory {
  readonly host: string;
  /** RFC 3339. */
  readonly observedAt: string;
  readonly vms: readonly VmState[];
  readonly disks: readonly DiskState[];
  readonly state?: HostState;
}

export interface TrashEntry {
  readonly host: string;
  /** Where the file lies in the trash. */
  readonly path: string;
  readonly originalPath: string;
  readonly owner: Key & { readonly uid: string };
  readonly deletedAt: string;
  readonly purgeAt: string;
  /** Bytes of the file. */
  readonly fileSize: number;
}

export interface RestoreRequest {
  readonly host: string;
  readonly path: string;
}

export interface RestoreReport {
  readonly job: string;
  readonly restoredPath: string;
  /** The uid that the file's name carries. */
  readonly uid: string;
}

export interface Backup {
  readonly format: "aetherv-backup/v1";
  readonly createdAt: string;
  readonly controlPlaneId: string;
  readonly epoch: number;
  /** The store's entries, as they are. */
  readonly entries: readonly (readonly [string, string])[];
}
