import { annotations, finalizer } from "../../src/api/annotations.ts";
import type { VirtualDisk } from "../../src/api/generated/types.ts";
import { deleting, stalled, unknownHost, waiting } from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import type { Blocked, Decision, EventNote, Step, World } from "../../src/engine/ports.ts";
import { accessTo } from "../shared/access.ts";
import { statusBefore } from "../shared/closing.ts";
import { layoutOf } from "../shared/layout.ts";
import { isOff } from "../shared/machine.ts";
import type { Planned } from "../shared/gate.ts";
import { go } from "../shared/gate.ts";
import {
  annotationOf,
  compact,
  isDeleting,
  isPaused,
  namespaceOf,
  ownerOf,
  placementOf,
  vmObject,
} from "../shared/objects.ts";
import { jobAct, nextStep, removalOutcome } from "../shared/outcome.ts";
import { detaching, locksOf, targetOf } from "./attach.ts";
import { find, trashOf } from "./find.ts";
import type { File, Found } from "./find.ts";
import { classOf, hasCheckpoints, isBlocked, pathOf } from "./make.ts";
import { deadlines, wasProvisioned } from "./scene.ts";
import type { Scene } from "./scene.ts";
import { statusOf } from "./status.ts";
import type { DiskPlan } from "./plan.ts";

/** A disk that a running machine had stays in the trash for a day at least, whatever the host's retention. */
const leastSecondsOfUsed = 24 * 3600;

const heldFor = (disk: VirtualDisk, world: World): readonly ConditionDraft[] | undefined => {
  if (disk.spec.deletionProtection) return stalled("DeletionProtected", "spec.deletionProtection is true.");
  if (world.massDelete) return stalled("MassDeleteGuard", world.massDelete.message);
  return undefined;
};

const release = (reason: string, message: string, type: EventNote["type"] = "Normal"): Decision => ({
  plan: [],
  act: { do: "release" },
  events: [{ type, reason, message }],
});

/** What a disk under deletion does: nothing while anybody needs it; then its file goes to the trash, or is given up. */
export const remove = (disk: VirtualDisk, world: World, sceneOn: (host: string) => Scene | undefined): Decision => {
  const idle = (trio: readonly ConditionDraft[], wakeAfterMs = 5_000): Decision => ({
    plan: [],
    act: { do: "nothing" },
    status: statusBefore(disk, world, trio),
    wakeAfterMs,
  });
  if (!disk.metadata.finalizers?.includes(finalizer)) return { plan: [], act: { do: "nothing" } };
  if (annotationOf(disk, annotations.forceOrphan) === "true")
    return release(
      "ForceOrphaned",
      `Given up by ${annotations.forceOrphan}: ${disk.status?.path ?? "no file known"}.`,
      "Warning",
    );
  const held = heldFor(disk, world);
  if (held) return idle(held, 30_000);
  if (disk.spec.managementPolicy === "Observe") return release("Released", "Only observed: nothing is touched.");
  const hostName = placementOf(disk, world);
  if (hostName === undefined) return release("Released", "The disk was never placed.");
  const scene = sceneOn(hostName);
  if (!scene) {
    const access = accessTo(world, hostName);
    const message = access.at === "up" ? "" : access.message;
    return idle(
      access.at === "down"
        ? unknownHost(message)
        : waiting("WaitingForHost", `${message} See ${annotations.forceOrphan}.`),
    );
  }
  return removeOn(scene);
};

const removeOn = (scene: Scene): Decision => {
  const found = find(scene);
  const say = (trio: readonly ConditionDraft[], plan: DiskPlan = { steps: [] }): Decision => ({
    plan: plan.steps.map(({ step }) => step),
    act: { do: "nothing" },
    status: statusOf(scene, found, plan, trio),
    wakeAfterMs: 2_000,
  });
  if (scene.job) return say(deleting(`${scene.job.operation} runs.`));
  if (isPaused(scene.disk)) return say(deleting("The annotation aetherv.io/paused holds all jobs back."));
  const doubt = scene.view.uncertain(scene.disk.metadata.uid);
  if (doubt)
    return { ...say(deleting(`Looked at again: ${doubt.message}`)), act: { do: "look", host: scene.hostName } };
  if (found.at === "unknown") return say(waiting("WaitingForHost", found.message));
  if (found.at === "ambiguous") return say(stalled("OwnershipAmbiguous", found.message));
  if (found.at === "absent" && mayHaveLeftCopies(scene)) {
    const planned = deleteStep(scene, pathOf(scene));
    const steps = [planned];
    const told = say(removalOutcome({ plan: steps, lastFault: scene.world.lastFault }), { steps });
    return { ...told, act: jobAct(scene.hostName, planned) };
  }
  if (found.at !== "present") return release(...gone(scene, found));
  if (!scene.snapshot.complete)
    return say(waiting("WaitingForHost", `Host ${scene.hostName} has not told yet all that may use the file.`));
  const plan = removing(scene, found.file);
  if (plan === "released") return release("Orphaned", `The file ${found.file.state.path} stays.`);
  const next = plan.blocked ? undefined : nextStep(plan.steps);
  const { lastFault } = scene.world;
  const told = say(removalOutcome({ plan: plan.steps, blocked: plan.blocked, lastFault }), plan);
  return next ? { ...told, act: jobAct(scene.hostName, next) } : told;
};

/** Whether an interrupted copy may have left its unfinished file, which no inventory shows: the host is asked to clear up first. */
const mayHaveLeftCopies = (scene: Scene): boolean => {
  const { disk, world } = scene;
  const { lastJob } = world;
  const cleared = lastJob?.operation === "disk.delete" && lastJob.code === "Success";
  const copied = disk.spec.source.type === "Image" || disk.spec.source.type === "VirtualDisk";
  return copied && !cleared && !isOrphan(disk) && !wasProvisioned(disk) && !isBlocked(classOf(scene));
};

const gone = ({ disk, snapshot }: Scene, found: Found): [string, string] => {
  const item = trashOf(disk, snapshot);
  if (item)
    return ["Trashed", `The file lies in the trash at ${item.path} until ${item.purgeAt}; see aetherv restore.`];
  return ["Released", found.at === "missing" ? found.message : "There is no file."];
};

const stalledBy = (reason: string, message: string): DiskPlan => ({
  steps: [],
  blocked: { at: "stalled", reason, message },
});

const isOrphan = ({ spec }: VirtualDisk): boolean =>
  (spec.deletionPolicy ?? (spec.source.type === "File" ? "Orphan" : "Delete")) === "Orphan";

/** What is left to do before the object may go; "released" when its mark is off the file. */
const removing = (scene: Scene, file: File): DiskPlan | "released" => {
  const { disk } = scene;
  if (isOrphan(disk)) return file.state.sidecar ? { steps: [releaseStep(scene, file)] } : "released";
  const child = childOf(scene, file);
  if (child !== undefined) return stalledBy("DiskHasChildren", child);
  const used = inUse(scene, file);
  if (used) return { steps: [], blocked: used };
  const detach = detaching(scene, file, targetOf(scene));
  const blocked = detach.find(isBlocked);
  if (blocked) return { steps: [], blocked };
  const steps = detach.filter((one): one is Planned => !isBlocked(one));
  if (steps.length > 0) return { steps };
  const [left] = file.attachments;
  if (left) return stalledBy("InUse", `Machine ${left.vm.name} has the disk: detach it there.`);
  return file.state.busy === undefined
    ? { steps: [deleteStep(scene, file.state.path, file.state.diskId)] }
    : { steps: [], blocked: { at: "waiting", reason: "Busy", message: `The file is busy: ${file.state.busy}` } };
};

const releaseStep = (scene: Scene, { state }: File): Planned => {
  const step: Step<"disk.update"> = {
    operation: "disk.update",
    spec: compact({ owner: ownerOf(scene.disk), path: state.path, diskId: state.diskId, release: true }),
    effect: "Hot",
    changes: [{ path: "metadata.name", from: scene.disk.metadata.name }],
  };
  return { step, gate: go, locks: locksOf(scene, undefined), deadlineSeconds: deadlines.short };
};

const deleteStep = (scene: Scene, path: string, diskId?: string): Planned => {
  const { disk, host } = scene;
  const retention = layoutOf(host).trashRetentionSeconds;
  const step: Step<"disk.delete"> = {
    operation: "disk.delete",
    spec: compact({
      owner: ownerOf(disk),
      path,
      diskId,
      retentionSeconds: disk.status?.everAttached ? Math.max(retention, leastSecondsOfUsed) : retention,
    }),
    effect: "Hot",
    changes: [{ path: "metadata.name", from: disk.metadata.name }],
    destructive: true,
  };
  return { step, gate: go, locks: locksOf(scene, undefined), deadlineSeconds: deadlines.short };
};

/** Who still has the disk: its machine while the spec attaches it there, a machine of nobody, a machine that can't be seen. */
const inUse = (scene: Scene, file: File): Blocked | undefined => {
  const { disk, world } = scene;
  const wanted = disk.spec.attachment?.virtualMachine;
  const vm = wanted === undefined ? undefined : vmObject(world, disk, wanted);
  const [attachment] = file.attachments;
  if (vm && (attachment || unseen(scene, vm.metadata.uid))) {
    const message = `VirtualMachine ${wanted} has the disk: it goes once that object is gone, or spec.attachment is removed.`;
    return isDeleting(vm) ? { at: "waiting", reason: "InUse", message } : { at: "stalled", reason: "InUse", message };
  }
  if (attachment && !vm && wanted !== undefined)
    return { at: "stalled", reason: "InUse", message: `Machine ${attachment.vm.name} still has the disk.` };
  const [leftover] = file.leftover;
  if (leftover)
    return { at: "waiting", reason: "DiskHasCheckpoints", message: `The checkpoint ${leftover.path} is based on it.` };
  return attachment && hasCheckpoints(file) && !isOff(attachment.vm)
    ? { at: "waiting", reason: "DiskHasCheckpoints", message: `Machine ${attachment.vm.name} has checkpoints.` }
    : undefined;
};

/** Whether a machine that was there and had the disk can't be seen now. */
const unseen = ({ disk, snapshot }: Scene, uid: string): boolean =>
  disk.status?.attachedTo !== undefined && snapshot.vmsOf(uid).length === 0;

const childOf = ({ disk, world, view }: Scene, file: File): string | undefined => {
  const [child] = file.children;
  if (child) return `${child.path} is based on this disk: remove it first.`;
  const others = world.objects.list("VirtualDisk") as readonly VirtualDisk[];
  const other = others
    .filter((one) => namespaceOf(one) === namespaceOf(disk) && one.metadata.uid !== disk.metadata.uid)
    .find((one) => needs(one, disk.metadata.name, view.job(one.metadata.uid)?.operation));
  return other && `VirtualDisk ${other.metadata.name} is made of this disk: remove it, or wait until it is there.`;
};

/** Whether another disk still needs this one: based on it for good, or not copied from it yet. */
const needs = (other: VirtualDisk, name: string, job: string | undefined): boolean => {
  const { source } = other.spec;
  const made = other.status?.id !== undefined || other.status?.path !== undefined;
  if (source.parent?.type === "VirtualDisk" && source.parent.name === name) return made || !isDeleting(other);
  return source.disk === name && (job === "disk.clone" || (!made && !isDeleting(other)));
};
