import { fail } from "../errors.ts";
import { refuseCheckpoints, refuseOpen, refuseShared, refuseUnusable, requireSpace } from "../guards.ts";
import type { Answer, Job } from "../job.ts";
import { folderOf, fileName, isLocalPath, isPartial, isTrash, join, nameUid, samePath } from "../paths.ts";
import type { DiskFile, ParentMark } from "../types.ts";
import type { World } from "../world.ts";
import { copyDisk, copyBytes, takeCopyTime } from "./copy.ts";
import {
  checkSize,
  created,
  diskPath,
  EMPTY_BYTES,
  extension,
  finishedFile,
  namedFile,
  targetFolder,
  writeSidecar,
} from "./diskFiles.ts";

type CreateJob = Job<"disk.create">;

const refuseTaken = (world: World, path: string): void => {
  if (world.file(path)) fail("NameConflict", `${path} exists already`);
};

const blank = async (job: CreateJob): Promise<string> => {
  const { owner, layout, size, format = "VHDX", diskType = "Dynamic", logicalSectorBytes, blockSize } = job.spec;
  if (size === undefined) return fail("InvalidRequest", "size is required for a blank disk");
  checkSize(size, format);
  if (format === "VHD" && logicalSectorBytes === 4096) fail("InvalidRequest", "logicalSectorBytes: a VHD has 512");
  const fileSize = diskType === "Fixed" ? size : Math.min(size, EMPTY_BYTES);
  const path = job.read((world) => {
    const wanted = diskPath(targetFolder(world, layout, job.spec.storageClass), owner, format);
    refuseTaken(world, wanted);
    requireSpace(world, wanted, fileSize);
    return wanted;
  });
  if (diskType === "Fixed") await takeCopyTime(job, size, `writing ${fileName(path)}`);
  await job.effect("created", (world) => {
    refuseTaken(world, path);
    requireSpace(world, path, fileSize);
    world.putFile({
      type: "disk",
      path,
      format,
      diskType,
      size,
      fileSize,
      logicalSectorBytes: logicalSectorBytes ?? 512,
      blockSize: blockSize ?? (diskType === "Fixed" ? 0 : 32 * 2 ** 20),
      diskId: job.uuid(),
      readOnly: false,
    });
  });
  return path;
};

/** A parent must rest: attached to no machine itself, open nowhere, without checkpoints. */
const checkParent = (world: World, parent: DiskFile): void => {
  refuseOpen(parent);
  refuseShared(parent);
  refuseCheckpoints(world, parent);
  const direct = world.holders(parent.path).find(({ drive }) => samePath(drive.path, parent.path));
  if (direct) fail("DiskInUse", `${parent.path} is attached to ${direct.vm.name}; a parent is read only`);
};

const markOf = ({ diskId, size, writtenAt }: DiskFile): ParentMark =>
  writtenAt === undefined ? { diskId, size } : { diskId, size, writtenAt };

const differencing = async (job: CreateJob): Promise<string> => {
  const { owner, layout, size, format } = job.spec;
  const { path, parent } = job.read((world) => {
    const found = namedFile(world, layout, job.spec.parent ?? {}, "parent");
    checkParent(world, found);
    if (format !== undefined && format !== found.format)
      fail("InvalidRequest", `format: a child of ${found.path} is ${found.format} as its parent`);
    if (size !== undefined && size < found.size)
      fail("InvalidRequest", `size: ${size} is below the parent's ${found.size}`);
    if (size !== undefined) checkSize(size, found.format);
    const wanted = diskPath(targetFolder(world, layout, job.spec.storageClass), owner, found.format);
    refuseTaken(world, wanted);
    return { path: wanted, parent: found };
  });
  const blockSize = job.spec.blockSize ?? parent.blockSize;
  if (!parent.readOnly)
    await job.effect("parentPinned", (world) => world.putFile({ ...world.knownDisk(parent.path), readOnly: true }));
  await job.effect("created", (world) => {
    refuseTaken(world, path);
    requireSpace(world, path, EMPTY_BYTES);
    world.putFile({
      type: "disk",
      path,
      format: parent.format,
      diskType: "Differencing",
      size: size ?? parent.size,
      fileSize: EMPTY_BYTES,
      logicalSectorBytes: parent.logicalSectorBytes,
      ...(blockSize === undefined ? {} : { blockSize }),
      parentPath: parent.path,
      parent: markOf(world.knownDisk(parent.path)),
      diskId: job.uuid(),
      readOnly: false,
    });
  });
  return path;
};

const refuseForeign = (job: CreateJob, world: World, file: DiskFile): void => {
  const { owner, claim } = job.spec;
  const mine = (uid: string | undefined): boolean =>
    uid === undefined || uid === owner.uid || uid === claim?.previousUid;
  const sidecar = world.sidecar(file.path);
  const named = nameUid(file.path);
  if (!mine(sidecar?.uid)) fail("OwnedByOther", `${file.path} is marked for uid ${sidecar?.uid}`);
  if (sidecar?.controlPlaneId !== undefined && sidecar.controlPlaneId !== job.controlPlane)
    fail("OwnedByOther", `${file.path} is marked by control plane ${sidecar.controlPlaneId}`);
  // Only a name that we gave says whose the file is: its sidecar has the same uid.
  if (sidecar && named === sidecar.uid && !mine(named)) fail("OwnedByOther", `${file.path} carries uid ${named}`);
};

/** Takes over a file that exists: only the hint beside it is written. */
const adopted = async (job: CreateJob): Promise<string> => {
  const { path } = job.spec;
  if (path === undefined || !isLocalPath(path))
    return fail("InvalidRequest", `path: expected a full local path, as D:\\Disks\\data.vhdx, got ${String(path)}`);
  return job.read((world) => {
    const file = world.knownDisk(path);
    if (isTrash(path) || isPartial(path)) fail("InvalidRequest", `path: ${path} is no finished disk`);
    refuseShared(file);
    refuseForeign(job, world, file);
    return file.path;
  });
};

/** A file of this name whose uid is lost becomes the owner's: renamed while nothing refers to it, else only marked. */
const reclaimed = async (job: CreateJob, previousUid: string): Promise<string | undefined> => {
  const { owner } = job.spec;
  const file = job.read((world) => finishedFile(world, job.spec.layout, previousUid));
  if (!file) return undefined;
  if (fileName(file.path).toLowerCase() !== `${owner.name}.${previousUid}.${extension(file.format)}`.toLowerCase())
    fail("OwnedByOther", `${file.path} is not named for ${owner.name}`);
  const free = job.read((world) => world.holders(file.path).length === 0 && world.children(file.path).length === 0);
  if (!free) return file.path;
  const path = join(folderOf(file.path), `${owner.name}.${owner.uid}.${extension(file.format)}`);
  await job.effect("renamed", (world) => {
    world.renameFile(file.path, path);
    world.removeFile(`${file.path}.aetherv.json`);
  });
  job.touchDisk(file.path);
  return path;
};

const made = async (job: CreateJob): Promise<string> => {
  switch (job.spec.type) {
    case "Blank":
      return blank(job);
    case "Differencing":
      return differencing(job);
    case "File":
      return adopted(job);
    default:
      return job.spec.type satisfies never;
  }
};

export const create = async (job: CreateJob): Promise<Answer> => {
  const { owner, type, claim } = job.spec;
  const finished = type === "File" ? undefined : job.read((world) => finishedFile(world, job.spec.layout, owner.uid));
  const taken =
    finished || !claim?.previousUid || type === "File" ? undefined : await reclaimed(job, claim.previousUid);
  const path = finished?.path ?? taken ?? (await made(job));
  await writeSidecar(job, path, owner.uid);
  return created(job, path);
};

type CloneJob = Job<"disk.clone">;

/** A clone's source must be closed: its machine off, no checkpoints, open nowhere. */
const checkSource = (world: World, source: DiskFile): void => {
  refuseOpen(source);
  refuseShared(source);
  const running = world.holders(source.path).find(({ vm }) => vm.state !== "Off");
  const onlyParent = running && !samePath(running.drive.path, source.path);
  refuseCheckpoints(world, source);
  refuseUnusable(world, source.path);
  // A parent is read only, so children in use don't matter.
  if (running && !onlyParent)
    fail("DiskInUse", `${source.path} is attached to ${running.vm.name}, which is ${running.vm.state}`);
};

export const clone = async (job: CloneJob): Promise<Answer> => {
  const { owner, layout, storageClass } = job.spec;
  const finished = job.read((world) => finishedFile(world, job.spec.layout, owner.uid));
  if (finished) {
    await writeSidecar(job, finished.path, owner.uid);
    return created(job, finished.path);
  }
  const { source, order } = job.read((world) => {
    const found = namedFile(world, layout, job.spec.source, "source");
    checkSource(world, found);
    const format = job.spec.format ?? found.format;
    const size = job.spec.size ?? found.size;
    if (size < found.size) fail("InvalidRequest", `size: ${size} is below the source's ${found.size}`);
    checkSize(size, format);
    const target = diskPath(targetFolder(world, layout, storageClass), owner, format);
    refuseTaken(world, target);
    const diskType = job.spec.diskType ?? "Dynamic";
    const { blockSize } = job.spec;
    const wanted = {
      uid: owner.uid,
      target,
      size,
      format,
      diskType,
      ...(blockSize === undefined ? {} : { blockSize }),
    };
    requireSpace(world, target, copyBytes(world, found, wanted));
    return { source: found, order: wanted };
  });
  await copyDisk(job, source.path, order);
  await writeSidecar(job, order.target, owner.uid);
  return created(job, order.target);
};
