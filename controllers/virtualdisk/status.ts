import type { VirtualDisk } from "../../src/api/generated/types.ts";
import { condition, findCondition, secondsText } from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import { shownChanges } from "../../src/engine/plan.ts";
import type { Attachment, Blocked } from "../../src/engine/ports.ts";
import { closeStatus } from "../shared/closing.ts";
import { pendingChanges } from "../shared/gate.ts";
import { isOff } from "../shared/machine.ts";
import type { Machine } from "../shared/machine.ts";
import { compact } from "../shared/objects.ts";
import { declaredAttachment, holderOf, targetOf } from "./attach.ts";
import { classesAt, trashOf } from "./find.ts";
import type { File, Found } from "./find.ts";
import { growth } from "./plan.ts";
import type { DiskPlan } from "./plan.ts";
import type { Scene } from "./scene.ts";

export type Status = NonNullable<VirtualDisk["status"]>;

/** The status of a disk that was looked at. */
export const statusOf = (scene: Scene, found: Found, plan: DiskPlan, trio: readonly ConditionDraft[]): Status => {
  const file = found.at === "present" ? found.file : undefined;
  const target = targetOf(scene);
  const machines = machinesOf(scene, file, target).flatMap(({ vm }) => vm ?? []);
  const pending = shownChanges(pendingChanges(plan.steps, scene.disk, machines)).slice(0, 256);
  const status = {
    ...(file ? fileStatus(scene, file) : { ...scene.disk.status }),
    attachedTo: attachedTo(scene, file, target),
    progress: progress(scene),
    trash: file ? undefined : trashed(scene),
    pendingChanges: pending.length > 0 ? pending : undefined,
  };
  const drafts = [...trio, provisioned(scene, found, plan), attached(scene, found, plan, target), resizing(plan)];
  return closeStatus(scene.disk, scene.world, compact(status) as Status, drafts);
};

const machinesOf = (scene: Scene, file: File | undefined, target: Machine | undefined): readonly Machine[] => [
  ...(target ? [target] : []),
  ...(file?.attachments ?? []).flatMap((one) => holderOf(scene, one) ?? []),
];

/** The chain; while a machine that had checkpoints is gone, as it was seen last. */
const parentsOf = ({ state, attachments, leftover }: File, before: Status | undefined): readonly string[] => {
  const [leaf] = attachments;
  if (leaf) return leaf.disk.chain.slice(1);
  return leftover.length > 0 ? (before?.parents ?? []) : [state.parentPath ?? []].flat();
};

const fileStatus = (scene: Scene, file: File): Status => {
  const { state, attachments } = file;
  const before = scene.disk.status;
  const parents = parentsOf(file, before).slice(0, 256);
  return compact({
    host: scene.hostName,
    path: state.path,
    id: state.diskId ?? before?.id,
    size: state.size,
    fileSize: steady(before?.fileSize, state.fileSize),
    storageClass: classesAt(scene, state.path)[0] ?? before?.storageClass,
    format: state.format,
    diskType: state.diskType,
    parents: parents.length > 0 ? parents : undefined,
    everAttached: before?.everAttached || attachments.some((one) => isUsed(scene, one)) || undefined,
  }) as Status;
};

/** Whether the machine runs, ran since it was made, or is declared to: its start then changes nothing here. */
const isUsed = (scene: Scene, attachment: Attachment): boolean => {
  if (!isOff(attachment.vm)) return true;
  const vm = holderOf(scene, attachment)?.vm;
  if (!vm) return false;
  const declared = vm.spec.powerState ?? (vm.spec.adopt ? "Stopped" : "Running");
  return declared !== "Stopped" || vm.status?.firstStartedAt !== undefined;
};

/** A size that is rewritten only when off by 5 % and 1 GiB. */
const steady = (before: number | undefined, now: number): number => {
  if (before === undefined) return now;
  const off = Math.abs(now - before);
  return off > 2 ** 30 && off > before * 0.05 ? now : before;
};

/** Where the disk was seen attached; kept while its machine can't be seen. */
const attachedTo = (scene: Scene, file: File | undefined, target: Machine | undefined): Status["attachedTo"] => {
  const attachment = file && (declaredAttachment(file, target) ?? file.attachments[0]);
  if (attachment) return shownAttachment(scene, attachment);
  const before = scene.disk.status?.attachedTo;
  if (!file || before === undefined) return before;
  const unseen = target?.at === "blocked" && target.vm !== undefined && target.name === before.virtualMachine;
  return unseen ? before : undefined;
};

const shownAttachment = (scene: Scene, attachment: Attachment): Status["attachedTo"] => {
  const { controllerType: controller, controllerNumber, controllerLocation } = attachment.disk;
  const virtualMachine = holderOf(scene, attachment)?.name;
  return compact({ virtualMachine, controller, controllerNumber, controllerLocation }) as Status["attachedTo"];
};

/** Where the file lies, if it is in the host's trash. */
const trashed = ({ disk, snapshot }: Scene): Status["trash"] => {
  const item = trashOf(disk, snapshot);
  return item && { path: item.path, since: item.deletedAt, purgeAfter: item.purgeAt };
};

const longOperations = ["disk.clone", "disk.move"];

/** Progress in steps of 10 %, so that status is rewritten no oftener. */
const progress = ({ job }: Scene): Status["progress"] =>
  job && longOperations.includes(job.operation)
    ? {
        operation: job.operation,
        percent: Math.floor((job.percent ?? 0) / 10) * 10,
        startedAt: secondsText(job.startedAt),
      }
    : undefined;

const provisioned = (scene: Scene, found: Found, { blocked }: DiskPlan): ConditionDraft => {
  switch (found.at) {
    case "present":
      return condition("Provisioned", "True", "Provisioned");
    case "absent":
      return blocked
        ? condition("Provisioned", "False", blocked.reason, blocked.message)
        : condition("Provisioned", "False", scene.job ? "Provisioning" : "NotCreated", "The file is not made yet.");
    case "missing":
      return condition("Provisioned", "False", "DiskMissing", found.message);
    case "ambiguous":
      return condition("Provisioned", "Unknown", "OwnershipAmbiguous", found.message);
    case "lost":
      return condition("Provisioned", "False", "IdentityChanged", `The file ${found.path} carries uid ${found.uid}.`);
    case "foreign":
      return condition("Provisioned", "False", "NameConflict", `The file ${found.path} is another control plane's.`);
    case "unknown":
      return condition("Provisioned", "Unknown", "WaitingForHost", found.message);
    default:
      return found satisfies never;
  }
};

const attached = (scene: Scene, found: Found, plan: DiskPlan, target: Machine | undefined): ConditionDraft => {
  const file = found.at === "present" ? found.file : undefined;
  if (!target) return unasked(scene, file);
  if (file && declaredAttachment(file, target)) return condition("Attached", "True", "Attached");
  const planned = plan.steps.find(({ step: { operation } }) => operation === "disk.attach");
  const why: Blocked | undefined =
    plan.blocked ?? (target.at === "blocked" ? target.why : undefined) ?? blockedGate(planned?.gate);
  return condition("Attached", "False", why?.reason ?? "NotAttached", why?.message ?? "The disk is not attached yet.");
};

const blockedGate = (gate: DiskPlan["steps"][number]["gate"] | undefined): Blocked | undefined =>
  gate?.at === "waiting" || gate?.at === "stalled" ? gate : undefined;

/** No attachment is declared. A disk that is still attached says so until it is detached. */
const unasked = ({ disk }: Scene, file: File | undefined): ConditionDraft => {
  const [attachment] = file?.attachments ?? [];
  const before = findCondition(disk.status?.conditions, "Attached");
  return attachment && before?.status === "True"
    ? condition("Attached", "True", "Attached", `Still attached to ${attachment.vm.name}, to be detached.`)
    : condition("Attached", "False", "NotRequested", attachment ? `Attached to ${attachment.vm.name}.` : "");
};

const resizing = (plan: DiskPlan): ConditionDraft => {
  const grow = growth(plan);
  if (!grow) return condition("Resizing", "False", "NotRequested");
  const { gate } = grow;
  if (gate.at === "go") return condition("Resizing", "True", "Growing");
  return condition("Resizing", "True", gate.at === "pending" ? "AwaitingApproval" : gate.reason, gate.message);
};
