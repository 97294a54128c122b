import type { Random } from "../../../src/engine/ports.ts";
import { fnv, hex } from "./hash.ts";
import { fileName, join } from "./paths.ts";
import type { Transaction } from "./state.ts";
import type { ContentOs, Host, Switch, Volume } from "./types.ts";
import { World } from "./world.ts";

const GIB = 2 ** 30;

export interface SeedImage {
  /** File name with its extension: .vhdx, .vhd or .iso. */
  readonly file: string;
  /** Folder; D:\Images when absent. */
  readonly folder?: string;
  /** Virtual size in bytes (an ISO has its file's size). */
  readonly size: number;
  readonly fileSize: number;
  readonly os?: ContentOs;
}

/** What a new simulated host has. Everything absent is as the default has it. */
export interface HostSeed {
  readonly name: string;
  readonly cpu?: number;
  readonly memory?: number;
  readonly volumes?: readonly { readonly root: string; readonly totalBytes: number }[];
  readonly switches?: readonly Pick<Switch, "name" | "type" | "bandwidthMode">[];
  readonly images?: readonly SeedImage[];
}

const linux = (name: string, version: string, generations: readonly (1 | 2)[]): ContentOs => ({
  family: "Linux",
  name,
  version,
  generations,
});

const IMAGES: readonly SeedImage[] = [
  { file: "debian-12.vhdx", size: 20 * GIB, fileSize: 2 * GIB, os: linux("Debian GNU/Linux 12 (bookworm)", "12", [2]) },
  { file: "ubuntu-24.04.vhdx", size: 20 * GIB, fileSize: 3 * GIB, os: linux("Ubuntu 24.04 LTS", "24.04", [2]) },
  {
    file: "windows-server-2025.vhdx",
    size: 40 * GIB,
    fileSize: 11 * GIB,
    os: { family: "Windows", name: "Windows Server 2025 Datacenter", version: "10.0.26100", generations: [2] },
  },
  {
    file: "debian-12-gen1.vhd",
    size: 20 * GIB,
    fileSize: 2 * GIB,
    os: linux("Debian GNU/Linux 12 (bookworm)", "12", [1]),
  },
  { file: "debian-12-netinst.iso", size: 650 * 2 ** 20, fileSize: 650 * 2 ** 20 },
  { file: "aetherv-guest.iso", size: 2 ** 20, fileSize: 2 ** 20 },
];

const VOLUMES = [
  { root: "C:\\", totalBytes: 1024 * GIB },
  { root: "D:\\", totalBytes: 4096 * GIB },
];

const SWITCHES: readonly Pick<Switch, "name" | "type" | "bandwidthMode">[] = [
  { name: "External", type: "External", bandwidthMode: "Weight" },
  { name: "Internal", type: "Internal", bandwidthMode: "Absolute" },
];

/** A system hinted by an image's name, for images that are added without one. */
export const osByName = (name: string): ContentOs | undefined => {
  const generations: readonly (1 | 2)[] = /gen1/i.test(name) ? [1] : [2];
  if (/windows/i.test(name))
    return { family: "Windows", name: "Windows Server 2025 Datacenter", version: "10.0.26100", generations };
  if (/debian|ubuntu|linux|fedora|rocky|alma|rhel|suse/i.test(name)) return linux(name, "1", generations);
  return undefined;
};

const hostOf = (seed: HostSeed): Host => {
  // 4096 pools of 4096 addresses: hosts of one fleet hardly ever share one, as real ones should not.
  const pool = `00155D${hex(fnv(seed.name), 3).toUpperCase()}`;
  return {
    name: seed.name,
    os: "Microsoft Windows Server 2025 Datacenter (simulated)",
    logicalProcessors: seed.cpu ?? 32,
    memoryBytes: seed.memory ?? 256 * GIB,
    reservedBytes: 2 * GIB,
    macPool: { minimum: `${pool}000`, maximum: `${pool}FFF` },
  };
};

const volumeOf = (volume: { root: string; totalBytes: number }): Volume => ({
  ...volume,
  otherBytes: volume.root.toUpperCase() === "C:\\" ? 40 * GIB : GIB,
});

/** Puts an image's file onto the host. */
export const addImage = (world: World, random: Random, image: SeedImage): string => {
  const path = join(image.folder ?? "D:\\Images", fileName(image.file));
  const extension = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  if (extension === "iso") {
    world.putFile({ type: "iso", path, fileSize: image.fileSize });
    return path;
  }
  world.putFile({
    type: "disk",
    path,
    format: extension === "vhd" ? "VHD" : "VHDX",
    diskType: "Dynamic",
    size: image.size,
    fileSize: image.fileSize,
    logicalSectorBytes: 512,
    blockSize: extension === "vhd" ? 2 * 2 ** 20 : 32 * 2 ** 20,
    diskId: random.uuid(),
    readOnly: false,
    ...(image.os ? { os: image.os } : {}),
  });
  return path;
};

/** Fills the state of a new host. Does nothing when it has one already; tells which. */
export const seedHost = (tx: Transaction, random: Random, seed: HostSeed): boolean => {
  if (tx.get("host:self") !== undefined) return false;
  const world = new World(tx);
  tx.put("host:self", hostOf(seed));
  for (const volume of seed.volumes ?? VOLUMES) world.putVolume(volumeOf(volume));
  for (const one of seed.switches ?? SWITCHES) world.putSwitch({ ...one, id: random.uuid() });
  for (const image of seed.images ?? IMAGES) addImage(world, random, image);
  return true;
};
