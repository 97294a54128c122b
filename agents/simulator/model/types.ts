import type {
  AdapterState,
  Checkpoint,
  DvdDrive,
  HostState,
  Owner,
  VmState,
} from "../../../src/protocol/generated/types.ts";

/** An operating system inside a disk's content; copies and children of the disk boot it too. */
export interface ContentOs {
  readonly family: "Linux" | "Windows";
  readonly name: string;
  readonly version: string;
  /** Generations of machine whose firmware finds its boot loader. */
  readonly generations: readonly (1 | 2)[];
}

/** What a differencing disk remembers of its parent. */
export interface ParentMark {
  readonly diskId: string;
  readonly size: number;
  readonly writtenAt?: string;
}

/** A virtual hard disk's file. Sizes in bytes. */
export interface DiskFile {
  readonly type: "disk";
  readonly path: string;
  readonly format: "VHD" | "VHDX";
  readonly diskType: "Dynamic" | "Fixed" | "Differencing";
  readonly size: number;
  readonly fileSize: number;
  readonly logicalSectorBytes: 512 | 4096;
  readonly blockSize?: number;
  readonly parentPath?: string;
  /** What the parent was when this file was made of it: with another one it can't be opened. */
  readonly parent?: ParentMark;
  /** When something was written into it last, RFC 3339; a copy of the file keeps it. Absent: never. */
  readonly writtenAt?: string;
  readonly diskId: string;
  readonly readOnly: boolean;
  readonly os?: ContentOs;
  /** Another program (a backup) that holds the file open. */
  readonly openBy?: string;
}

/** Any other file: installation media, sidecars, manifests, and configurations of machines that are not registered. */
export interface OtherFile {
  readonly type: "iso" | "text" | "vmcx";
  readonly path: string;
  readonly fileSize: number;
  readonly text?: string;
  /** The machine a .vmcx describes. */
  readonly vm?: Vm;
}

export type HostFile = DiskFile | OtherFile;

/** A hard disk drive of a machine. */
export interface Drive {
  readonly controllerType: "SCSI" | "IDE";
  readonly controllerNumber: number;
  readonly controllerLocation: number;
  readonly path: string;
  readonly minIOPS: number;
  readonly maxIOPS: number;
}

/** An adapter keeps its switch by id, so that a renamed switch stays connected. */
export interface Adapter extends Omit<AdapterState, "connected" | "switchName"> {
  readonly switchId?: string;
}

export interface VmCheckpoint extends Checkpoint {
  /** The .avhdx files that this checkpoint opened. */
  readonly files: readonly string[];
}

/** A change that comes by itself at a time (milliseconds since 1970). */
export type Due =
  | { readonly at: number; readonly what: "Running" | "Off" | "Saved" | "Paused" | "GuestUp" | "GuestAgent" }
  | { readonly at: number; readonly what: "Merged"; readonly files: readonly string[] };

/** A machine as the hypervisor keeps it. */
export interface Vm extends Omit<VmState, "stamp" | "disks" | "adapters" | "checkpoints"> {
  /** Raw, stamp included. */
  readonly notes: string;
  readonly drives: readonly Drive[];
  readonly dvdDrives: DvdDrive[];
  readonly adapters: readonly Adapter[];
  readonly checkpoints: readonly VmCheckpoint[];
  readonly scsiControllers: number;
  readonly keyProtector: boolean;
  readonly due: readonly Due[];
  /** Its guest answers nothing and never shuts down. */
  readonly hung: boolean;
  /** KVP items host to guest (pool 0) and guest to host (pool 1). */
  readonly kvpHost: Readonly<Record<string, string>>;
  readonly kvpGuest: Readonly<Record<string, string>>;
  /** The guest agent inside, once its medium was there at a boot; what it keeps lies on the machine's disk. */
  readonly guestAgent?: GuestAgent;
}

/** What a guest agent keeps (docs/guest-protocol.md, section 2), and what it has made of its guest. */
export interface GuestAgent {
  /** The machine that the rest belongs to. */
  readonly vmId: string;
  /** PKCS#8 in PEM. */
  readonly privateKey: string;
  /** Base64 of the DER. */
  readonly spki: string;
  readonly fingerprint: string;
  readonly pinnedSigner?: { readonly fingerprint: string; readonly spki: string };
  readonly highestGeneration: number;
  readonly applied?: { readonly generation: number; readonly hash: string };
  /** What it is at: the modules still to come, the first is at work. Opened again from the pool after a restart. */
  readonly work?: { readonly generation: number; readonly hash: string; readonly steps: readonly string[] };
  readonly report: {
    readonly state: "Waiting" | "Applying" | "Rebooting" | "Applied" | "Failed";
    readonly generation: number;
    readonly hash: string;
    readonly step: string;
    readonly error: string;
  };
  /** What was applied last, by key. Values that are secret are kept as their SHA-256. */
  readonly configured: Readonly<Record<string, string>>;
}

export type Switch = HostState["switches"][number];

/** A volume; `root` is its mount point with the last backslash, e.g. D:\ */
export interface Volume {
  readonly root: string;
  readonly totalBytes: number;
  /** Taken by files that are not modelled. */
  readonly otherBytes: number;
}

/** The host itself. */
export interface Host {
  readonly name: string;
  readonly os: string;
  readonly cluster?: string;
  readonly logicalProcessors: number;
  readonly memoryBytes: number;
  /** Kept by the parent partition. */
  readonly reservedBytes: number;
  readonly macPool: HostState["macPool"];
}

/** A job in progress, as other processes on the same host see it. */
export interface Run {
  readonly correlation_id: string;
  readonly operation: string;
  readonly locks: readonly string[];
  readonly startedAt: string;
  /** Identity of the process that runs it. */
  readonly process: string;
  readonly percent?: number;
  readonly cancel?: boolean;
}

export interface TrashManifest {
  readonly originalPath: string;
  readonly owner: Owner;
  readonly diskId: string;
  readonly deletedAt: string;
  readonly purgeAt: string;
  /** The file that a move copied, and whose copy it took back: the next copy of it replaces this one. */
  readonly withdrawn?: string;
}
