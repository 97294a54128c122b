import { bytesOf, bytesText, sizeOf } from "../../src/api/quantity.ts";
import { changeIf } from "../../src/engine/plan.ts";
import type { Attachment, Blocked, Change, Effect, Step } from "../../src/engine/ports.ts";
import { layoutOf } from "../shared/layout.ts";
import { effectNow } from "../shared/machine.ts";
import type { Machine } from "../shared/machine.ts";
import { gateOf, go } from "../shared/gate.ts";
import type { Gate, Planned } from "../shared/gate.ts";
import { compact, ownerOf } from "../shared/objects.ts";
import {
  attaching,
  closedGate,
  declaredAttachment,
  detaching,
  holderOf,
  locksOf,
  refusedHot,
  targetOf,
} from "./attach.ts";
import { classesAt } from "./find.ts";
import type { File } from "./find.ts";
import { classOf, intended, isBlocked, making } from "./make.ts";
import { deadlines } from "./scene.ts";
import type { Scene } from "./scene.ts";

/** The whole diff of a disk, and what holds it as a whole. */
export interface DiskPlan {
  readonly steps: readonly Planned[];
  readonly blocked?: Blocked;
}

const split = (parts: readonly (Planned | Blocked)[]): DiskPlan => {
  const steps = parts.filter((one): one is Planned => !isBlocked(one));
  const blocked = parts.find(isBlocked);
  return blocked ? { steps, blocked } : { steps };
};

/** A disk without a file: make it, then attach it. The second step is shown; it is sent once the first is done. */
export const planNew = (scene: Scene): DiskPlan => {
  const made = making(scene);
  const step = isBlocked(made) ? intended(scene) : made;
  if (!step) return isBlocked(made) ? { steps: [], blocked: made } : { steps: [] };
  const gate = isBlocked(made) ? made : go;
  const deadlineSeconds = step.long ? deadlines.long : deadlines.short;
  const first: Planned = { step, gate, locks: locksOf(scene, undefined), deadlineSeconds };
  const later = attaching(scene, undefined, targetOf(scene)).flatMap((one) =>
    isBlocked(one) ? [] : [afterwards(one)],
  );
  return { steps: [first, ...later] };
};

const earlierFirst: Gate = { at: "waiting", reason: "Progressing", message: "An earlier step comes first." };

/** A step that another one has to come before; a contradiction in the spec shows at once. */
const afterwards = (planned: Planned, before: Gate = go): Planned =>
  planned.gate.at === "stalled" ? planned : { ...planned, gate: before.at === "go" ? earlierFirst : before };

/** A disk with its file: take it from where it should not be, move, grow, attach, limit. Nothing here makes or deletes a file. */
export const planPresent = (scene: Scene, file: File): DiskPlan => {
  if (file.twin) return { steps: [putAway(scene, file.twin)] };
  const target = targetOf(scene);
  const attach = attaching(scene, file, target);
  const detach = detaching(scene, file, target).map((one) => whenTakenOver(one, attach));
  const parts = [
    ...unusable(file),
    ...immutable(scene, file),
    ...detach,
    ...moving(scene, file),
    ...growing(scene, file),
    ...(detach.length === 0 ? attach : replacing(detach, attach)),
    ...(detach.length === 0 ? limiting(scene, file, target) : []),
  ];
  return split(parts);
};

/** A disk stays where it is as long as the machine it is to go to is paused or only observed, and so would not take it. */
const whenTakenOver = (detach: Planned | Blocked, attach: readonly (Planned | Blocked)[]): Planned | Blocked => {
  const gates = attach.map((one) => (isBlocked(one) ? one : one.gate));
  const closed = gates.find((gate) => gate.at === "waiting" && ["Paused", "Observed"].includes(gate.reason));
  return closed && !isBlocked(detach) && detach.gate.at !== "stalled" ? { ...detach, gate: closed } : detach;
};

/** The attachment that follows a detachment: its change is the detachment's. */
const replacing = (
  detach: readonly (Planned | Blocked)[],
  attach: readonly (Planned | Blocked)[],
): readonly (Planned | Blocked)[] => {
  if (detach.some(isBlocked)) return [];
  const before = detach.filter((one): one is Planned => !isBlocked(one)).find(({ gate }) => gate.at !== "go")?.gate;
  return attach.map((one) =>
    isBlocked(one) ? one : afterwards({ ...one, step: { ...one.step, changes: [] } }, before),
  );
};

/** A file that can't be opened: whatever it is to be, its owner has to put its parent right first. */
const unusable = ({ state }: File): readonly Blocked[] =>
  state.unusable === undefined
    ? []
    : [
        stalled(
          "CheckpointChainBroken",
          `${state.path} can't be opened: ${state.unusable}. Put the parent back as it was.`,
        ),
      ];

/** What the file is and can't become. */
const immutable = (scene: Scene, { state }: File): readonly Planned[] => {
  const { spec } = scene.disk;
  const { source } = spec;
  const changes = [
    ...changeIf("spec.diskType", state.diskType, source.type === "Differencing" ? undefined : spec.diskType),
    ...changeIf("spec.format", state.format, spec.format),
    ...changeIf("spec.logicalSectorBytes", state.logicalSectorBytes, spec.logicalSectorBytes),
    // A host that does not tell it is believed to have done as asked.
    ...changeIf("spec.blockSize", state.blockSize && sizeOf(state.blockSize), state.blockSize && spec.blockSize),
  ];
  if (changes.length === 0) return [];
  const paths = changes.map(({ path, from }) => `${path} is ${String(from)}`).join(", ");
  const reason = `${paths} on the host; only a new disk can differ.`;
  const step = updateStep(scene, state, {}, { effect: "Recreate", changes, reason });
  return [
    {
      step,
      gate: stalled("ForbiddenChange", reason),
      locks: locksOf(scene, undefined),
      deadlineSeconds: deadlines.short,
    },
  ];
};

const stalled = (reason: string, message: string): Blocked => ({ at: "stalled", reason, message });

type Update = Step<"disk.update">;

const updateStep = (
  scene: Scene,
  { path, diskId }: File["state"],
  set: Pick<Update["spec"], "size" | "qos" | "release">,
  rest: Pick<Update, "effect" | "changes" | "reason">,
): Update => ({
  operation: "disk.update",
  spec: compact({ owner: ownerOf(scene.disk), path, diskId, ...set }),
  ...rest,
});

/** Another storage class of the spec than the one whose folder has the file. */
const moving = (scene: Scene, file: File): readonly (Planned | Blocked)[] => {
  const klass = classOf(scene);
  if (isBlocked(klass)) return [klass];
  const { storageClass } = scene.disk.spec;
  const at = classesAt(scene, file.state.path);
  if (storageClass === undefined || at.includes(storageClass)) return [];
  const effect = file.attachments[0] ? effectNow(file.attachments[0].vm, "Hot") : "Hot";
  return [touching(scene, file, moveStep(scene, file, storageClass, effect), deadlines.long)];
};

const moveStep = (scene: Scene, { state }: File, storageClass: string, effect: Effect): Step<"disk.move"> => {
  const [from] = classesAt(scene, state.path);
  return {
    operation: "disk.move",
    spec: compact({
      owner: ownerOf(scene.disk),
      path: state.path,
      diskId: state.diskId,
      layout: layoutOf(scene.host),
      storageClass,
    }),
    effect,
    changes: [{ path: "spec.storageClass", ...(from !== undefined && { from }), to: storageClass }],
    long: true,
  };
};

/** Alone: until it is settled which file is the disk, nothing else is done with either. */
const putAway = (scene: Scene, { file, storageClass }: NonNullable<File["twin"]>): Planned =>
  touching(scene, file, moveStep(scene, file, storageClass, "Hot"), deadlines.long);

/** A step that changes the file itself: its machine, its checkpoints and its children have a say. */
const touching = (scene: Scene, file: File, step: Step, deadlineSeconds: number): Planned => {
  const [attachment] = file.attachments;
  const holder = attachment && holderOf(scene, attachment);
  const [child] = file.children;
  const childGate = child && stalled("DiskHasChildren", `${child.path} is based on this disk: it can't be changed.`);
  const gate =
    childGate ?? closedGate(file, fileGate(scene, file, step, attachment, holder), attachment?.vm.name ?? "");
  return { step, gate, locks: locksOf(scene, holder?.vm), deadlineSeconds };
};

const fileGate = (
  scene: Scene,
  file: File,
  step: Step,
  attachment: Attachment | undefined,
  holder: Machine | undefined,
): Gate => {
  if (!attachment) {
    const { busy } = file.state;
    return busy === undefined ? go : { at: "waiting", reason: "Busy", message: `The file is busy: ${busy}` };
  }
  if (!holder)
    return stalled("DiskInUse", `The file is attached to machine ${attachment.vm.name}, which is not managed here.`);
  if (holder.at === "blocked") return holder.why;
  return gateOf(step, { beside: scene.disk, machine: holder, view: scene.view, now: scene.world.now });
};

/** Growth; a smaller size is never planned, only told. */
const growing = (scene: Scene, file: File): readonly Planned[] => {
  const { size } = scene.disk.spec;
  const have = file.state.size;
  if (size === undefined || bytesOf(size) === have) return [];
  const change: Change = { path: "spec.size", from: sizeOf(have) ?? bytesText(have), to: size };
  if (bytesOf(size) < have) {
    const reason = `The disk has ${change.from as string} already and never shrinks: set spec.size to at least that.`;
    const step = updateStep(scene, file.state, {}, { effect: "Forbidden", changes: [change], reason });
    const gate = stalled("DiskShrinkForbidden", reason);
    return [{ step, gate, locks: locksOf(scene, undefined), deadlineSeconds: deadlines.short }];
  }
  const effect = growthEffect(scene, file);
  const step = updateStep(scene, file.state, { size: bytesOf(size) }, { effect, changes: [change] });
  const long = file.state.diskType === "Fixed";
  return [touching(scene, file, long ? { ...step, long } : step, long ? deadlines.long : deadlines.short)];
};

const growthEffect = (scene: Scene, { state, attachments }: File): Effect => {
  const [attachment] = attachments;
  if (!attachment) return "Hot";
  const hot = attachment.disk.controllerType === "SCSI" && state.format === "VHDX" && !refusedHot(scene, "disk.update");
  return effectNow(attachment.vm, hot ? "Hot" : "Restart");
};

/** Rates of the drive; unset means none, and as found for a file taken over. */
const limiting = (scene: Scene, file: File, target: Machine | undefined): readonly Planned[] => {
  const attachment = declaredAttachment(file, target);
  if (!attachment || target?.at !== "present") return [];
  const want = scene.disk.spec.attachment ?? { virtualMachine: target.name };
  const unset = scene.disk.spec.source.type === "File" ? undefined : 0;
  const { minIOPS = unset, maxIOPS = unset } = want;
  const changes = [
    ...changeIf("spec.attachment.minIOPS", attachment.disk.minIOPS ?? 0, minIOPS),
    ...changeIf("spec.attachment.maxIOPS", attachment.disk.maxIOPS ?? 0, maxIOPS),
  ];
  if (changes.length === 0) return [];
  const qos = compact({ vmId: attachment.vm.id, minIOPS, maxIOPS });
  const hot: Effect = refusedHot(scene, "disk.update") ? "Restart" : "Hot";
  const step = updateStep(scene, file.state, { qos }, { effect: effectNow(attachment.vm, hot), changes });
  const gate = gateOf(step, { beside: scene.disk, machine: target, view: scene.view, now: scene.world.now });
  return [{ step, gate, locks: locksOf(scene, target.vm), deadlineSeconds: deadlines.short }];
};

/** Whether the disk is to grow, or grows. */
export const growth = ({ steps }: DiskPlan): Planned | undefined =>
  steps.find(
    ({ step: { operation, effect, changes } }) =>
      operation === "disk.update" && effect !== "Forbidden" && changes.some(({ path }) => path === "spec.size"),
  );
