import { fail } from "../errors.ts";
import {
  refuseCheckpoints,
  refuseChildren,
  refuseOpen,
  refuseSavedOrPaused,
  refuseShared,
  refuseUnusable,
  requireOff,
} from "../guards.ts";
import { isBootDrive } from "../guest.ts";
import type { Answer, Job } from "../job.ts";
import { findOwnedDisk, ownedDisk, ownedVm } from "../ownership.ts";
import { samePath } from "../paths.ts";
import { placeText, takenBy, wantedPlace, type Place } from "../places.ts";
import type { DiskFile, Drive, Vm } from "../types.ts";
import type { World } from "../world.ts";
import { refreshedOrder } from "./bootOrder.ts";

type AttachJob = Job<"disk.attach">;

const checkFile = (world: World, file: DiskFile, vm: Vm): void => {
  refuseOpen(file);
  refuseShared(file);
  refuseChildren(world, file);
  refuseUnusable(world, file.path);
  if (vm.generation === 2 && file.format === "VHD")
    fail("InvalidRequest", `${file.path}: a machine of generation 2 takes VHDX only`);
  const other = world.holders(file.path).find((holder) => holder.vm.id !== vm.id);
  if (other) fail("DiskInUse", `${file.path} is attached to ${other.vm.name}`);
};

const checkPlace = (vm: Vm, place: Place, path: string): void => {
  const taken = takenBy(vm, place);
  if (taken !== undefined && !samePath(taken, path))
    fail("DiskInUse", `${placeText(place)} of ${vm.name} holds ${taken || "a DVD drive"} already`);
  if (place.controllerType === "IDE") requireOff(vm, `attaching at ${placeText(place)}`);
  if (place.controllerType === "SCSI" && place.controllerNumber >= vm.scsiControllers)
    requireOff(vm, `adding SCSI controller ${place.controllerNumber}`);
  refuseSavedOrPaused(vm, "attaching a disk");
};

const qosOf = (
  drive: Partial<Drive>,
  spec: { minIOPS?: number; maxIOPS?: number },
): { minIOPS: number; maxIOPS: number } => ({
  minIOPS: spec.minIOPS ?? drive.minIOPS ?? 0,
  maxIOPS: spec.maxIOPS ?? drive.maxIOPS ?? 0,
});

const checkQos = ({ minIOPS, maxIOPS }: { minIOPS: number; maxIOPS: number }): void => {
  if (maxIOPS > 0 && minIOPS > maxIOPS) fail("InvalidRequest", `minIOPS ${minIOPS} is above maxIOPS ${maxIOPS}`);
};

const presentDrive = (world: World, vm: Vm, file: DiskFile): Drive | undefined =>
  vm.drives.find((drive) => world.chain(drive.path).some((part) => samePath(part.path, file.path)));

/** Where the disk is to be: the place asked for, else where it is already, else the first free one. */
const placeFor = (vm: Vm, present: Drive | undefined, spec: AttachJob["spec"]): Place => {
  const fits =
    present?.controllerType === spec.controllerType &&
    (spec.controllerNumber ?? present.controllerNumber) === present.controllerNumber &&
    (spec.controllerLocation ?? present.controllerLocation) === present.controllerLocation;
  return fits && present ? present : wantedPlace(vm, spec);
};

const samePlace = (a: Place, b: Place): boolean => placeText(a) === placeText(b);

export const attach = async (job: AttachJob): Promise<Answer> => {
  const { spec } = job;
  const { vm, file, present, place, qos } = job.read((world) => {
    const machine = ownedVm(world, job.controlPlane, spec.vmOwner, spec.vmId);
    const disk = ownedDisk(world, spec);
    job.touchVmAndDisks(world, machine.id);
    job.touchDisk(disk.path);
    checkFile(world, disk, machine);
    const drive = presentDrive(world, machine, disk);
    const at = placeFor(machine, drive, spec);
    const wanted = qosOf(drive ?? {}, spec);
    checkQos(wanted);
    if (!drive || !samePlace(drive, at)) checkPlace(machine, at, disk.path);
    if (drive && !samePlace(drive, at)) {
      refuseCheckpoints(world, disk);
      requireOff(machine, `moving the disk to ${placeText(at)}`);
    }
    return { vm: machine, file: disk, present: drive, place: at, qos: wanted };
  });
  if (present && samePlace(present, place)) {
    await setQos(job, vm.id, present, qos);
    return {};
  }
  if (present) await job.effect("detached", (world) => world.putVm(without(world.knownVm(vm.id), present)));
  await job.effect("attached", (world) => {
    const machine = world.knownVm(vm.id);
    const disk = world.knownDisk(file.path);
    checkFile(world, disk, machine);
    checkPlace(machine, place, disk.path);
    const { controllerType, controllerNumber, controllerLocation } = place;
    const drive = { controllerType, controllerNumber, controllerLocation, path: disk.path, ...qos };
    const scsiControllers =
      controllerType === "SCSI" ? Math.max(machine.scsiControllers, controllerNumber + 1) : machine.scsiControllers;
    world.putVm(refreshedOrder({ ...machine, scsiControllers, drives: [...machine.drives, drive] }));
    // The file looks different now (busy when the machine runs), so it counts as changed.
    world.putFile(disk);
  });
  job.read((world) => job.touchVmAndDisks(world, vm.id));
  return {};
};

const without = (vm: Vm, drive: Drive): Vm =>
  refreshedOrder({ ...vm, drives: vm.drives.filter((one) => !samePlace(one, drive)) });

/** Sets the limits of the drive, if they differ. */
export const setQos = async (
  job: Job,
  vmId: string,
  drive: Drive,
  qos: { minIOPS: number; maxIOPS: number },
): Promise<void> => {
  checkQos(qos);
  if (drive.minIOPS === qos.minIOPS && drive.maxIOPS === qos.maxIOPS) return;
  await job.effect("qos", (world) => {
    world.changeVm(vmId, (vm) => ({
      drives: vm.drives.map((one) => (samePlace(one, drive) ? { ...one, ...qos } : one)),
    }));
  });
};

const checkDetach = (job: Job<"disk.detach">, world: World, vm: Vm, drive: Drive, file: DiskFile): void => {
  refuseCheckpoints(world, file);
  if (!samePath(drive.path, file.path))
    fail("DiskHasChildren", `${drive.path} on ${vm.name} has ${file.path} as its parent`);
  refuseSavedOrPaused(vm, "detaching a disk");
  if (vm.state === "Off") return;
  if (drive.controllerType === "IDE") requireOff(vm, "detaching an IDE disk");
  if (isBootDrive(world, vm, drive.path)) requireOff(vm, "detaching the boot disk");
  if (!job.spec.allowRunning) requireOff(vm, "detaching a disk (a surprise removal with no flush)");
};

export const detach = async (job: Job<"disk.detach">): Promise<Answer> => {
  const { spec } = job;
  const drive = job.read((world) => {
    const vm = ownedVm(world, job.controlPlane, spec.vmOwner, spec.vmId);
    job.touchVmAndDisks(world, vm.id);
    job.touchDisk(spec.path);
    const file = findOwnedDisk(world, spec);
    const found = file ? presentDrive(world, vm, file) : vm.drives.find((one) => samePath(one.path, spec.path));
    if (!found) return undefined;
    if (file) checkDetach(job, world, vm, found, file);
    else requireOff(vm, "detaching a disk whose file is missing");
    return found;
  });
  if (!drive) return {};
  await job.effect("detached", (world) => {
    const vm = world.knownVm(spec.vmId);
    const file = world.disk(spec.path);
    if (file) checkDetach(job, world, vm, drive, file);
    world.putVm(without(vm, drive));
  });
  return {};
};
