import { fail } from "../errors.ts";
import {
  classPath,
  refuseAttached,
  refuseCheckpoints,
  refuseChildren,
  refuseOpen,
  refuseSavedOrPaused,
  refuseShared,
  requireParts,
  requireSpace,
} from "../guards.ts";
import type { Answer, Job } from "../job.ts";
import { isOwnDisk, ownedDisk } from "../ownership.ts";
import { COMPANIONS, fileName, folderOf, isTrash, join, nameUid, samePath, SIDECAR } from "../paths.ts";
import type { DiskFile } from "../types.ts";
import { manifestOf } from "../views.ts";
import type { World } from "../world.ts";
import { removePartials, takeCopyTime } from "./copy.ts";
import { created, extension, writeSidecar } from "./diskFiles.ts";
import { removeTrash } from "./purge.ts";
import { intoTrash } from "./trash.ts";

type MoveJob = Job<"disk.move">;

const moveTo = (world: World, file: DiskFile, folder: string, namespace: string): string => {
  requireParts(namespace);
  return samePath(folderOf(folderOf(file.path)), folder) ? file.path : join(folder, namespace, fileName(file.path));
};

/** Move-VMStorage of one machine's disks at a time, at most. */
const MOST_MOVES_OF_A_VM = 2;

const refuseThirdMove = (job: MoveJob, world: World, file: DiskFile): void => {
  const vms = new Set(world.holders(file.path).map(({ vm }) => vm.id));
  const others = world
    .runs()
    .filter((run) => run.operation === "disk.move" && run.correlation_id !== job.id)
    .filter((run) =>
      world.vms().some((vm) => vms.has(vm.id) && vm.drives.some(({ path }) => run.locks.includes(nameUid(path) ?? ""))),
    );
  if (others.length >= MOST_MOVES_OF_A_VM)
    fail("Busy", `${others.length} storage migrations of the machine are under way, the most there can be`);
};

const checkMove = (world: World, file: DiskFile): void => {
  refuseOpen(file);
  refuseShared(file);
  refuseCheckpoints(world, file);
  refuseChildren(world, file);
  for (const { vm } of world.holders(file.path)) refuseSavedOrPaused(vm, "moving its disk");
};

const refuseTaken = (world: World, target: string): void => {
  if (world.file(target)) fail("NameConflict", `${target} exists already`);
};

const checkTarget = (world: World, file: DiskFile, target: string): void => {
  refuseTaken(world, target);
  requireSpace(world, target, file.fileSize);
};

/** Whether the copy holds what the file holds now: nobody has it, and nothing was written into either since the copy was made. */
const isCopyOf = (world: World, copy: DiskFile | undefined, file: DiskFile): boolean =>
  copy !== undefined && copy.openBy === undefined && world.holders(copy.path).length === 0 && isSameContent(copy, file);

const isSameContent = (copy: DiskFile | undefined, file: DiskFile): boolean =>
  copy !== undefined &&
  (["diskId", "size", "fileSize", "format", "diskType", "parentPath", "writtenAt"] as const).every(
    (name) => copy[name] === file[name],
  );

/** The disk at its new place when the old file is gone already: an earlier move was cut off after that. */
const movedAlready = (job: MoveJob, world: World, folder: string): DiskFile | undefined => {
  const target = join(folder, job.spec.owner.namespace, fileName(job.spec.path));
  const file = world.disk(target);
  return file && !world.disk(job.spec.path) && isOwnDisk(file, job.spec.owner, job.spec.diskId) ? file : undefined;
};

export const move = async (job: MoveJob): Promise<Answer> => {
  const { spec } = job;
  const folder = job.read((world) => classPath(world, spec.layout, spec.storageClass));
  job.touchDisk(spec.path);
  const done = job.read((world) => movedAlready(job, world, folder));
  if (done) return moved(job, spec.path, done.path);
  const { file, target, attached } = job.read((world) => {
    const found = ownedDisk(world, spec);
    const to = moveTo(world, found, folder, spec.owner.namespace);
    if (!samePath(to, found.path)) {
      // What fails may leave a second file there: the control plane must not believe in one.
      job.touchDisk(to);
      checkMove(world, found);
    }
    return { file: found, target: to, attached: world.holders(found.path).length > 0 };
  });
  if (samePath(target, file.path)) return created(job, file.path);
  if (attached) await moveOfMachine(job, file, target);
  else await moveByCopy(job, file, target);
  return moved(job, file.path, target);
};

/** The hint goes with the file. */
const moved = async (job: MoveJob, from: string, to: string): Promise<Answer> => {
  await writeSidecar(job, to, job.spec.owner.uid);
  if (job.read((world) => world.sidecar(from)))
    await job.effect("sidecarRemoved", (world) => world.removeFile(from + SIDECAR));
  job.read((world) => {
    for (const { vm } of world.holders(to)) job.touchVmAndDisks(world, vm.id);
  });
  return created(job, to);
};

/** Move-VMStorage: the host copies and switches over, running or not, as one change. */
const moveOfMachine = async (job: MoveJob, file: DiskFile, target: string): Promise<void> => {
  job.read((world) => {
    refuseThirdMove(job, world, file);
    checkTarget(world, file, target);
  });
  await takeCopyTime(job, file.fileSize, `moving ${fileName(file.path)}`);
  await job.effect("moved", (world) => {
    const now = ownedDisk(world, job.spec);
    checkMove(world, now);
    checkTarget(world, now, target);
    world.renameFile(now.path, target);
    for (const vm of world.vms()) {
      const drives = vm.drives.map((drive) => (samePath(drive.path, now.path) ? { ...drive, path: target } : drive));
      if (vm.drives.some((drive) => samePath(drive.path, now.path))) world.putVm({ ...vm, drives });
    }
  });
};

/** A detached disk: copied, the copy verified, the original put into the trash. Cut off anywhere, no content is lost. */
const moveByCopy = async (job: MoveJob, file: DiskFile, target: string): Promise<void> => {
  const retentionSeconds = job.spec.layout.trashRetentionSeconds;
  const check = (world: World, now: DiskFile): void => {
    checkMove(world, now);
    refuseAttached(world, now);
    if (!isCopyOf(world, world.disk(target), now)) fail("Busy", `${now.path} was written while it was copied`);
  };
  const { owner } = job.spec;
  const finish = (): Promise<void> => intoTrash(job, file, { owner, retentionSeconds, check });
  // A copy that an earlier move finished is not made again, unless either was written since: then it is somebody's to judge.
  if (job.read((world) => isCopyOf(world, world.disk(target), file))) return await finish();
  await copied(job, file, target);
  try {
    await finish();
  } catch (error) {
    await withdraw(job, file, target);
    throw error;
  }
};

/**
 * The copy that this job made goes into the trash when its original has to stay: it was written or is in use by now, and two files would wait
 * for a person. Not if somebody has the copy, or wrote into it; what fails here leaves both, and the move's own fault.
 */
const withdraw = async (job: MoveJob, file: DiskFile, target: string): Promise<void> => {
  const copy = job.read((world) => (world.disk(file.path) ? world.disk(target) : undefined));
  if (!copy) return;
  const { owner, layout } = job.spec;
  const check = (world: World, now: DiskFile): void => {
    checkMove(world, now);
    refuseAttached(world, now);
    if (!isSameContent(now, file)) fail("Busy", `${now.path} was written since it was made`);
  };
  const retentionSeconds = layout.trashRetentionSeconds;
  await intoTrash(job, copy, { owner, retentionSeconds, withdrawn: file.path, check }).catch(() => undefined);
};

/** Copies of the file that an earlier job of this move took back; none that anybody has or wrote into. */
const withdrawnCopies = (world: World, uid: string, file: DiskFile, target: string): readonly DiskFile[] =>
  world.disks().filter((copy) => {
    const manifest = isTrash(copy.path) ? manifestOf(world, copy.path) : undefined;
    if (manifest?.withdrawn === undefined || manifest.owner.uid !== uid) return false;
    if (!samePath(manifest.withdrawn, file.path) || !samePath(manifest.originalPath, target)) return false;
    const untouched = copy.diskId === file.diskId && (copy.writtenAt ?? "") <= manifest.deletedAt;
    const isHeld = world.holders(copy.path).length > 0 || world.children(copy.path).length > 0;
    return untouched && copy.openBy === undefined && !isHeld;
  });

/** What they take is given back before the next copy is made: a move that fails again and again would fill the target's volume. */
const removeWithdrawn = async (job: MoveJob, file: DiskFile, target: string): Promise<void> => {
  const { uid } = job.spec.owner;
  if (job.read((world) => withdrawnCopies(world, uid, file, target)).length === 0) return;
  await job.effect("withdrawnRemoved", (world) => {
    if (world.disk(file.path)?.diskId !== file.diskId) return;
    for (const { path } of withdrawnCopies(world, uid, file, target)) removeTrash(world, path);
  });
};

const copied = async (job: MoveJob, file: DiskFile, target: string): Promise<void> => {
  const { owner } = job.spec;
  job.read((world) => refuseTaken(world, target));
  await removeWithdrawn(job, file, target);
  job.read((world) => requireSpace(world, target, file.fileSize));
  await removePartials(job, owner.uid);
  const partial = join(folderOf(target), `${owner.uid}.${job.id}.partial.${extension(file.format)}`);
  await job.effect("copying", (world) => {
    checkTarget(world, file, target);
    world.putFile({ ...file, path: partial });
    for (const end of COMPANIONS) {
      const beside = world.file(file.path + end);
      if (beside) world.putFile({ ...beside, path: partial + end });
    }
  });
  await takeCopyTime(job, file.fileSize, `moving ${fileName(file.path)}`);
  const same = job.read((world) => isCopyOf(world, world.disk(partial), world.knownDisk(file.path)));
  if (!same) {
    await removePartials(job, owner.uid);
    fail("Busy", `${file.path} was written while it was copied`);
  }
  await job.effect("verified", (world) => {
    refuseTaken(world, target);
    world.renameFile(partial, target);
  });
};
