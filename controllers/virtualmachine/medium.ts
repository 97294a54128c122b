import type { Step } from "../../src/engine/ports.ts";
import type { DvdDrive, VmState } from "../../src/protocol/generated/types.ts";
import { layoutOf } from "../shared/layout.ts";
import { ownerOf } from "../shared/objects.ts";
import { samePlace } from "./devices.ts";
import { freePlace, mediumName, sameImage } from "./dvd.ts";
import type { DrivePlace } from "./dvd.ts";
import type { Scene, Sight } from "./verdict.ts";

/** Name of the ISO that brings the guest agent; where a host's imagePaths hold it, new machines with a guest section get it. */
const guestMedium = "aetherv-guest";

/** The drive that holds the guest agent's medium, unless the spec declares that drive. */
export const mediumDrive = (state: VmState, drives: readonly DrivePlace[]): DvdDrive | undefined =>
  state.dvdDrives.find(
    (drive) => sameImage(mediumName(drive), guestMedium) && !drives.some((one) => samePlace(one, drive)),
  );

/** The medium is there from before the first start until the first configuration is applied. */
export const mediumSteps = (
  scene: Scene,
  { state, devices, drives }: Sight,
  is: { readonly started: boolean; readonly configured: boolean },
): readonly Step[] => {
  const { vm, host, snapshot, world } = scene;
  const target = { owner: ownerOf(vm), vmId: state.id };
  const drive = mediumDrive(state, drives);
  if (drive) {
    if (vm.spec.guest && !is.configured) return [];
    const { controllerNumber, controllerLocation } = drive;
    // A drive on IDE leaves only with the machine off: there it stays, empty.
    const spec = { ...target, controllerNumber, controllerLocation, removeDrive: state.generation === 2 };
    return [{ operation: "dvd.eject", spec, effect: "Hot", changes: [] }];
  }
  const wanted = vm.spec.guest && world.guests && state.state === "Off" && !is.started;
  const there = snapshot.host?.images.some(({ format, name }) => format === "ISO" && sameImage(name, guestMedium));
  if (!wanted || !there) return [];
  const empty = state.dvdDrives.find((one) => one.path === undefined && !drives.some((other) => samePlace(one, other)));
  const place = empty ?? freePlace(state, devices, drives);
  if (!place) return [];
  const { controllerNumber, controllerLocation } = place;
  const spec = { ...target, layout: layoutOf(host), image: guestMedium, controllerNumber, controllerLocation };
  return [{ operation: "dvd.attach", spec, effect: "Hot", changes: [] }];
};
