import type {
  AdapterState,
  AttachedDisk,
  Delta,
  DiskState,
  HostState,
  Layout,
  TrashItem,
  VmState,
} from "../../../src/protocol/generated/types.ts";
import {
  fileName,
  folderOf,
  isCheckpointFile,
  isPartial,
  isTrash,
  isUnder,
  join,
  looksLikeUid,
  nameUid,
  pathKey,
  samePath,
  stem,
} from "./paths.ts";
import { readNotes } from "./stamp.ts";
import type { Adapter, DiskFile, Drive, HostFile, TrashManifest, Vm } from "./types.ts";
import type { World } from "./world.ts";

const attachedDisk = (world: World, drive: Drive): AttachedDisk => {
  const chain = world.chain(drive.path);
  const file = chain.find((part) => !isCheckpointFile(part.path));
  const { minIOPS, maxIOPS, ...place } = drive;
  return {
    ...place,
    file: file?.path ?? drive.path,
    chain: chain.length > 0 ? chain.map((part) => part.path) : [drive.path],
    ...(file ? { diskId: file.diskId } : {}),
    ...(minIOPS ? { minIOPS } : {}),
    ...(maxIOPS ? { maxIOPS } : {}),
  };
};

const adapterState = (world: World, { switchId, ...adapter }: Adapter): AdapterState => {
  const found = switchId === undefined ? undefined : world.switches().find((one) => one.id === switchId);
  return { ...adapter, connected: found !== undefined, ...(found ? { switchName: found.name } : {}) };
};

const optional = <T extends object>(key: string, value: T | string | undefined): object =>
  value === undefined ? {} : { [key]: value };

const picked = (items: Vm["kvpHost"], pattern: RegExp): Record<string, string> | undefined => {
  const entries = Object.entries(items).filter(([key]) => pattern.test(key));
  return entries.length > 0 ? Object.fromEntries(entries.slice(0, 32)) : undefined;
};

const kvpState = (toGuest: Vm["kvpHost"], fromGuest: Vm["kvpGuest"]): VmState["kvp"] => {
  const guest = picked(fromGuest, /^aetherv\.guest\./);
  const host = picked(toGuest, /^aetherv\.config\..*\.manifest$/);
  return guest || host ? { ...(guest ? { guest } : {}), ...(host ? { host } : {}) } : undefined;
};

/** A machine as the protocol shows it. */
export const vmState = (world: World, vm: Vm): VmState => {
  const { notes: raw, drives, adapters, checkpoints, ...rest } = vm;
  const {
    scsiControllers: _s,
    keyProtector: _k,
    due: _d,
    hung: _h,
    kvpHost,
    kvpGuest,
    guestAgent: _a,
    ...shown
  } = rest;
  const { notes, stamp } = readNotes(raw);
  return {
    ...shown,
    notes,
    ...optional("stamp", stamp),
    ...optional("kvp", kvpState(kvpHost, kvpGuest)),
    disks: drives.map((drive) => attachedDisk(world, drive)),
    adapters: adapters.map((adapter) => adapterState(world, adapter)),
    checkpoints: checkpoints.map(({ files: _files, ...checkpoint }) => checkpoint),
  } as VmState;
};

const uidInName = (world: World, path: string): string | undefined => {
  const uid = nameUid(path);
  if (uid === undefined) return undefined;
  return looksLikeUid(uid) || world.sidecar(path)?.uid === uid ? uid : undefined;
};

/** Why the file can't be opened alone now. */
export const busyReason = (world: World, file: DiskFile): string | undefined => {
  if (file.openBy !== undefined) return `open by ${file.openBy}`;
  for (const { vm } of world.holders(file.path)) {
    if (vm.merging) return `a checkpoint of ${vm.name} is being merged`;
    if (vm.state !== "Off") return `attached to ${vm.name}, which is ${vm.state}`;
  }
  return undefined;
};

/** Why a file can't be opened at all: it, or a parent of it, is based on a file that is another one by now. */
export const changedParent = (world: World, path: string): string | undefined => {
  const chain = world.chain(path);
  const broken = chain.find(({ parent }, at) => {
    const found = chain[at + 1];
    return parent && found && (["diskId", "size", "writtenAt"] as const).some((name) => parent[name] !== found[name]);
  });
  return broken && `the parent ${broken.parentPath} of ${broken.path} is not as it was when that was made of it`;
};

export const diskState = (world: World, file: DiskFile): DiskState => {
  const { type: _t, os: _o, openBy: _b, parent: _p, writtenAt: _w, ...shown } = file;
  return {
    ...shown,
    ...optional("uid", uidInName(world, file.path)),
    ...optional("sidecar", world.sidecar(file.path)),
    ...optional("busy", busyReason(world, file)),
    ...optional("unusable", changedParent(world, file.path)),
  };
};

export const MANIFEST = "manifest.json";

export const manifestOf = (world: World, path: string): TrashManifest | undefined => {
  const file = world.file(join(folderOf(path), MANIFEST));
  return file?.type === "text" && file.text !== undefined ? (JSON.parse(file.text) as TrashManifest) : undefined;
};

/** Manifests in the trash with no disk beside them: the disk was restored, or a delete was cut off. */
export const bareManifests = (world: World): readonly { readonly path: string; readonly manifest: TrashManifest }[] => {
  const files = world.files().filter((file) => isTrash(file.path));
  const used = new Set(files.filter((file) => file.type === "disk").map((file) => pathKey(folderOf(file.path))));
  return files.flatMap((file) =>
    file.type === "text" && fileName(file.path) === MANIFEST && !used.has(pathKey(folderOf(file.path)))
      ? [{ path: file.path, manifest: JSON.parse(file.text ?? "{}") as TrashManifest }]
      : [],
  );
};

export const trashItem = (world: World, file: DiskFile): TrashItem | undefined => {
  const manifest = isTrash(file.path) ? manifestOf(world, file.path) : undefined;
  if (!manifest) return undefined;
  const { originalPath, owner, diskId, deletedAt, purgeAt } = manifest;
  return { path: file.path, originalPath, owner, diskId, deletedAt, purgeAt, size: file.size, fileSize: file.fileSize };
};

/** Whether an inventory shows the file as a disk: below a managed path, or in a machine's chain. */
export const isManaged = (world: World, layout: Layout, path: string): boolean => {
  if (isTrash(path) || isPartial(path)) return false;
  const classes = layout.storageClasses.map((one) => one.path);
  const roots = [layout.virtualMachinePath, ...classes, ...(layout.adoptionPaths ?? [])];
  return roots.some((root) => isUnder(path, root)) || world.holders(path).length > 0;
};

const imageFormat = (file: HostFile): "VHD" | "VHDX" | "ISO" | undefined =>
  file.type === "disk" ? file.format : file.type === "iso" ? "ISO" : undefined;

const osFamily = (name: string): "Linux" | "Windows" | undefined => {
  if (/windows|win(?=-|\d)/i.test(name)) return "Windows";
  return /debian|ubuntu|linux|fedora|centos|rhel|suse|alma|rocky|alpine/i.test(name) ? "Linux" : undefined;
};

/** Files directly in one of the image folders. */
export const images = (world: World, layout: Layout): HostState["images"] =>
  world.files().flatMap((file) => {
    const format = imageFormat(file);
    if (!format || !layout.imagePaths.some((folder) => samePath(folderOf(file.path), folder.replace(/\\+$/, ""))))
      return [];
    const name = stem(file.path);
    const size = file.type === "disk" ? file.size : file.fileSize;
    return [{ name, path: file.path, format, size, fileSize: file.fileSize, ...optional("osFamily", osFamily(name)) }];
  });

const storage = (world: World, layout: Layout): HostState["storage"] => {
  const paths = [...new Set([layout.virtualMachinePath, ...layout.storageClasses.map((one) => one.path)])];
  return paths.flatMap((path) => {
    const volume = world.volumeOf(path);
    if (!volume) return [];
    const provisionedBytes = world
      .filesOn(volume)
      .reduce((sum, file) => sum + (file.type === "disk" ? file.size : 0), 0);
    const freeBytes = world.freeBytes(volume);
    return [{ path, volume: volume.root, totalBytes: volume.totalBytes, freeBytes, provisionedBytes }];
  });
};

/** Most processors and memory of one machine, of configuration version 10.0 and up. */
export const MAXIMUM_PROCESSORS = 240;
export const MAXIMUM_MEMORY = 12 * 2 ** 40;

export const hostState = (world: World, layout: Layout): HostState => {
  const host = world.host();
  return {
    computerName: host.name.toUpperCase().slice(0, 15),
    os: host.os,
    ...optional("cluster", host.cluster),
    cpu: { logicalProcessors: host.logicalProcessors },
    memory: { totalBytes: host.memoryBytes, availableBytes: world.availableMemory() },
    storage: storage(world, layout),
    switches: [...world.switches()],
    images: images(world, layout),
    capabilities: {
      maximumVmProcessors: Math.min(MAXIMUM_PROCESSORS, host.logicalProcessors),
      maximumVmMemoryBytes: MAXIMUM_MEMORY,
      hotAddMemory: true,
      tpm: true,
    },
    macPool: host.macPool,
  };
};

/** What a job touched, to be read afresh at its end. */
export interface Touched {
  readonly vms?: readonly string[];
  readonly disks?: readonly string[];
  readonly trash?: readonly string[];
}

const split = <T, S>(
  keys: readonly string[],
  find: (key: string) => T | undefined,
  show: (found: T) => S,
): { upsert: S[]; remove: string[] } => {
  const upsert: S[] = [];
  const remove: string[] = [];
  for (const key of keys) {
    const found = find(key);
    if (found === undefined) remove.push(key);
    else upsert.push(show(found));
  }
  return { upsert, remove };
};

const filled = (part: { upsert: unknown[]; remove: string[] }): object => ({
  ...(part.upsert.length > 0 ? { upsert: part.upsert } : {}),
  ...(part.remove.length > 0 ? { remove: part.remove } : {}),
});

/** The present state of what was touched; what is not there any more is in `remove`. */
export const observe = (world: World, touched: Touched): Delta => {
  const vms = split(
    touched.vms ?? [],
    (id) => world.vm(id),
    (vm) => vmState(world, vm),
  );
  const disks = split(
    touched.disks ?? [],
    (path) => world.disk(path),
    (file) => diskState(world, file),
  );
  const trash = split(
    touched.trash ?? [],
    (path) => {
      const file = world.disk(path);
      return file && trashItem(world, file);
    },
    (item) => item,
  );
  return {
    ...(touched.vms?.length ? { vms: filled(vms) } : {}),
    ...(touched.disks?.length ? { disks: filled(disks) } : {}),
    ...(touched.trash?.length ? { trash: filled(trash) } : {}),
  } as Delta;
};

/** A machine with every file of its disks' chains. */
export const vmAndDisks = (world: World, id: string): Touched => {
  const vm = world.vm(id);
  const disks = vm?.drives.flatMap((drive) => world.chain(drive.path).map((file) => file.path)) ?? [];
  return { vms: [id], disks: [...new Set(disks)] };
};
