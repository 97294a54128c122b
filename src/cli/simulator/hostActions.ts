import { fnv } from "../../../agents/simulator/model/hash.ts";
import { fileName, join, samePath, SIDECAR, stem } from "../../../agents/simulator/model/paths.ts";
import { addImage, osByName } from "../../../agents/simulator/model/seed.ts";
import { readBehaviour, writeBehaviour } from "../../../agents/simulator/process/host.ts";
import { seededRandom } from "../../../agents/simulator/process/random.ts";
import { bytesText } from "../../api/quantity.ts";
import { change, existingHost, findDisk, findSwitch, invalid, sizeArgument, type AdminAction } from "./act.ts";

/** Removes a disk's file with its sidecar, attached or not. */
export const deleteDisk: AdminAction = async (stateDir, [disk = ""]) =>
  change(stateDir, (world) => {
    const file = findDisk(world, disk);
    const holders = world.holders(file.path).map(({ vm }) => vm.name);
    world.removeFile(file.path);
    world.removeFile(file.path + SIDECAR);
    for (const { vm } of world.holders(file.path)) world.putVm(vm);
    return `${file.path} is deleted${holders.length > 0 ? `; ${holders.join(", ")} still points at it` : ""}.`;
  });

/** Copies a disk's file to a folder, its identifier and its time of writing with it. */
export const copyDisk: AdminAction = async (stateDir, [disk = "", folder = ""]) =>
  change(stateDir, (world) => {
    const { openBy: _, ...file } = findDisk(world, disk);
    if (folder === "") invalid("FOLDER: expected the folder of the copy");
    const path = join(folder, fileName(file.path));
    if (world.file(path)) invalid(`FOLDER: ${path} exists already`);
    world.putFile({ ...file, path });
    return `${path} is a copy of ${file.path}.`;
  });

/** Writes into a disk's file, as whoever mounts it does. */
export const writeDisk: AdminAction = async (stateDir, [disk = ""]) =>
  change(stateDir, (world) => {
    const file = findDisk(world, disk);
    world.putFile({ ...file, writtenAt: new Date().toISOString() });
    return `${file.path} was written into.`;
  });

/** Another program (a backup) opens the file; "-" closes it. */
export const openDisk: AdminAction = async (stateDir, [disk = "", program = "a backup program"]) =>
  change(stateDir, (world) => {
    const { openBy: _before, ...file } = findDisk(world, disk);
    world.putFile(program === "-" ? file : { ...file, openBy: program });
    return program === "-" ? `${file.path} is closed again.` : `${file.path} is now open by ${program}.`;
  });

export const renameSwitch: AdminAction = async (stateDir, [from = "", to = ""]) =>
  change(stateDir, (world) => {
    const found = findSwitch(world, from);
    if (to === "") invalid("NEW-NAME: expected the switch's new name");
    world.putSwitch({ ...found, name: to });
    return `Switch ${found.name} is now named ${to}; adapters stay connected to it.`;
  });

export const deleteSwitch: AdminAction = async (stateDir, [name = ""]) =>
  change(stateDir, (world) => {
    const found = findSwitch(world, name);
    world.tx.delete(`switch:${found.id}`);
    return `Switch ${found.name} is gone; its adapters are connected to nothing.`;
  });

/** FILE with extension (.vhdx, .vhd, .iso), optionally size and folder. A name with debian, ubuntu, windows and so on boots. */
export const addImageFile: AdminAction = async (stateDir, [file = "", size = "20Gi", folder = "D:\\Images"]) =>
  change(stateDir, (world) => {
    if (!/\.(vhdx|vhd|iso)$/i.test(file))
      invalid(`FILE: expected a name that ends in .vhdx, .vhd or .iso, got "${file}"`);
    const bytes = sizeArgument(size);
    const os = osByName(stem(file));
    const fileSize = /\.iso$/i.test(file) ? bytes : Math.min(bytes, 2 * 2 ** 30);
    const path = addImage(world, seededRandom(fnv(file) ^ Date.now()), {
      file,
      folder,
      size: bytes,
      fileSize,
      ...(os ? { os } : {}),
    });
    return `Image ${path} is there now (${bytesText(bytes)}${os ? `, boots ${os.family}` : ", boots nothing"}).`;
  });

/** Fills a volume with other files until only so much is free (default 1Gi). */
export const fillVolume: AdminAction = async (stateDir, [root = "", free = "1Gi"]) =>
  change(stateDir, (world) => {
    const wanted = root.replace(/\\*$/, "\\");
    const volume = world.volumes().find((one) => samePath(one.root, wanted));
    const roots = world
      .volumes()
      .map((one) => one.root)
      .join(", ");
    if (!volume) return invalid(`the host has no volume "${root}"; there are: ${roots}`);
    const left = sizeArgument(free);
    const otherBytes = Math.max(0, volume.otherBytes + world.freeBytes(volume) - left);
    world.putVolume({ ...volume, otherBytes });
    return `Volume ${volume.root} is filled with other files; ${bytesText(left)} are free.`;
  });

/** The host answers nothing: agents end, none can be started. */
export const offline: AdminAction = async (stateDir) => {
  existingHost(stateDir);
  writeBehaviour(stateDir, { ...readBehaviour(stateDir), offline: true });
  return "The host is offline: its agents end, and none starts.";
};

export const online: AdminAction = async (stateDir) => {
  existingHost(stateDir);
  writeBehaviour(stateDir, { ...readBehaviour(stateDir), offline: false });
  return "The host is online again.";
};
