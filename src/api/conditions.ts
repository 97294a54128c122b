import type { Kind } from "./generated/crds.ts";

/** Types that every kind has. Reconciling and Stalled are removed, not set to False. */
export const commonConditions = {
  /** True: the host is as declared. False: not yet, or never without help. Unknown: first sight, or host unreachable. */
  Ready: "Ready",
  /** True while something is under way or waited for. */
  Reconciling: "Reconciling",
  /** True when nothing more happens until somebody acts. */
  Stalled: "Stalled",
  /** True while the annotation aetherv.io/paused holds all jobs back. */
  Paused: "Paused",
} as const;

/** Condition types by kind, with what True means. */
export const conditionTypes = {
  VMHost: {
    ...commonConditions,
    /** The host answered within the last two inventory intervals. */
    Reachable: "Reachable",
    /** The agent on the host has this control plane's version and hash. */
    AgentReady: "AgentReady",
    /** There is room for more. */
    CapacityAvailable: "CapacityAvailable",
  },
  VirtualMachine: {
    ...commonConditions,
    /** The VM has a host. */
    Scheduled: "Scheduled",
    /** The VM is on its host and carries its stamp. */
    Created: "Created",
    /** The adoption was approved and the VM stamped. */
    Adopted: "Adopted",
    /** The VM's settings are as declared. */
    Synced: "Synced",
    /** The power state is as declared, or powerPolicy does not ask for it. */
    PowerStateSynced: "PowerStateSynced",
    /** Changes wait for a restart, or are applied while the VM is off. */
    RestartRequired: "RestartRequired",
    /** The guest has applied its configuration. */
    GuestConfigured: "GuestConfigured",
  },
  VirtualDisk: {
    ...commonConditions,
    /** The file is there and is as declared. */
    Provisioned: "Provisioned",
    /** The disk is attached where the spec says; False/NotRequested if it says nowhere. */
    Attached: "Attached",
    /** The disk grows. */
    Resizing: "Resizing",
  },
  NetworkAdapter: {
    ...commonConditions,
    /** The adapter is part of its VM. */
    Attached: "Attached",
    /** The guest has the declared addresses. */
    AddressConfigured: "AddressConfigured",
  },
  ManagedDeployment: {
    ...commonConditions,
    /** All children exist and are Ready. */
    ChildrenReady: "ChildrenReady",
    /** True once a failed deployment has removed what it made. */
    RolledBack: "RolledBack",
  },
} as const satisfies Record<Kind, Record<string, string>>;

/**
 * Reasons that are no error code of the protocol (src/protocol/errors). A condition's reason is one of these or such a code.
 */
export const reasons = {
  // Ready and Reconciling
  /** The host is as declared. */
  Converged: "Converged",
  /** Observed only, as managementPolicy or an unapproved adoption asks. */
  Observed: "Observed",
  /** Not looked at yet. */
  FirstSight: "FirstSight",
  /** Jobs run or are next. */
  Progressing: "Progressing",
  /** A change awaits approval or a window; all else is as declared. */
  ChangesPending: "ChangesPending",
  /** A referred object does not exist or has no place yet. */
  WaitingForReference: "WaitingForReference",
  /** The VM has no host that fits yet. */
  WaitingForHost: "WaitingForHost",
  /** The disks and adapters that the first start needs are not attached yet. */
  WaitingForDevices: "WaitingForDevices",
  /** The VM must be off, and is not yet. */
  WaitingForPowerOff: "WaitingForPowerOff",
  /** A job on the same target runs. */
  WaitingForJob: "WaitingForJob",
  /** A job failed and is tried again. */
  Retrying: "Retrying",
  /** The object is being deleted. */
  Deleting: "Deleting",
  /** The annotation aetherv.io/paused is set. */
  Paused: "Paused",
  // Stalled
  /** The spec contradicts itself or what it refers to. */
  InvalidSpec: "InvalidSpec",
  /** The host's state cannot become what the spec asks for. */
  ForbiddenChange: "ForbiddenChange",
  /** A disk and its VM are on different hosts. */
  HostMismatch: "HostMismatch",
  /** The thing is in use and is not deleted. */
  InUse: "InUse",
  /** Too many objects are under deletion at the same time; see the annotation aetherv.io/confirm-delete. */
  MassDeleteGuard: "MassDeleteGuard",
  /** spec.deletionProtection is true. */
  DeletionProtected: "DeletionProtected",
  /** A stamp of the same name carries a uid that no longer exists; see `aetherv reclaim`. */
  IdentityChanged: "IdentityChanged",
  /** The leaf of the disk chain is missing. */
  CheckpointChainBroken: "CheckpointChainBroken",
  /** The VM vanished and had a TPM: a rebuild needs approval. */
  VanishedWithTpm: "VanishedWithTpm",
  /** The VM or file vanished and cannot be made again. */
  Vanished: "Vanished",
  /** The disk's file is gone; it is never made anew, as its content would be lost. */
  DiskMissing: "DiskMissing",
  /** Another adapter of a managed host has the same MAC address. */
  DuplicateMacAddress: "DuplicateMacAddress",
  /** The host does not allow this namespace, adoption or path. */
  NotAllowed: "NotAllowed",
  /** No host fits, and none will without a change of spec. */
  Unschedulable: "Unschedulable",
  // Conditions of single kinds
  /** Answers came in time. */
  Reachable: "Reachable",
  /** The agent has the right version. */
  AgentReady: "AgentReady",
  /** The agent is being put on the host. */
  Deploying: "Deploying",
  /** There is room. */
  Available: "Available",
  /** There is no room. */
  Exhausted: "Exhausted",
  /** A host was chosen, or named by the spec. */
  Scheduled: "Scheduled",
  /** The thing is there. */
  Created: "Created",
  /** The thing is not there yet. */
  NotCreated: "NotCreated",
  /** The adoption was approved. */
  Adopted: "Adopted",
  /** A decision is asked of the owner; see the annotation aetherv.io/approve. */
  AwaitingApproval: "AwaitingApproval",
  /** Approved, and the restart window is not open. */
  AwaitingWindow: "AwaitingWindow",
  /** Settings are as declared. */
  Synced: "Synced",
  /** Settings differ from spec. */
  Drifted: "Drifted",
  /** The power state is as declared. */
  PowerStateReached: "PowerStateReached",
  /** The power state is being changed. */
  PowerStateChanging: "PowerStateChanging",
  /** powerPolicy OnCreate: the power state is the user's. */
  NotEnforced: "NotEnforced",
  /** Changes need the VM off. */
  ChangesNeedRestart: "ChangesNeedRestart",
  /** Approved changes are made while the VM is off; guest: the configuration is being applied. */
  Applying: "Applying",
  /** The file is there. */
  Provisioned: "Provisioned",
  /** The file is being made. */
  Provisioning: "Provisioning",
  /** The disk grows. */
  Growing: "Growing",
  /** Attached as declared. */
  Attached: "Attached",
  /** Not attached yet. */
  NotAttached: "NotAttached",
  /** The spec asks for nothing here. */
  NotRequested: "NotRequested",
  // ManagedDeployment
  /** All children exist, are as declared and Ready. */
  ChildrenReady: "ChildrenReady",
  /** Some are not. */
  ChildrenNotReady: "ChildrenNotReady",
  /** The deployment was not Ready in its time. */
  ProgressDeadlineExceeded: "ProgressDeadlineExceeded",
  /** What the failed deployment made is being removed. */
  RollingBack: "RollingBack",
  /** What the failed deployment made is removed; a change of its spec starts it anew. */
  RolledBack: "RolledBack",
  // Guest
  /** The guest has applied its configuration. */
  Applied: "Applied",
  /** The guest agent has not answered yet. */
  Waiting: "Waiting",
  /** The guest restarts. */
  Rebooting: "Rebooting",
  /** A step failed in the guest. */
  Failed: "Failed",
  /** Heartbeat, yet no guest agent has written a key-value pair. */
  KvpSilent: "KvpSilent",
  /** The guest shows another key. */
  KeyChanged: "KeyChanged",
  /** The guest configuration is not published yet. */
  GuestConfigurationPending: "GuestConfigurationPending",
  /** Addresses are declared and the VM has no guest section. */
  NoGuestConfiguration: "NoGuestConfiguration",
} as const;

export type Reason = keyof typeof reasons;
export type ConditionType<K extends Kind> = keyof (typeof conditionTypes)[K] & string;
