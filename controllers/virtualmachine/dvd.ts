import type { VirtualMachine } from "../../src/api/generated/types.ts";
import { pathKey } from "../../src/engine/paths.ts";
import type { Change } from "../../src/engine/ports.ts";
import type { DvdAttachSpec, DvdDrive, DvdEjectSpec, HostState, VmState } from "../../src/protocol/generated/types.ts";
import { samePlace } from "./devices.ts";
import type { Devices } from "./devices.ts";
import type { RunningEffect } from "./fields.ts";

/** Where a declared DVD drive is. Hyper-V's drives have no names, so status keeps this. */
export interface DrivePlace {
  name: string;
  controllerNumber: number;
  controllerLocation: number;
}

type Wish = NonNullable<VirtualMachine["spec"]["dvdDrives"]>[number];

/** One job of the plan, before owner, machine and layout are filled in. */
export type DvdChange = { readonly change: Change; readonly running: RunningEffect; readonly reason?: string } & (
  | { readonly operation: "dvd.attach"; readonly set: Pick<DvdAttachSpec, "image"> & Place }
  | { readonly operation: "dvd.eject"; readonly set: Pick<DvdEjectSpec, "removeDrive"> & Place }
);

interface Place {
  readonly controllerNumber: number;
  readonly controllerLocation: number;
}

/** Name of the ISO that brings the guest agent, where a host's imagePaths hold it; in status, of the undeclared drive that it came in. */
export const guestMedium = "aetherv-guest";

const bare = (image: string): string => image.replace(/\.iso$/i, "");

/** The image's name for a medium's path, without folder and extension; undefined for an empty drive. */
export const mediumName = (drive: DvdDrive | undefined): string | undefined =>
  drive?.path === undefined ? undefined : bare(drive.path.split("\\").at(-1) ?? drive.path);

export const sameImage = (a: string | undefined, b: string | undefined): boolean =>
  a === undefined || b === undefined ? a === b : pathKey(bare(a)) === pathKey(bare(b));

/**
 * The places of declared drives: as remembered while the drive is there; else a drive nobody declares that holds the wanted medium
 * already; else, in a machine that we made, an empty one (generation 1 is born with one).
 */
export const drivePlaces = (vm: VirtualMachine, state: VmState): DrivePlace[] => {
  const wishes = vm.spec.dvdDrives ?? [];
  const remembered = (vm.status?.id === state.id ? (vm.status.dvdDrives ?? []) : []).filter(
    (one) =>
      state.dvdDrives.some((drive) => samePlace(drive, one)) &&
      (one.name !== guestMedium || wishes.some(({ name }) => name === guestMedium)),
  );
  const places = [...remembered];
  const take = (wish: Wish, fits: (drive: DvdDrive) => boolean): void => {
    if (places.some(({ name }) => name === wish.name)) return;
    const free = state.dvdDrives.find((drive) => !places.some((one) => samePlace(one, drive)) && fits(drive));
    if (!free) return;
    const { controllerNumber, controllerLocation } = free;
    places.push({ name: wish.name, controllerNumber, controllerLocation });
  };
  for (const wish of wishes) take(wish, (drive) => sameImage(mediumName(drive), wish.image));
  if (!vm.spec.adopt) for (const wish of wishes) take(wish, (drive) => drive.path === undefined);
  return places;
};

/** The first free place for a new drive, clear of places that disks of the machine ask for. */
export const freePlace = (state: VmState, devices: Devices, taken: readonly Place[]): Place | undefined => {
  const type = state.generation === 1 ? "IDE" : "SCSI";
  const asked = devices.disks.flatMap(({ object: { spec } }) => {
    const { controller = "SCSI", controllerNumber, controllerLocation } = spec.attachment ?? {};
    return controller === type && controllerNumber !== undefined && controllerLocation !== undefined
      ? [{ controllerNumber, controllerLocation }]
      : [];
  });
  const used = [...state.disks, ...state.dvdDrives].filter(({ controllerType }) => controllerType === type);
  // Generation 1 boots from IDE 0:0, so drives begin at the second controller.
  const places: Place[] =
    type === "IDE"
      ? [place(1, 0), place(1, 1), place(0, 1)]
      : [0, 1, 2, 3].flatMap((number) => Array.from({ length: 64 }, (_, location) => place(number, location))).slice(1);
  return places.find((one) => ![...used, ...asked, ...taken].some((other) => samePlace(one, other)));
};

const place = (controllerNumber: number, controllerLocation: number): Place => ({
  controllerNumber,
  controllerLocation,
});

/** Names of the host's ISO images. */
const imageNames = (host: HostState | undefined): readonly string[] | undefined =>
  host?.images.filter(({ format }) => format === "ISO").map(({ name }) => name);

/** What differs of the DVD drives; `remove` only drives that the spec declared once. */
export const dvdChanges = (
  vm: VirtualMachine,
  state: VmState,
  {
    devices,
    host,
    places,
  }: { readonly devices: Devices; readonly host: HostState | undefined; readonly places: readonly DrivePlace[] },
): readonly DvdChange[] => {
  const wishes = vm.spec.dvdDrives ?? [];
  // Generation 1 keeps its drives on IDE, which takes nothing while it runs.
  const hardware: RunningEffect = state.generation === 1 ? "Restart" : "Hot";
  const removed = places
    .filter(({ name }) => !wishes.some((wish) => wish.name === name))
    .map(({ name, ...at }): DvdChange => ({
      operation: "dvd.eject",
      set: { ...at, removeDrive: true },
      change: { path: `spec.dvdDrives[name=${name}]`, from: "present" },
      running: hardware,
    }));
  const taken: Place[] = [...places];
  const wanted = wishes.flatMap((wish): readonly DvdChange[] => {
    const known = places.find(({ name }) => name === wish.name);
    if (known) return mediumChange(wish, known, state, host);
    const at = freePlace(state, devices, taken);
    const change = { path: `spec.dvdDrives[name=${wish.name}]`, to: wish.image ?? "empty" };
    if (!at)
      return [
        {
          operation: "dvd.attach",
          set: place(0, 0),
          change,
          running: "Forbidden",
          reason: "No place is free for another drive.",
        },
      ];
    taken.push(at);
    return [
      { operation: "dvd.attach", set: withImage(at, wish.image), change, ...imageProblem(wish.image, host, hardware) },
    ];
  });
  return [...removed, ...wanted];
};

const withImage = (at: Place, image: string | undefined) => ({
  ...at,
  ...(image !== undefined && { image: bare(image) }),
});

const imageProblem = (
  image: string | undefined,
  host: HostState | undefined,
  running: RunningEffect,
): { running: RunningEffect; reason?: string } => {
  const names = imageNames(host);
  if (image === undefined || !names || names.some((name) => sameImage(name, image))) return { running };
  return {
    running: "Forbidden",
    reason: `ImageNotFound: the host has no ISO image ${image}; it has ${names.join(", ") || "none"}.`,
  };
};

const mediumChange = (
  wish: Wish,
  at: DrivePlace,
  state: VmState,
  host: HostState | undefined,
): readonly DvdChange[] => {
  const drive = state.dvdDrives.find((one) => samePlace(one, at));
  const have = mediumName(drive);
  if (sameImage(have, wish.image)) return [];
  const set = place(at.controllerNumber, at.controllerLocation);
  const change = {
    path: `spec.dvdDrives[name=${wish.name}].image`,
    ...(have !== undefined && { from: have }),
    ...(wish.image !== undefined && { to: wish.image }),
  };
  return wish.image === undefined
    ? [{ operation: "dvd.eject", set: { ...set, removeDrive: false }, change, running: "Hot" }]
    : [{ operation: "dvd.attach", set: withImage(set, wish.image), change, ...imageProblem(wish.image, host, "Hot") }];
};
