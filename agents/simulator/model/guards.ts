import type { Layout } from "../../../src/protocol/generated/types.ts";
import { bytesText } from "../../../src/api/quantity.ts";
import { fail, JobError } from "./errors.ts";
import { isCheckpointFile, isLocalPath, isPathPart, pathKey, samePath } from "./paths.ts";
import type { DiskFile, HostFile, Vm } from "./types.ts";
import { changedParent, images } from "./views.ts";
import type { World } from "./world.ts";

const TRANSIENT: readonly Vm["state"][] = [
  "Starting",
  "Stopping",
  "Saving",
  "Pausing",
  "Resuming",
  "Critical",
  "Other",
];

/** Hyper-V is at work on it. */
export const refuseBusy = (vm: Vm): void => {
  if (TRANSIENT.includes(vm.state)) fail("Busy", `${vm.name} is ${vm.stateText ?? vm.state}`);
  if (vm.merging) fail("Busy", `a checkpoint of ${vm.name} is being merged`);
};

/** Saved and Paused machines take nothing but notes and network settings. */
export const refuseSavedOrPaused = (vm: Vm, what: string): void => {
  refuseBusy(vm);
  if (vm.state === "Saved" || vm.state === "Paused")
    fail(
      "InvalidPowerState",
      `${what} is impossible while ${vm.name} is ${vm.state}; ${vm.state === "Saved" ? "start" : "resume"} it first`,
    );
};

export const requireOff = (vm: Vm, what: string): void => {
  refuseSavedOrPaused(vm, what);
  if (vm.state !== "Off") fail("RequiresPowerOff", `${what} needs ${vm.name} to be off; it is ${vm.state}`);
};

const list = (names: readonly string[]): string => (names.length > 0 ? names.join(", ") : "none");

export const classPath = (world: World, layout: Layout, name: string): string => {
  const found = layout.storageClasses.find((one) => one.name === name);
  if (!found)
    throw new JobError(
      "StorageClassNotFound",
      `no storage class "${name}"; there are: ${list(layout.storageClasses.map((one) => one.name))}`,
    );
  return requireFolder(world, found.path, "StorageClassNotFound");
};

export const requireFolder = (world: World, path: string, code: "StorageClassNotFound" | "InvalidRequest"): string => {
  if (!isLocalPath(path)) fail(code, `"${path}" is no local path; expected a drive letter, as D:\\Disks`);
  if (!world.volumeOf(path))
    fail(code, `"${path}" lies on no volume of the host; there are: ${list(world.volumes().map((one) => one.root))}`);
  return path;
};

export const requireParts = (...parts: readonly string[]): void => {
  for (const part of parts) if (!isPathPart(part)) fail("InvalidRequest", `"${part}" can't be part of a file's name`);
};

const inOrder = (extensions: readonly string[], name: string, layout: Layout, found: readonly { path: string }[]) =>
  layout.imagePaths.flatMap((folder) =>
    extensions.flatMap((extension) => {
      const wanted = pathKey(`${folder.replace(/\\+$/, "")}\\${name}.${extension}`);
      return found.filter((one) => pathKey(one.path) === wanted);
    }),
  )[0];

/** The file of an image by its name: each imagePath in turn, in the order of the extensions. */
export const findImage = (world: World, layout: Layout, name: string, extensions: readonly string[]): HostFile => {
  const all = images(world, layout).filter((one) => extensions.includes(one.format.toLowerCase()));
  const found = inOrder(extensions, name, layout, all);
  const file = found && world.file(found.path);
  return (
    file ??
    fail(
      "ImageNotFound",
      `no image "${name}" in ${list(layout.imagePaths)}; there are: ${list(all.map((one) => one.name))}`,
    )
  );
};

export const requireSpace = (world: World, path: string, bytes: number): void => {
  const volume = world.volumeOf(path) ?? fail("StorageClassNotFound", `"${path}" lies on no volume of the host`);
  const free = world.freeBytes(volume);
  if (bytes > free)
    fail("InsufficientStorage", `${bytesText(bytes)} are needed on ${volume.root}, ${bytesText(free)} are free`);
};

export const requireMemory = (world: World, vm: Vm, bytes: number): void => {
  const free = world.availableMemory();
  if (bytes > free)
    fail("InsufficientMemory", `${vm.name} needs ${bytesText(bytes)} of memory, ${bytesText(free)} are available`);
};

/** Refuses a file with checkpoints, which are its .avhdx children. */
export const refuseCheckpoints = (world: World, file: DiskFile): void => {
  const child = world.children(file.path).find((one) => isCheckpointFile(one.path));
  const holder = world.holders(file.path).find(({ drive }) => isCheckpointFile(drive.path));
  if (holder?.vm.merging) fail("Busy", `a checkpoint of ${holder.vm.name} is being merged into ${file.path}`);
  if (child) fail("DiskHasCheckpoints", `${file.path} has the checkpoint file ${child.path}`);
};

export const refuseChildren = (world: World, file: DiskFile): void => {
  const child = world.children(file.path).find((one) => !isCheckpointFile(one.path));
  if (child) fail("DiskHasChildren", `${child.path} has ${file.path} as its parent`);
};

export const refuseOpen = (file: DiskFile): void => {
  if (file.openBy !== undefined) fail("DiskInUse", `${file.path} is open by ${file.openBy}`);
};

export const refuseShared = (file: DiskFile): void => {
  if (/\.vhds$/i.test(file.path)) fail("DiskShared", `${file.path} is a shared disk`);
};

/** Refuses a file whose chain does not open. */
export const refuseUnusable = (world: World, path: string): void => {
  const why = changedParent(world, path);
  if (why !== undefined) fail("HyperVError", `0xC03A000E, the chain of virtual hard disks is corrupted: ${why}`);
};

/** Refuses a file that any machine refers to (but the one excepted). */
export const refuseAttached = (world: World, file: DiskFile, exceptVm?: string): void => {
  const holder = world.holders(file.path).find(({ vm }) => vm.id !== exceptVm);
  if (!holder) return;
  const how = samePath(holder.drive.path, file.path) ? "attached to" : "a parent of a disk of";
  fail("DiskInUse", `${file.path} is ${how} ${holder.vm.name}`);
};
