import type { DvdDrive } from "../../../../src/protocol/generated/types.ts";
import { fail } from "../errors.ts";
import { findImage, refuseSavedOrPaused, requireOff } from "../guards.ts";
import type { Answer, Job } from "../job.ts";
import { ownedVm } from "../ownership.ts";
import { placeText, takenBy, wantedPlace, type Place } from "../places.ts";
import type { Vm } from "../types.ts";
import { refreshedOrder } from "./bootOrder.ts";

type AttachJob = Job<"dvd.attach">;

const isAt =
  (place: Place) =>
  (drive: DvdDrive): boolean =>
    placeText(drive) === placeText(place);

/** The drive that is there already: at the place, else one with the medium, else an empty one. */
const presentDrive = (spec: AttachJob["spec"], vm: Vm, medium: string | undefined): DvdDrive | undefined => {
  const { controllerNumber, controllerLocation } = spec;
  if (controllerNumber !== undefined && controllerLocation !== undefined)
    return vm.dvdDrives.find(
      (drive) => drive.controllerNumber === controllerNumber && drive.controllerLocation === controllerLocation,
    );
  return vm.dvdDrives.find((drive) => drive.path === medium) ?? vm.dvdDrives.find((drive) => drive.path === undefined);
};

const newPlace = (spec: AttachJob["spec"], vm: Vm): Place => {
  const controllerType = vm.generation === 1 ? "IDE" : "SCSI";
  const { controllerNumber, controllerLocation } = spec;
  const place = wantedPlace(vm, {
    controllerType,
    ...(controllerNumber === undefined ? {} : { controllerNumber }),
    ...(controllerLocation === undefined ? {} : { controllerLocation }),
  });
  const taken = takenBy(vm, place);
  if (taken !== undefined) fail("DiskInUse", `${placeText(place)} of ${vm.name} holds ${taken} already`);
  if (vm.generation === 1) requireOff(vm, "adding a DVD drive");
  if (place.controllerNumber >= vm.scsiControllers && controllerType === "SCSI")
    requireOff(vm, `adding SCSI controller ${place.controllerNumber}`);
  return place;
};

export const attach = async (job: AttachJob): Promise<Answer> => {
  const { spec } = job;
  job.touchVm(spec.vmId);
  const { medium, present, place } = job.read((world) => {
    const vm = ownedVm(world, job.controlPlane, spec.owner, spec.vmId);
    const path = spec.image === undefined ? undefined : findImage(world, spec.layout, spec.image, ["iso"]).path;
    const drive = presentDrive(spec, vm, path);
    if (!drive || drive.path !== path) refuseSavedOrPaused(vm, "changing a DVD drive");
    return { medium: path, present: drive, place: drive ?? newPlace(spec, vm) };
  });
  const { controllerType, controllerNumber, controllerLocation } = place;
  const at = { controllerType, controllerNumber, controllerLocation };
  if (!present)
    await job.effect("driveAdded", (world) => {
      const vm = world.knownVm(spec.vmId);
      if (takenBy(vm, at) !== undefined) fail("DiskInUse", `${placeText(at)} of ${vm.name} is taken`);
      const scsiControllers =
        controllerType === "SCSI" ? Math.max(vm.scsiControllers, controllerNumber + 1) : vm.scsiControllers;
      world.putVm(refreshedOrder({ ...vm, scsiControllers, dvdDrives: [...vm.dvdDrives, at] }));
    });
  if ((present?.path ?? undefined) !== medium)
    await job.effect("medium", (world) => {
      world.changeVm(spec.vmId, (vm) => ({
        dvdDrives: vm.dvdDrives.map((drive) =>
          isAt(at)(drive) ? { ...at, ...(medium === undefined ? {} : { path: medium }) } : drive,
        ),
      }));
    });
  return at;
};

export const eject = async (job: Job<"dvd.eject">): Promise<Answer> => {
  const { owner, vmId, controllerNumber, controllerLocation, removeDrive } = job.spec;
  job.touchVm(vmId);
  const drive = job.read((world) => {
    const vm = ownedVm(world, job.controlPlane, owner, vmId);
    const found = vm.dvdDrives.find(
      (one) => one.controllerNumber === controllerNumber && one.controllerLocation === controllerLocation,
    );
    if (!found) return undefined;
    refuseSavedOrPaused(vm, "changing a DVD drive");
    if (removeDrive && vm.generation === 1) requireOff(vm, "removing an IDE DVD drive");
    return found;
  });
  if (!drive) return {};
  const { path, ...empty } = drive;
  if (path !== undefined)
    await job.effect("ejected", (world) => {
      world.changeVm(vmId, (vm) => ({ dvdDrives: vm.dvdDrives.map((one) => (isAt(drive)(one) ? empty : one)) }));
    });
  if (removeDrive)
    await job.effect("driveRemoved", (world) => {
      const vm = world.knownVm(vmId);
      world.putVm(refreshedOrder({ ...vm, dvdDrives: vm.dvdDrives.filter((one) => !isAt(drive)(one)) }));
    });
  return {};
};
