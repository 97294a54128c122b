import type { VirtualMachine } from "../../src/api/generated/types.ts";
import type { Step } from "../../src/engine/ports.ts";
import type { DvdDrive, VmState } from "../../src/protocol/generated/types.ts";
import { layoutOf } from "../shared/layout.ts";
import { ownerOf } from "../shared/objects.ts";
import { samePlace } from "./devices.ts";
import { freePlace, guestMedium, mediumName, sameImage } from "./dvd.ts";
import type { DrivePlace } from "./dvd.ts";
import type { Scene, Sight } from "./verdict.ts";

const holdsMedium = (drive: DvdDrive): boolean => sameImage(mediumName(drive), guestMedium);

/** The guest agent's drive, unless the spec declares it: what holds its medium; else, still empty, what status knows to have held it. */
export const mediumDrive = (
  vm: VirtualMachine,
  state: VmState,
  drives: readonly DrivePlace[],
): DvdDrive | undefined => {
  const undeclared = state.dvdDrives.filter((drive) => !drives.some((one) => samePlace(one, drive)));
  const kept = vm.status?.id === state.id && vm.status.dvdDrives?.find(({ name }) => name === guestMedium);
  return (
    undeclared.find(holdsMedium) ??
    undeclared.find((drive) => drive.path === undefined && kept && samePlace(kept, drive))
  );
};

/** How the medium can come into a machine, or why not. */
type Way =
  | { readonly at: "there" }
  | { readonly at: "attach"; readonly place: Omit<DrivePlace, "name"> }
  | { readonly at: "noImage" }
  /** Its drive is on IDE, which takes none while the machine runs. */
  | { readonly at: "afterStop" }
  | { readonly at: "full" };

const wayOf = ({ vm, snapshot }: Scene, { state, devices, drives }: Sight): Way => {
  const own = mediumDrive(vm, state, drives);
  if (own && holdsMedium(own)) return { at: "there" };
  const there = snapshot.host?.images.some(({ format, name }) => format === "ISO" && sameImage(name, guestMedium));
  if (!there) return { at: "noImage" };
  const empty = own ?? emptyDrive(vm, state, drives);
  if (empty) return { at: "attach", place: empty };
  const place = freePlace(state, devices, drives);
  if (!place) return { at: "full" };
  // Not every machine has the other SCSI controllers, and none gets one as it runs.
  const hot = state.generation === 2 && place.controllerNumber === 0;
  return state.state === "Off" || hot ? { at: "attach", place } : { at: "afterStop" };
};

/** An empty drive that nobody declares. On generation 2 its drive is removed in the end, so that of an adopted machine is left alone. */
const emptyDrive = (vm: VirtualMachine, state: VmState, drives: readonly DrivePlace[]): DvdDrive | undefined =>
  vm.spec.adopt && state.generation === 2
    ? undefined
    : state.dvdDrives.find((one) => one.path === undefined && !drives.some((other) => samePlace(one, other)));

const missingPackage = {
  Linux:
    "hv_kvp_daemon (Debian, Ubuntu: hyperv-daemons or linux-cloud-tools; RHEL: hyperv-daemons; Alpine: hvtools) and the guest agent of AetherV",
  Windows: "the Hyper-V Data Exchange service (vmickvpexchange) and the guest agent of AetherV",
} as const;

/** What is wrong where the system runs and its agent is silent, and what to do. */
export const silentMessage = (scene: Scene, sight: Sight): string =>
  `The guest's heartbeat is fine, but its agent is silent. It needs ${missingPackage[scene.vm.spec.osFamily ?? "Linux"]}.${mediumAdvice(scene, sight)}`;

const mediumAdvice = (scene: Scene, sight: Sight): string => {
  if (hasSpoken(scene.vm, sight.state)) return "";
  const way = wayOf(scene, sight);
  switch (way.at) {
    case "there":
      return ` The agent's medium is in a DVD drive: ${howToInstall[scene.vm.spec.osFamily ?? "Linux"]}.`;
    case "attach":
      return "";
    case "noImage":
      return ` To get the agent as a DVD, put ${guestMedium}.iso into one of the imagePaths of host ${scene.hostName}; or install it in the guest.`;
    case "afterStop":
      return " This machine takes a DVD drive only while it is off: stop and start it, and the agent's medium comes; or install the agent in the guest.";
    case "full":
      return " No place is free for a DVD drive with the agent's medium: install the agent in the guest.";
    default:
      return way satisfies never;
  }
};

const howToInstall = {
  Linux: "a restart installs it where there is cloud-init; else run linux/install.sh from it as root",
  Windows: "run WINPROVISIONING\\install.ps1 from it as administrator",
} as const;

/** An agent of this very machine was heard before: it is installed. */
const hasSpoken = ({ status }: VirtualMachine, state: VmState): boolean =>
  status?.guest?.keyFingerprint !== undefined && status.guest.vmId === state.id;

/** The medium is there from before the first start, or once the guest proves to be silent, until the first configuration is applied. */
export const mediumSteps = (
  scene: Scene,
  sight: Sight,
  is: { readonly configured: boolean; readonly silent: boolean },
): readonly Step[] => {
  const { vm, host, world } = scene;
  const { state } = sight;
  const target = { owner: ownerOf(vm), vmId: state.id };
  if (!vm.spec.guest || is.configured) return removal(scene, sight);
  if (!world.guests || hasSpoken(vm, state) || (state.state !== "Off" && !is.silent)) return [];
  const way = wayOf(scene, sight);
  if (way.at !== "attach") return [];
  const { controllerNumber, controllerLocation } = way.place;
  const spec = { ...target, layout: layoutOf(host), image: guestMedium, controllerNumber, controllerLocation };
  return [{ operation: "dvd.attach", spec, effect: "Hot", changes: [] }];
};

/** A drive on IDE leaves only with the machine off: until then it stays, empty. That of an adopted machine may have been there before. */
const removal = ({ vm }: Scene, { state, drives }: Sight): readonly Step[] => {
  const drive = mediumDrive(vm, state, drives);
  if (!drive) return [];
  const removeDrive = state.generation === 2 || (state.state === "Off" && !vm.spec.adopt);
  if (!removeDrive && !holdsMedium(drive)) return [];
  const { controllerNumber, controllerLocation } = drive;
  const spec = { owner: ownerOf(vm), vmId: state.id, controllerNumber, controllerLocation, removeDrive };
  return [{ operation: "dvd.eject", spec, effect: "Hot", changes: [] }];
};
