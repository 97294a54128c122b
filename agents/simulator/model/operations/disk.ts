import { fail } from "../errors.ts";
import {
  classPath,
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
import { findOwnedDisk, isOwnDisk, ownedDisk } from "../ownership.ts";
import { fileName, folderOf, isTrash, join, samePath, SIDECAR, TRASH_FOLDER } from "../paths.ts";
import type { DiskFile, TrashManifest } from "../types.ts";
import { bareManifests, MANIFEST, manifestOf } from "../views.ts";
import type { World } from "../world.ts";
import { removePartials, takeCopyTime } from "./copy.ts";
import { setQos } from "./diskAttach.ts";
import { checkSize, created, extension, writeSidecar } from "./diskFiles.ts";

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
    world.putFile({ ...file, size, ...(file.diskType === "Fixed" ? { fileSize: size } : {}) });
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

const moveTo = (world: World, file: DiskFile, folder: string, namespace: string): string => {
  requireParts(namespace);
  return samePath(folderOf(folderOf(file.path)), folder) ? file.path : join(folder, namespace, fileName(file.path));
};

const checkMove = (world: World, file: DiskFile, target: string): void => {
  refuseOpen(file);
  refuseShared(file);
  refuseCheckpoints(world, file);
  refuseChildren(world, file);
  for (const { vm } of world.holders(file.path)) refuseSavedOrPaused(vm, "moving its disk");
  if (world.file(target)) fail("NameConflict", `${target} exists already`);
  requireSpace(world, target, file.fileSize);
};

/** A copy that an earlier, interrupted move finished: the old file is all that is left to do. */
const movedAlready = (job: Job<"disk.move">, world: World, folder: string): DiskFile | undefined => {
  const target = join(folder, job.spec.owner.namespace, fileName(job.spec.path));
  const file = world.disk(target);
  return file && !world.disk(job.spec.path) && isOwnDisk(file, job.spec.owner, job.spec.diskId) ? file : undefined;
};

export const move = async (job: Job<"disk.move">): Promise<Answer> => {
  const { spec } = job;
  const folder = job.read((world) => classPath(world, spec.layout, spec.storageClass));
  job.touchDisk(spec.path);
  const done = job.read((world) => movedAlready(job, world, folder));
  if (done) {
    await writeSidecar(job, done.path, spec.owner.uid);
    return created(job, done.path);
  }
  const { file, target } = job.read((world) => {
    const found = ownedDisk(world, spec);
    const to = moveTo(world, found, folder, spec.owner.namespace);
    if (!samePath(to, found.path)) checkMove(world, found, to);
    return { file: found, target: to };
  });
  if (samePath(target, file.path)) return created(job, file.path);
  await takeCopyTime(job, file.fileSize, `moving ${fileName(file.path)}`);
  await job.effect("moved", (world) => {
    const now = ownedDisk(world, spec);
    checkMove(world, now, target);
    world.renameFile(now.path, target);
    for (const vm of world.vms()) {
      const drives = vm.drives.map((drive) => (samePath(drive.path, now.path) ? { ...drive, path: target } : drive));
      if (vm.drives.some((drive) => samePath(drive.path, now.path))) world.putVm({ ...vm, drives });
    }
    world.removeFile(file.path + SIDECAR);
  });
  await writeSidecar(job, target, spec.owner.uid);
  job.read((world) => {
    for (const { vm } of world.holders(target)) job.touchVmAndDisks(world, vm.id);
  });
  return created(job, target);
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
  if (file) await intoTrash(job, file);
  await removeLeftSidecar(job);
  await removePartials(job, spec.owner.uid);
  for (const path of job.read((world) => trashOf(world, spec.path, spec.owner.uid))) job.touchedTrash.add(path);
  return {};
};

const intoTrash = async (job: Job<"disk.delete">, file: DiskFile): Promise<void> => {
  const { owner, retentionSeconds } = job.spec;
  const volume = job.read((world) => world.volumeOf(file.path)) ?? fail("HyperVError", `${file.path} is on no volume`);
  const folder = join(volume.root, TRASH_FOLDER, job.id);
  const manifest: TrashManifest = {
    originalPath: file.path,
    owner,
    diskId: file.diskId,
    deletedAt: job.time(),
    purgeAt: new Date(job.now() + retentionSeconds * 1000).toISOString(),
  };
  await job.effect("manifest", (world) => {
    // Of an earlier, interrupted delete of the same file, or of one that was restored.
    for (const left of bareManifests(world))
      if (left.manifest.owner.uid === owner.uid && samePath(left.manifest.originalPath, file.path))
        world.removeFile(left.path);
    world.putText(join(folder, MANIFEST), manifest);
  });
  await job.effect("trashed", (world) => {
    checkDelete(world, world.knownDisk(file.path));
    world.renameFile(file.path, join(folder, fileName(file.path)));
  });
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
    return { path: target, uid: owner };
  });
  job.touchedTrash.add(trashPath);
  if (job.read((world) => world.disk(trashPath)))
    await job.effect("restored", (world) => world.renameFile(trashPath, path));
  await writeSidecar(job, path, uid);
  return created(job, path);
};
