import { fail } from "../errors.ts";
import {
  refuseAttached,
  refuseCheckpoints,
  refuseChildren,
  refuseOpen,
  refuseSavedOrPaused,
  refuseShared,
  requireOff,
  requireParts,
  requireSpace,
} from "../guards.ts";
import type { Answer, Job } from "../job.ts";
import { findOwnedDisk, ownedDisk } from "../ownership.ts";
import { folderOf, isPartial, isTrash, join, samePath, SIDECAR } from "../paths.ts";
import type { DiskFile, TrashManifest } from "../types.ts";
import { manifestOf } from "../views.ts";
import type { World } from "../world.ts";
import { removePartials } from "./copy.ts";
import { setQos } from "./diskAttach.ts";
import { checkSize, created, extension, writeSidecar } from "./diskFiles.ts";
import { intoTrash } from "./trash.ts";

export const get = async (job: Job<"disk.get">): Promise<Answer> => {
  job.touchDisk(job.spec.path);
  job.read((world) => findOwnedDisk(world, job.spec));
  return {};
};

const checkGrowth = (world: World, file: DiskFile, size: number): void => {
  if (size < file.size)
    fail("DiskShrinkForbidden", `size: ${file.path} has ${file.size} bytes, ${size} would shrink it`);
  checkSize(size, file.format);
  refuseOpen(file);
  refuseShared(file);
  refuseCheckpoints(world, file);
  refuseChildren(world, file);
  for (const { vm, drive } of world.holders(file.path)) {
    refuseSavedOrPaused(vm, "growing its disk");
    if (drive.controllerType === "IDE") requireOff(vm, "growing a disk on IDE");
    if (file.format === "VHD") requireOff(vm, "growing a VHD");
  }
  if (file.diskType === "Fixed") requireSpace(world, file.path, size - file.size);
};

const grow = async (job: Job<"disk.update">, path: string, size: number): Promise<void> => {
  const grows = job.read((world) => {
    const file = world.knownDisk(path);
    if (file.size === size) return false;
    checkGrowth(world, file, size);
    return true;
  });
  if (!grows) return;
  await job.effect("resized", (world) => {
    const file = world.knownDisk(path);
    checkGrowth(world, file, size);
    world.putFile({
      ...file,
      size,
      writtenAt: job.time(),
      ...(file.diskType === "Fixed" ? { fileSize: size } : {}),
    });
  });
};

export const update = async (job: Job<"disk.update">): Promise<Answer> => {
  const { spec } = job;
  const file = job.read((world) => ownedDisk(world, spec));
  job.touchDisk(file.path);
  if (spec.size !== undefined) await grow(job, file.path, spec.size);
  const { qos } = spec;
  if (qos) {
    const holder = job.read((world) => {
      job.touchVmAndDisks(world, qos.vmId);
      return world.holders(file.path).find(({ vm }) => vm.id === qos.vmId);
    });
    const { drive } = holder ?? fail("NotFound", `${file.path} is not attached to ${qos.vmId}`);
    const { minIOPS = drive.minIOPS, maxIOPS = drive.maxIOPS } = qos;
    await setQos(job, qos.vmId, drive, { minIOPS, maxIOPS });
  }
  if (spec.release && job.read((world) => world.file(file.path + SIDECAR)))
    await job.effect("released", (world) => world.removeFile(file.path + SIDECAR));
  return {};
};

const checkDelete = (world: World, file: DiskFile): void => {
  refuseShared(file);
  refuseCheckpoints(world, file);
  refuseChildren(world, file);
  refuseAttached(world, file);
  refuseOpen(file);
};

/** What an earlier, interrupted delete left undone: the hint beside a file that went. */
const removeLeftSidecar = async (job: Job<"disk.delete">): Promise<void> => {
  const { path, owner } = job.spec;
  if (job.read((world) => world.sidecar(path)?.uid === owner.uid))
    await job.effect("sidecarRemoved", (world) => world.removeFile(path + SIDECAR));
};

const trashOf = (world: World, path: string, uid: string): readonly string[] =>
  world
    .disks()
    .filter((file) => isTrash(file.path))
    .filter((file) => {
      const manifest = manifestOf(world, file.path);
      return manifest?.owner.uid === uid && samePath(manifest.originalPath, path);
    })
    .map((file) => file.path);

export const remove = async (job: Job<"disk.delete">): Promise<Answer> => {
  const { spec } = job;
  const file = job.read((world) => {
    const found = findOwnedDisk(world, spec);
    if (found && isTrash(found.path)) fail("InvalidRequest", `${found.path} lies in the trash`);
    if (found) checkDelete(world, found);
    return found;
  });
  job.touchDisk(spec.path);
  if (file)
    await intoTrash(job, file, { owner: spec.owner, retentionSeconds: spec.retentionSeconds, check: checkDelete });
  await removeLeftSidecar(job);
  await removePartials(job, spec.owner.uid);
  for (const path of job.read((world) => trashOf(world, spec.path, spec.owner.uid))) job.touchedTrash.add(path);
  return {};
};

const restoredPath = (job: Job<"disk.restore">, manifest: TrashManifest): string => {
  const { as } = job.spec;
  if (!as) return manifest.originalPath;
  requireParts(as.name, as.uid);
  const format = /\.vhd$/i.test(manifest.originalPath) ? "VHD" : "VHDX";
  return join(folderOf(manifest.originalPath), `${as.name}.${as.uid}.${extension(format)}`);
};

/** What an earlier, interrupted restore brought back already: the manifest stays until its time, for a repeat to see. */
const restoredAlready = (job: Job<"disk.restore">, world: World): DiskFile | undefined => {
  const manifest = manifestOf(world, job.spec.trashPath);
  const file = manifest && world.disk(restoredPath(job, manifest));
  return file && file.diskId === manifest.diskId ? file : undefined;
};

export const restore = async (job: Job<"disk.restore">): Promise<Answer> => {
  const { trashPath, as } = job.spec;
  const { path, uid } = job.read((world) => {
    if (!isTrash(trashPath)) fail("InvalidRequest", `trashPath: ${trashPath} lies in no trash folder`);
    const manifest = manifestOf(world, trashPath) ?? fail("NotFound", `${trashPath} is not in the trash`);
    const target = restoredPath(job, manifest);
    const owner = as?.uid ?? manifest.owner.uid;
    if (!world.disk(trashPath) && restoredAlready(job, world)) return { path: target, uid: owner };
    if (!world.disk(trashPath)) fail("NotFound", `${trashPath} is not in the trash`);
    if (world.file(target)) fail("NameConflict", `${target} exists already; a restore never overwrites`);
    // What a move left in the trash is no second disk.
    const twin = world.disksOfUid(owner).find((file) => !isTrash(file.path) && !isPartial(file.path));
    if (twin) fail("NameConflict", `${twin.path} is this disk; a restore would make a second one`);
    return { path: target, uid: owner };
  });
  job.touchedTrash.add(trashPath);
  if (job.read((world) => world.disk(trashPath)))
    await job.effect("restored", (world) => world.renameFile(trashPath, path));
  await writeSidecar(job, path, uid);
  return created(job, path);
};
