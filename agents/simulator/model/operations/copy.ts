import { fail } from "../errors.ts";
import { requireSpace } from "../guards.ts";
import { contentOs } from "../guest.ts";
import type { Job } from "../job.ts";
import { fileName, folderOf, isPartial, join } from "../paths.ts";
import type { DiskFile } from "../types.ts";
import type { World } from "../world.ts";
import { extension } from "./diskFiles.ts";

export interface CopyOrder {
  /** Whose uid the partial file's name carries. */
  readonly uid: string;
  readonly target: string;
  readonly size: number;
  readonly format: "VHD" | "VHDX";
  readonly diskType: "Dynamic" | "Fixed";
  readonly blockSize?: number;
}

const STEPS = 20;

/** Bytes that the copy takes: the whole chain's, since a source with parents is flattened; all of it when fixed. */
export const copyBytes = (world: World, source: DiskFile, order: CopyOrder): number => {
  if (order.diskType === "Fixed") return order.size;
  return Math.min(
    order.size,
    world.chain(source.path).reduce((sum, file) => sum + file.fileSize, 0),
  );
};

/** Wherever they lie: the storage class may have been another one then. */
const oldPartials = (world: World, uid: string): readonly string[] =>
  world
    .disks()
    .map((file) => file.path)
    .filter((path) => isPartial(path) && fileName(path).startsWith(`${uid}.`));

/** Removes what interrupted copies of the owner left. */
export const removePartials = async (job: Job, uid: string): Promise<void> => {
  for (const path of job.read((world) => oldPartials(world, uid)))
    await job.effect("partialRemoved", (world) => world.removeDisk(path));
};

/** Takes the time of so many bytes, telling how far it is. */
export const takeCopyTime = async (job: Job, bytes: number, text: string): Promise<void> => {
  const total = (bytes / job.latency.copyBytesPerSecond) * 1000 * job.latency.factor;
  if (total <= 0) return;
  const steps = Math.min(STEPS, Math.max(1, Math.ceil(total / 250)));
  for (let step = 0; step < steps; step++) {
    job.progress((step / steps) * 100, text);
    await job.wait(total / steps);
  }
};

const blockSizeOf = (source: DiskFile, order: CopyOrder): Pick<DiskFile, "blockSize"> => {
  const blockSize = order.blockSize ?? source.blockSize;
  return blockSize === undefined ? {} : { blockSize };
};

/**
 * Copies the source to the target by way of <uid>.<correlation>.partial.vhdx, as hyperv.md says; each part is an effect.
 * What an earlier, interrupted copy of the same owner left is removed first.
 */
export const copyDisk = async (job: Job, sourcePath: string, order: CopyOrder): Promise<void> => {
  const folder = folderOf(order.target);
  await removePartials(job, order.uid);
  const partial = join(folder, `${order.uid}.${job.id}.partial.${extension(order.format)}`);
  const bytes = await job.effect("copying", (world) => {
    const source = world.knownDisk(sourcePath);
    const needed = copyBytes(world, source, order);
    requireSpace(world, folder, needed);
    world.putFile(partialFile(world, source, order, partial, needed));
    return needed;
  });
  await takeCopyTime(job, bytes, `copying ${fileName(sourcePath)}`);
  await job.effect("writable", (world) => world.putFile({ ...world.knownDisk(partial), readOnly: false }));
  await job.effect("identity", (world) => world.putFile({ ...world.knownDisk(partial), diskId: job.uuid() }));
  if (job.read((world) => world.knownDisk(partial).size) < order.size)
    await job.effect("resized", (world) => world.putFile({ ...world.knownDisk(partial), size: order.size }));
  await job.effect("renamed", (world) => {
    if (world.file(order.target)) fail("NameConflict", `${order.target} exists already`);
    world.renameFile(partial, order.target);
  });
};

const partialFile = (world: World, source: DiskFile, order: CopyOrder, path: string, fileSize: number): DiskFile => {
  const os = contentOs(world, source.path);
  return {
    type: "disk",
    path,
    format: order.format,
    diskType: order.diskType,
    size: source.size,
    fileSize,
    logicalSectorBytes: source.logicalSectorBytes,
    ...blockSizeOf(source, order),
    diskId: source.diskId,
    readOnly: source.readOnly,
    ...(os ? { os } : {}),
  };
};
