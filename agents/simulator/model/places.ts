import { fail } from "./errors.ts";
import type { Vm } from "./types.ts";

export interface Place {
  readonly controllerType: "SCSI" | "IDE";
  readonly controllerNumber: number;
  readonly controllerLocation: number;
}

export const placeText = (place: Place): string =>
  `${place.controllerType} ${place.controllerNumber}:${place.controllerLocation}`;

const same = (a: Place, b: Place): boolean => placeText(a) === placeText(b);

/** What is at the place: a path, "" for an empty DVD drive, undefined when it is free. */
export const takenBy = (vm: Vm, place: Place): string | undefined => {
  const drive = vm.drives.find((one) => same(one, place));
  if (drive) return drive.path;
  const dvd = vm.dvdDrives.find((one) => same(one, place));
  return dvd && (dvd.path ?? "");
};

const LIMITS = { IDE: { numbers: 2, locations: 2 }, SCSI: { numbers: 4, locations: 64 } } as const;

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** The place asked for, or the first free one of what is left open. Running machines get no further SCSI controller by themselves. */
export const wantedPlace = (
  vm: Vm,
  wanted: {
    readonly controllerType: "SCSI" | "IDE";
    readonly controllerNumber?: number;
    readonly controllerLocation?: number;
  },
): Place => {
  const { controllerType } = wanted;
  if (controllerType === "IDE" && vm.generation === 2)
    fail("InvalidRequest", `${vm.name}: a machine of generation 2 has no IDE controller`);
  const { numbers, locations } = LIMITS[controllerType];
  if ((wanted.controllerNumber ?? 0) >= numbers || (wanted.controllerLocation ?? 0) >= locations)
    fail(
      "InvalidRequest",
      `${controllerType} has the controllers 0 to ${numbers - 1} and the locations 0 to ${locations - 1}`,
    );
  if (wanted.controllerNumber !== undefined && wanted.controllerLocation !== undefined)
    return { controllerType, controllerNumber: wanted.controllerNumber, controllerLocation: wanted.controllerLocation };
  const present = controllerType === "SCSI" && vm.state !== "Off" ? vm.scsiControllers : numbers;
  const free = range(present)
    .filter((number) => wanted.controllerNumber === undefined || number === wanted.controllerNumber)
    .flatMap((controllerNumber) =>
      range(locations).map((controllerLocation) => ({ controllerType, controllerNumber, controllerLocation })),
    )
    .find(
      (place) =>
        (wanted.controllerLocation === undefined || place.controllerLocation === wanted.controllerLocation) &&
        takenBy(vm, place) === undefined,
    );
  return free ?? fail("DiskInUse", `${vm.name} has no free ${controllerType} place`);
};
