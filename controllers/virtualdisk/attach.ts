import type { VirtualDisk, VirtualMachine } from "../../src/api/generated/types.ts";
import { changeIf } from "../../src/engine/plan.ts";
import type { Attachment, Blocked, Change, Effect, Step } from "../../src/engine/ports.ts";
import type { AttachedDisk, VmState } from "../../src/protocol/generated/types.ts";
import { findCondition } from "../../src/engine/conditions.ts";
import { effectNow, machineOf } from "../shared/machine.ts";
import type { Machine } from "../shared/machine.ts";
import { gateOf } from "../shared/gate.ts";
import type { Gate, Planned } from "../shared/gate.ts";
import { compact, disksOfVm, namespaceOf, ownerOf } from "../shared/objects.ts";
import { leafOf } from "./find.ts";
import type { File } from "./find.ts";
import { hasCheckpoints, pathOf } from "./make.ts";
import { deadlines } from "./scene.ts";
import type { Scene } from "./scene.ts";

type Present = Machine & { at: "present" };

/** The machine that the spec attaches the disk to, if any. */
export const targetOf = (scene: Scene): Machine | undefined => {
  const name = scene.disk.spec.attachment?.virtualMachine;
  return name === undefined ? undefined : machineOf(scene.world, scene.disk, name, scene);
};

/** The object of the machine that holds the disk, in the disk's namespace. */
export const holderOf = (scene: Scene, { vm: state }: Attachment): Machine | undefined => {
  const { stamp } = state;
  if (!stamp || stamp.namespace !== namespaceOf(scene.disk)) return undefined;
  if (!scene.snapshot.vmsOf(stamp.uid).some(({ id }) => id === state.id)) return undefined;
  const machine = machineOf(scene.world, scene.disk, stamp.name, scene);
  return machine.vm?.metadata.uid === stamp.uid ? machine : undefined;
};

const isAt = (attachment: Attachment, machine: Machine | undefined): boolean =>
  machine?.at === "present" && machine.state.id === attachment.vm.id;

/** The attachment at the machine of the spec. */
export const declaredAttachment = (file: File, target: Machine | undefined): Attachment | undefined =>
  file.attachments.find((one) => isAt(one, target));

const place = ({ controllerType, controllerNumber, controllerLocation }: AttachedDisk): string =>
  `${controllerType} ${controllerNumber}:${controllerLocation}`;

/** Whether the machine starts from this drive. */
const isBootDrive = (vm: VmState, disk: AttachedDisk): boolean => {
  if (vm.generation === 1) return place(disk) === "IDE 0:0";
  const first = vm.bootOrder.find(({ type }) => type === "Disk");
  return first?.controllerNumber === disk.controllerNumber && first.controllerLocation === disk.controllerLocation;
};

const detachEffect = ({ vm, disk }: Attachment): Effect =>
  effectNow(vm, disk.controllerType === "IDE" || isBootDrive(vm, disk) ? "Restart" : "Disruptive");

/** What of the declared place differs from where the disk is. */
const placeChanges = (scene: Scene, { disk }: Attachment): readonly Change[] => {
  const want = scene.disk.spec.attachment;
  return [
    ...changeIf("spec.attachment.controller", disk.controllerType, want?.controller),
    ...changeIf("spec.attachment.controllerNumber", disk.controllerNumber, want?.controllerNumber),
    ...changeIf("spec.attachment.controllerLocation", disk.controllerLocation, want?.controllerLocation),
  ];
};

/** A disk taken over without an attachment stays where it was found, until an attachment was declared and taken away. */
const leftAsFound = ({ disk }: Scene): boolean =>
  disk.spec.source.type === "File" &&
  disk.spec.attachment === undefined &&
  findCondition(disk.status?.conditions, "Attached")?.status !== "True";

/** Steps that take the disk from where it should not be: another machine, or another place of its machine. */
export const detaching = (scene: Scene, file: File, target: Machine | undefined): readonly (Planned | Blocked)[] => {
  if (leftAsFound(scene)) return [];
  const declared = scene.disk.spec.attachment?.virtualMachine;
  return file.attachments.flatMap((attachment): readonly (Planned | Blocked)[] => {
    if (isAt(attachment, target)) {
      const changes = placeChanges(scene, attachment);
      return changes.length === 0 ? [] : [detachStep(scene, file, attachment, target as Present, changes)];
    }
    const holder = holderOf(scene, attachment);
    if (!holder) return [unmarked(scene, attachment) ?? foreign(attachment)];
    // The machine of the spec is there but cannot be told apart now: what holds the disk may be right.
    if (holder.name === declared) return holder.at === "blocked" ? [holder.why] : [];
    if (holder.at === "blocked") return [holder.why];
    if (target?.at === "blocked" && target.why.at === "stalled") return [target.why];
    return [detachStep(scene, file, attachment, holder, moved(holder.name, declared))];
  });
};

const moved = (from: string, to: string | undefined): readonly Change[] => [
  { path: "spec.attachment.virtualMachine", from, ...(to !== undefined && { to }) },
];

/** The machine of one of our objects that has lost its mark: that object's owner is asked, and its disks stay where they are. */
const unmarked = ({ disk, world }: Scene, { vm }: Attachment): Blocked | undefined => {
  if (vm.stamp?.vmId === vm.id) return undefined;
  const known = world.objects.list("VirtualMachine") as readonly VirtualMachine[];
  const owner = known.find((one) => namespaceOf(one) === namespaceOf(disk) && one.status?.id === vm.id);
  return (
    owner && {
      at: "waiting",
      reason: "WaitingForReference",
      message: `The file is attached to machine ${vm.name}, which has lost the mark of VirtualMachine ${owner.metadata.name}: see there.`,
    }
  );
};

const foreign = ({ vm }: Attachment): Blocked => ({
  at: "stalled",
  reason: "DiskInUse",
  message: `The file is attached to machine ${vm.name}, which no VirtualMachine of this namespace owns: detach it there.`,
});

const checkpointGate = (name: string): Blocked => ({
  at: "waiting",
  reason: "DiskHasCheckpoints",
  message: `Machine ${name} has checkpoints: the change waits until they are removed.`,
});

/** A gate that also waits for checkpoints to go. */
export const closedGate = (file: File, gate: Gate, name: string): Gate =>
  hasCheckpoints(file) && gate.at !== "stalled" ? checkpointGate(name) : gate;

const detachStep = (
  scene: Scene,
  file: File,
  attachment: Attachment,
  machine: Present,
  changes: readonly Change[],
): Planned => {
  const effect = detachEffect(attachment);
  const step: Step<"disk.detach"> = {
    operation: "disk.detach",
    spec: compact({
      owner: ownerOf(scene.disk),
      path: file.state.path,
      diskId: file.state.diskId,
      vmId: machine.state.id,
      vmOwner: ownerOf(machine.vm),
      allowRunning: effect === "Disruptive" ? true : undefined,
    }),
    effect,
    changes,
    // A surprise removal, or a start without the disk, if it is not meant any more.
    destructive: true,
  };
  const gate = closedGate(
    file,
    gateOf(step, { beside: scene.disk, machine, view: scene.view, now: scene.world.now }),
    machine.name,
  );
  return { step, gate, locks: locksOf(scene, machine.vm), deadlineSeconds: deadlines.short };
};

export const locksOf = ({ disk }: Scene, vm: VirtualMachine | undefined): readonly string[] => [
  disk.metadata.uid,
  ...(vm ? [vm.metadata.uid] : []),
];

interface DrivePlace {
  readonly controllerType: "SCSI" | "IDE";
  readonly controllerNumber?: number;
  readonly controllerLocation?: number;
}

/** The place that a machine's disk is put at: the spec's; IDE 0:0 for the boot disk of generation 1; else SCSI, the first free one. */
const placeFor = (scene: Scene, vm: VirtualMachine, state: VmState | undefined): DrivePlace => {
  const { controller, controllerNumber, controllerLocation } = scene.disk.spec.attachment ?? {};
  if (isFirstOfIde(scene.disk, vm, state)) return { controllerType: "IDE", controllerNumber: 0, controllerLocation: 0 };
  const usual = isBootOfOld(scene.disk, vm, state) ? "IDE" : "SCSI";
  const want = compact({ controllerType: controller ?? usual, controllerNumber, controllerLocation });
  return controllerLocation === undefined && state ? unreserved(scene, vm, state, want) : want;
};

/** Whether the disk is what a machine of generation 1 starts from, which it does from IDE only. */
const isBootOfOld = ({ metadata }: VirtualDisk, vm: VirtualMachine, state: VmState | undefined): boolean =>
  generationOf(vm, state) === 1 && vm.spec.boot?.order?.find(({ type }) => type === "Disk")?.name === metadata.name;

/** Whether the disk belongs at IDE 0:0: such a boot disk, whose spec does not name another place. */
const isFirstOfIde = (disk: VirtualDisk, vm: VirtualMachine, state: VmState | undefined): boolean => {
  const { controller = "IDE", controllerNumber = 0, controllerLocation = 0 } = disk.spec.attachment ?? {};
  const open = controller === "IDE" && controllerNumber === 0 && controllerLocation === 0;
  return open && isBootOfOld(disk, vm, state);
};

const generationOf = (vm: VirtualMachine, state: VmState | undefined): number =>
  state?.generation ?? vm.spec.generation ?? 2;

/** Leaves the choice to the agent, unless another disk of the machine has asked for a place that is still free. */
const unreserved = (scene: Scene, vm: VirtualMachine, state: VmState, want: DrivePlace): DrivePlace => {
  const { controllerType } = want;
  const taken = new Set([...state.disks, ...state.dvdDrives].map((one) => place(one as AttachedDisk)));
  const reserved = disksOfVm(scene.world, vm).flatMap((disk) => {
    const at = disk.spec.attachment;
    if (disk.metadata.uid === scene.disk.metadata.uid) return [];
    if (isFirstOfIde(disk, vm, state)) return ["IDE 0:0"];
    return at?.controllerLocation === undefined
      ? []
      : [`${at.controller ?? "SCSI"} ${at.controllerNumber ?? 0}:${at.controllerLocation}`];
  });
  if (!reserved.some((one) => !taken.has(one))) return want;
  const numbers = want.controllerNumber === undefined ? controllers[controllerType] : [want.controllerNumber];
  const free = numbers
    .flatMap((controllerNumber) =>
      locations[controllerType].map((controllerLocation) => ({ controllerType, controllerNumber, controllerLocation })),
    )
    .find((one) => !taken.has(place(one as AttachedDisk)) && !reserved.includes(place(one as AttachedDisk)));
  return free ?? want;
};

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at);
const controllers = { SCSI: upTo(4), IDE: upTo(2) };
const locations = { SCSI: upTo(64), IDE: upTo(2) };

/** Zeros: the machine is not there yet; such a step is only shown, never sent. */
const noMachine = "00000000-0000-0000-0000-000000000000";

/** The step that attaches the disk where the spec says; nothing when it is there or none is asked for. */
export const attaching = (
  scene: Scene,
  file: File | undefined,
  target: Machine | undefined,
): readonly (Planned | Blocked)[] => {
  const { disk } = scene;
  if (!target || (file && declaredAttachment(file, target))) return [];
  const { vm } = target;
  if (!vm) return target.at === "blocked" ? [target.why] : [];
  const state = target.at === "present" ? target.state : undefined;
  const drive = placeFor(scene, vm, state);
  const running: Effect = drive.controllerType === "IDE" || refusedHot(scene, "disk.attach") ? "Restart" : "Hot";
  const { minIOPS, maxIOPS, ...declared } = disk.spec.attachment ?? {};
  const leaf = file && leafOf(file, scene);
  if (file && !leaf) return [chainBroken(file)];
  const step: Step<"disk.attach"> = {
    operation: "disk.attach",
    spec: compact({
      owner: ownerOf(disk),
      path: leaf?.path ?? pathOf(scene),
      diskId: leaf?.diskId,
      vmId: state?.id ?? noMachine,
      vmOwner: ownerOf(vm),
      ...drive,
      minIOPS,
      maxIOPS,
    }),
    effect: state ? effectNow(state, running) : "Hot",
    changes: Object.entries(declared).map(([name, to]) => ({ path: `spec.attachment.${name}`, to })),
    // A disk whose deletion was not heard of yet would be held by the machine, until a person takes it off.
    destructive: true,
  };
  const gate = impossible(scene, file, vm, drive, state) ?? machineGate(scene, step, target);
  return [{ step, gate, locks: locksOf(scene, vm), deadlineSeconds: deadlines.short }];
};

/** Attaching the disk's own file would pass over what was written since the checkpoint. */
const chainBroken = ({ state, leftover }: File): Blocked => ({
  at: "stalled",
  reason: "CheckpointChainBroken",
  message: `${leftover.map(({ path }) => path).join(", ")}: based on ${state.path}, and which one its machine had last can't be told. Merge or remove them.`,
});

const machineGate = (scene: Scene, step: Step, target: Machine): Gate =>
  target.at === "blocked"
    ? target.why
    : gateOf(step, { beside: scene.disk, machine: target, view: scene.view, now: scene.world.now });

const impossible = (
  { disk }: Scene,
  file: File | undefined,
  vm: VirtualMachine,
  { controllerType }: DrivePlace,
  state: VmState | undefined,
): Blocked | undefined => {
  const generation = generationOf(vm, state);
  const format = file?.state.format ?? disk.spec.format;
  if (generation === 2 && controllerType === "IDE")
    return invalid("spec.attachment.controller: IDE is for generation 1 only; allowed here: SCSI.");
  if (generation === 2 && format === "VHD")
    return invalid("spec.format: VHD is for generation 1 only; a machine of generation 2 takes VHDX.");
  const [child] = file?.children ?? [];
  return (
    child && {
      at: "stalled",
      reason: "DiskHasChildren",
      message: `${child.path} is based on this disk, which therefore must not be attached.`,
    }
  );
};

const invalid = (message: string): Blocked => ({ at: "stalled", reason: "InvalidSpec", message });

/** Whether the host has just refused this operation on a running machine. */
export const refusedHot = ({ world }: Scene, operation: string): boolean =>
  world.lastFault?.operation === operation && world.lastFault.fault.code === "RequiresPowerOff";
