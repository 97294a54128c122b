import type { VirtualMachine } from "../../src/api/generated/types.ts";
import { deepEqual } from "../../src/engine/equal.ts";
import type { BootEntry, VmState } from "../../src/protocol/generated/types.ts";
import { compact } from "../shared/objects.ts";
import { samePlace } from "./devices.ts";
import type { Devices } from "./devices.ts";
import type { DrivePlace } from "./dvd.ts";
import type { FieldChange } from "./fields.ts";

type Declared = NonNullable<VirtualMachine["spec"]["boot"]>["order"][number];

/** The declared entry as the host names it; undefined while its device is not there. */
const resolve = (entry: Declared, state: VmState, devices: Devices, drives: readonly DrivePlace[]) => {
  if (entry.type === "NetworkAdapter") {
    const adapter = devices.adapters.find(({ object }) => object.metadata.name === entry.name)?.attached;
    return adapter && { type: entry.type, adapterId: adapter.id };
  }
  const drive = drives.find(({ name }) => name === entry.name);
  const device =
    entry.type === "Disk"
      ? devices.disks.find(({ object }) => object.metadata.name === entry.name)?.attached
      : drive && state.dvdDrives.find((one) => samePlace(one, drive));
  if (!device) return undefined;
  const { controllerType, controllerNumber, controllerLocation } = device;
  return { type: entry.type, controllerType, controllerNumber, controllerLocation };
};

const plainEntry = (entry: BootEntry): BootEntry =>
  compact({
    type: entry.type,
    controllerType: entry.controllerType,
    controllerNumber: entry.controllerNumber,
    controllerLocation: entry.controllerLocation,
    adapterId: entry.adapterId,
  });

/** Generation 1 knows classes of devices only: each class once, in the order of its first device. */
const classes = (order: readonly BootEntry[]): BootEntry[] =>
  [...new Set(order.map(({ type }) => type))].map((type) => ({ type }));

/**
 * What differs of the boot order: the devices declared come first, in their order; the others stay behind them as they are. A declared
 * device that is not there is left out (the first start waits for it anyway).
 */
export const bootChanges = (
  vm: VirtualMachine,
  state: VmState,
  devices: Devices,
  drives: readonly DrivePlace[],
): readonly FieldChange[] => {
  const declared = vm.spec.boot?.order ?? [];
  const entries = declared.map((entry) => resolve(entry, state, devices, drives)).filter((one) => one !== undefined);
  const want = state.generation === 1 ? classes(entries) : entries;
  const have = (state.generation === 1 ? classes(state.bootOrder) : state.bootOrder).map(plainEntry);
  if (want.length === 0 || deepEqual(have.slice(0, want.length), want)) return [];
  const text = (order: readonly BootEntry[]): string =>
    order.map((one) => entryText(one, state, devices, drives)).join(", ");
  return [
    {
      change: { path: "spec.boot.order", from: text(have.slice(0, Math.max(want.length, 1))), to: text(want) },
      running: "Try",
      set: { bootOrder: want },
    },
  ];
};

/** "Disk web-os": a device by its object's name where it has one. */
const entryText = (entry: BootEntry, state: VmState, devices: Devices, drives: readonly DrivePlace[]): string => {
  const { controllerNumber = 0, controllerLocation = 0 } = entry;
  const place = { controllerNumber, controllerLocation };
  if (state.generation === 1) return entry.type;
  const name =
    entry.type === "NetworkAdapter"
      ? devices.adapters.find(({ attached }) => attached?.id === entry.adapterId)?.object.metadata.name
      : entry.type === "Disk"
        ? devices.disks.find(
            ({ attached }) =>
              attached && attached.controllerType === entry.controllerType && samePlace(attached, place),
          )?.object.metadata.name
        : drives.find((drive) => samePlace(drive, place))?.name;
  return `${entry.type} ${name ?? entry.adapterId ?? `${entry.controllerType ?? ""} ${controllerNumber}:${controllerLocation}`}`;
};
