import type { Layout, Owner } from "../../../../src/protocol/generated/types.ts";
import { fail } from "../errors.ts";
import { classPath, findImage, requireParts } from "../guards.ts";
import type { Job } from "../job.ts";
import { join, isPartial, isTrash, isUnder, SIDECAR } from "../paths.ts";
import type { DiskFile } from "../types.ts";
import type { World } from "../world.ts";

export const VHD_MAXIMUM = 2040 * 2 ** 30;
export const VHDX_MAXIMUM = 64 * 2 ** 40;
/** A new dynamic file's size: header and tables. */
export const EMPTY_BYTES = 4 * 2 ** 20;

export const extension = (format: "VHD" | "VHDX"): string => (format === "VHD" ? "vhd" : "vhdx");

/** <class path>\<namespace>\<name>.<uid>.vhdx */
export const diskPath = (folder: string, owner: Owner, format: "VHD" | "VHDX"): string => {
  const name = `${owner.name}.${owner.uid}.${extension(format)}`;
  // The longest name beside it is the hint's.
  requireParts(owner.namespace, owner.name, owner.uid, name + SIDECAR);
  return join(folder, owner.namespace, name);
};

/** The owner's finished file under the layout's paths, if there is one: neither in the trash nor partial. */
export const finishedFile = (world: World, layout: Layout, uid: string): DiskFile | undefined => {
  const roots = [layout.virtualMachinePath, ...layout.storageClasses.map((one) => one.path)];
  const found = world
    .disksOfUid(uid)
    .filter((file) => !isTrash(file.path) && !isPartial(file.path) && roots.some((root) => isUnder(file.path, root)));
  if (found.length > 1)
    fail("OwnershipAmbiguous", `uid ${uid} is in the name of ${found.map((file) => file.path).join(" and ")}`);
  return found[0];
};

export const checkSize = (size: number, format: "VHD" | "VHDX"): void => {
  const maximum = format === "VHD" ? VHD_MAXIMUM : VHDX_MAXIMUM;
  if (size < 3 * 2 ** 20 || size > maximum)
    fail("InvalidRequest", `size: ${size} is outside 3145728 to ${maximum} for ${format}`);
  if (size % 512 !== 0) fail("InvalidRequest", `size: ${size} is no multiple of 512`);
};

/** The file that a source or parent names: an image by name, or a path. */
export const namedFile = (
  world: World,
  layout: Layout,
  named: { readonly image?: string; readonly path?: string },
  field: string,
): DiskFile => {
  if ((named.image === undefined) === (named.path === undefined))
    fail("InvalidRequest", `${field}: expected exactly one of image and path`);
  if (named.path !== undefined) return world.knownDisk(named.path);
  const file = findImage(world, layout, named.image ?? "", ["vhdx", "vhd"]);
  return file.type === "disk" ? file : fail("InvalidRequest", `${field}: ${file.path} is no disk`);
};

export const targetFolder = (world: World, layout: Layout, storageClass: string | undefined): string =>
  storageClass === undefined
    ? fail("InvalidRequest", "storageClass is required")
    : classPath(world, layout, storageClass);

/** Writes the hint beside the file, unless it says so already. */
export const writeSidecar = async (job: Job, path: string, uid: string): Promise<void> => {
  const wanted = job.read((world) => {
    const file = world.knownDisk(path);
    return { uid, diskId: file.diskId, controlPlaneId: job.controlPlane };
  });
  const now = job.read((world) => world.sidecar(path));
  if (now && now.uid === wanted.uid && now.diskId === wanted.diskId && now.controlPlaneId === wanted.controlPlaneId)
    return;
  await job.effect("sidecar", (world) => world.putText(path + SIDECAR, wanted));
};

export const created = (job: Job, path: string): { path: string; diskId: string } => {
  job.touchDisk(path);
  return job.read((world) => {
    const file = world.knownDisk(path);
    return { path: file.path, diskId: file.diskId };
  });
};
