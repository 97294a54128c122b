import type { BootEntry } from "../../../../src/protocol/generated/types.ts";
import { fail } from "../errors.ts";
import type { Vm } from "../types.ts";

const sameEntry = (generation: 1 | 2, a: BootEntry, b: BootEntry): boolean => {
  if (a.type !== b.type) return false;
  if (generation === 1) return true;
  if (a.type === "NetworkAdapter") return a.adapterId === b.adapterId;
  return a.controllerNumber === b.controllerNumber && a.controllerLocation === b.controllerLocation;
};

/** All entries that the machine's devices make, in the order of their coming. */
const devices = (vm: Vm): BootEntry[] => [
  ...vm.drives.map(({ controllerType, controllerNumber, controllerLocation }) => ({
    type: "Disk" as const,
    controllerType,
    controllerNumber,
    controllerLocation,
  })),
  ...vm.dvdDrives.map(({ controllerType, controllerNumber, controllerLocation }) => ({
    type: "DVD" as const,
    controllerType,
    controllerNumber,
    controllerLocation,
  })),
  ...vm.adapters.filter((one) => !one.legacy).map(({ id }) => ({ type: "NetworkAdapter" as const, adapterId: id })),
];

/** The order after devices came or went: those that are still there keep theirs, new ones come last. Generation 1 has classes only. */
export const refreshedOrder = (vm: Vm): Vm => {
  if (vm.generation === 1) return vm;
  const present = devices(vm);
  const kept = vm.bootOrder.filter((entry) => present.some((one) => sameEntry(2, one, entry)));
  const added = present.filter((one) => !kept.some((entry) => sameEntry(2, one, entry)));
  return { ...vm, bootOrder: [...kept, ...added] };
};

const entryText = (entry: BootEntry): string =>
  entry.type === "NetworkAdapter"
    ? `adapter ${entry.adapterId}`
    : `${entry.type} at ${entry.controllerType} ${entry.controllerNumber}:${entry.controllerLocation}`;

/** The named devices first, in that order; the others keep theirs behind. */
export const wantedOrder = (vm: Vm, wanted: readonly BootEntry[]): BootEntry[] => {
  const named = wanted.map(
    (entry, index) =>
      vm.bootOrder.find((one) => sameEntry(vm.generation, one, entry)) ??
      fail("NotFound", `bootOrder[${index}]: ${vm.name} has no ${vm.generation === 1 ? entry.type : entryText(entry)}`),
  );
  const unique = named.filter((entry, index) => named.indexOf(entry) === index);
  return [...unique, ...vm.bootOrder.filter((entry) => !unique.includes(entry))];
};
