/** What the sender of a job does about an error: try again, wait for something to change, ask a person, or report a defect. */
export type ErrorClass = "retry" | "wait" | "user" | "bug";

interface ErrorEntry {
  readonly class: ErrorClass;
  /** What it means, in one line. */
  readonly message: string;
  /** What to do about it. */
  readonly help: string;
}

const entry = (klass: ErrorClass, message: string, help: string): ErrorEntry => ({ class: klass, message, help });

/** The one catalog of error codes between control plane and agents. Codes are permanent: never renamed, never reused. */
export const ERRORS = {
  InvalidRequest: entry(
    "user",
    "The request does not make sense to the host.",
    "Correct the field that the message names.",
  ),
  UnsupportedOperation: entry(
    "bug",
    "The agent does not know the operation.",
    "Agent and control plane differ in version; redeploy the agent.",
  ),
  ProtocolError: entry(
    "retry",
    "The agent's answer could not be understood, so the job's effect is unknown.",
    "The object is observed anew before anything else; see the job's log if it repeats.",
  ),
  VersionMismatch: entry(
    "retry",
    "The agent's version or hash is not the control plane's.",
    "The agent is redeployed; no job is sent until then.",
  ),
  StaleController: entry(
    "wait",
    "A newer control plane process manages this host.",
    "This process stops acting on the host; see `aetherv host take-over` if it should not have.",
  ),
  NotFound: entry("retry", "The thing is not there.", "The object is observed anew."),
  NameConflict: entry(
    "user",
    "Something that this object does not own has the name already.",
    "Rename one of the two, or adopt the existing one.",
  ),
  OwnedByOther: entry(
    "user",
    "The thing is stamped for another object or control plane.",
    "Remove the other object, or use reclaim if it is a lost copy of this one.",
  ),
  ImageNotFound: entry(
    "user",
    "No image of that name lies in the host's imagePaths.",
    "Use one of the names that the message lists, or copy the image to the host.",
  ),
  StorageClassNotFound: entry(
    "user",
    "The host has no such storage class.",
    "Use one of the classes that the message lists, or add it to the VMHost.",
  ),
  NetworkNotFound: entry(
    "user",
    "The host has no such network.",
    "Use one of the networks that the message lists, or add it to the VMHost.",
  ),
  SwitchNotFound: entry(
    "user",
    "The network's switch does not exist on the host.",
    "Create the switch, or correct networks[].switchName of the VMHost.",
  ),
  InsufficientMemory: entry(
    "wait",
    "The host has too little free memory.",
    "Stop another machine or lower memory; it is tried again when memory is free.",
  ),
  InsufficientCpu: entry(
    "user",
    "The host can't give that many virtual processors.",
    "Lower cpu.count to the limit that the message names.",
  ),
  InsufficientStorage: entry(
    "wait",
    "The volume has too little free space.",
    "Free space on the volume, or use another storage class.",
  ),
  RequiresPowerOff: entry(
    "wait",
    "The change is possible only while the machine is off.",
    "It becomes a pending change that awaits approval of a restart.",
  ),
  InvalidPowerState: entry(
    "wait",
    "The machine's state does not allow the change.",
    "Start or resume the machine first; saved state is never discarded unasked.",
  ),
  DiskInUse: entry(
    "wait",
    "The disk's file is attached elsewhere or open.",
    "Detach it there, or wait until the other program closes it.",
  ),
  DiskShared: entry("user", "The disk is a shared disk.", "Shared disks are never deleted or moved here."),
  DiskShrinkForbidden: entry("user", "A disk never shrinks.", "Set size to at least the present size."),
  DiskHasCheckpoints: entry(
    "wait",
    "The disk has checkpoints.",
    "Remove the checkpoints (or wait for the backup to end); it is tried again.",
  ),
  DiskHasChildren: entry(
    "user",
    "Another disk's file has this one as its parent.",
    "Remove the differencing disks first.",
  ),
  OwnershipAmbiguous: entry(
    "user",
    "More than one thing carries this object's mark.",
    "Remove the mark from the copy (or the copy itself); nothing is done until one is left.",
  ),
  OwnershipLost: entry(
    "user",
    "The machine with the recorded id has lost its mark.",
    "Approve to have the mark written again.",
  ),
  GuestNotReady: entry(
    "wait",
    "The guest's integration services do not answer.",
    "Wait for the guest to boot, or choose shutdown mode GracefulThenTurnOff or TurnOff.",
  ),
  GuestKeyChanged: entry(
    "user",
    "The guest shows another key than the one recorded.",
    "If the guest was reinstalled, annotate the machine with aetherv.io/approve-guest-key.",
  ),
  GuestConfigTooLarge: entry("user", "The guest configuration is larger than 64 KiB.", "Shorten files and scripts."),
  PermissionDenied: entry(
    "user",
    "The agent's account lacks a right on the host.",
    "Run `aetherv host check` and grant what it names.",
  ),
  Busy: entry("retry", "Another job or Hyper-V itself is at work on the target.", "It is tried again."),
  Timeout: entry(
    "retry",
    "The job did not end before its deadline, so its effect is unknown.",
    "The object is observed anew before anything else.",
  ),
  HostUnreachable: entry(
    "retry",
    "The host does not answer.",
    "Check network, power and the connection of the VMHost.",
  ),
  HostKeyMismatch: entry(
    "user",
    "The host shows a key that hostKeys does not list.",
    "If the host was reinstalled, replace its fingerprint in hostKeys; else find out who answers there.",
  ),
  AuthenticationFailed: entry("user", "The host refuses the login.", "Correct the Secret of credentialsSecretRef."),
  HostNotPrepared: entry(
    "user",
    "PowerShell or AetherV's stub does not start on the host, or Hyper-V is not installed there.",
    "Run `aetherv host prepare` once for the host, then `aetherv host check`.",
  ),
  HyperVError: entry("retry", "Hyper-V reported an error.", "See the job's log for Hyper-V's own words."),
  InternalError: entry("bug", "The agent failed in a way it did not foresee.", "Report it with the job's log."),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

export const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === "string" && Object.hasOwn(ERRORS, code);

/** An error of the catalog, as data: what jobs end with and conditions show. */
export interface Fault {
  readonly code: ErrorCode;
  /** For people; names the place and the allowed values; never holds a secret. */
  readonly message: string;
}

export const fault = (code: ErrorCode, message: string = ERRORS[code].message): Fault => ({ code, message });

/** Whether a job that ended so may have changed the host without telling what. */
export const effectUnknown = (code: ErrorCode): boolean =>
  ["ProtocolError", "Timeout", "HostUnreachable", "InternalError", "HyperVError"].includes(code);
