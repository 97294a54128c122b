import { look, started } from "../guest/agent.ts";
import type { Looked } from "../guest/agent.ts";
import { bootDrive, guestUp } from "./guest.ts";
import { samePath } from "./paths.ts";
import type { Due, Vm } from "./types.ts";
import type { World } from "./world.ts";

/** What a machine is when it does not run. */
export const stopped = (vm: Vm): Vm => {
  const { startedAt: _started, guest: _guest, ...rest } = vm;
  const { assignedBytes: _assigned, ...memory } = vm.memory;
  return {
    ...rest,
    state: "Off",
    memory,
    heartbeat: "NoContact",
    adapters: vm.adapters.map((adapter) => ({ ...adapter, ipAddresses: [] })),
    due: vm.due.filter((due) => due.what === "Merged"),
    hung: false,
    kvpGuest: {},
  };
};

const saved = (vm: Vm): Vm => {
  const { guest, ...off } = { ...stopped(vm), guest: vm.guest };
  return { ...off, state: "Saved", ...(vm.startedAt ? { startedAt: vm.startedAt } : {}), ...(guest ? { guest } : {}) };
};

/** The .avhdx files go into their parents; the machine points at what is left. */
const merged = (world: World, vm: Vm, files: readonly string[]): Vm => {
  let drives = vm.drives;
  for (const path of files) {
    const file = world.disk(path);
    const parent = file?.parentPath === undefined ? undefined : world.disk(file.parentPath);
    if (!file || !parent) continue;
    drives = drives.map((drive) => (samePath(drive.path, path) ? { ...drive, path: parent.path } : drive));
    for (const child of world.children(path)) world.putFile({ ...child, parentPath: parent.path });
    const fileSize = Math.min(parent.size, Math.max(parent.fileSize, file.fileSize));
    world.putFile({ ...parent, fileSize, size: Math.max(parent.size, file.size) });
    world.removeFile(path);
  }
  const merging = vm.due.some((due) => due.what === "Merged" && !files.every((file) => due.files.includes(file)));
  return { ...vm, drives, merging };
};

/** A machine that runs writes into the files that its drives point at. */
const written = (world: World, vm: Vm, at: number): void => {
  for (const { path } of vm.drives) {
    const file = world.disk(path);
    if (file) world.putFile({ ...file, writtenAt: new Date(at).toISOString() });
  }
};

/** The machine after a look of its guest agent, which looks again after a while. */
const looked = (at: number, factor: number, { vm, againMs, retryMs }: Looked): Vm => {
  const wait = againMs === undefined ? retryMs : Math.max(1, againMs * factor);
  return wait === undefined ? vm : { ...vm, due: [...withoutLooks(vm), { at: at + wait, what: "GuestAgent" }] };
};

const withoutLooks = (vm: Vm): readonly Due[] => vm.due.filter(({ what }) => what !== "GuestAgent");

const guestIsUp = (world: World, vm: Vm, { at }: Due, factor: number): Vm => {
  if (vm.state !== "Running" || !bootDrive(world, vm)) return vm;
  const up = { ...vm, ...guestUp(world, vm) };
  const agent = up.guest && started(up);
  return agent ? looked(at, factor, agent) : up;
};

const applied = (world: World, vm: Vm, { due, factor }: { readonly due: Due; readonly factor: number }): Vm => {
  switch (due.what) {
    case "Running":
      written(world, vm, due.at);
      return { ...vm, state: "Running" };
    case "Off":
      return stopped(vm);
    case "Saved":
      return saved(vm);
    case "Paused":
      return { ...vm, state: "Paused", heartbeat: "NoContact" };
    case "GuestUp":
      return guestIsUp(world, vm, due, factor);
    case "GuestAgent":
      return vm.state === "Running" && vm.guest && !vm.hung ? looked(due.at, factor, look(vm)) : vm;
    case "Merged":
      return merged(world, vm, due.files);
    default:
      return due satisfies never;
  }
};

const isDue = (vm: Vm, now: number): boolean => vm.due.some((due) => due.at <= now);

/** Whether anything is to happen by itself by now. */
export const unsettled = (world: World, now: number): boolean => world.vms().some((vm) => isDue(vm, now));

/** Lets all happen that was to happen by itself until now. `factor`: how much slower than nominal guests are. */
export const settle = (world: World, now: number, factor = 1): void => {
  for (const vm of world.vms()) {
    if (!isDue(vm, now)) continue;
    let next: Vm = vm;
    // One look of a guest agent leads to the next; the others come one by one.
    while (isDue(next, now)) {
      const [due] = next.due.filter((one) => one.at <= now).toSorted((a, b) => a.at - b.at);
      if (!due) break;
      next = applied(world, { ...next, due: next.due.filter((one) => one !== due) }, { due, factor });
    }
    world.putVm(next);
  }
};

/** When the next change by itself of this machine comes; undefined when none is on its way. */
export const nextDue = (vm: Vm): number | undefined =>
  vm.due.length === 0 ? undefined : Math.min(...vm.due.map((due) => due.at));
