import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { dirname, join } from "node:path";

/** The emulated host's state as state.json holds it; the fields are those of store/Model.cs, and absent ones have its defaults. */
export interface EmulatedHost {
  host?: Record<string, unknown>;
  behaviour?: Record<string, unknown>;
  volumes?: EmulatedVolume[];
  switches?: { id?: string; name: string; switchType?: string; bandwidthReservationMode?: string }[];
  vms?: Record<string, unknown>[];
  [more: string]: unknown;
}

export interface EmulatedVolume {
  /** With the last backslash: D:\ */
  root: string;
  id?: string;
  /** Bytes. */
  capacity?: number;
  otherBytes?: number;
}

/** What a disk's file holds; the fields are those of store/VhdFile.cs. */
export interface EmulatedDisk {
  format?: "VHD" | "VHDX";
  type?: "Dynamic" | "Fixed" | "Differencing";
  /** Bytes the guest sees. */
  size: number;
  /** Bytes the file would take. */
  fileSize?: number;
  blockSize?: number;
  diskIdentifier?: string;
  dataWriteId?: string;
  parentPath?: string;
  parentDataWriteId?: string;
  content?: string;
  os?: "None" | "Linux" | "Windows";
  osName?: string;
  osVersion?: string;
  generations?: number[];
  bodyBytes?: number;
}

/** What goes wrong, as store/Calls.cs reads it. */
export interface EmulatedFault {
  /** A cmdlet, `CIM:class`, `CIM:class.method`, or a beginning with `*`. */
  on: string;
  do: "hang" | "delay" | "throw" | "denied" | "empty" | "kill";
  when?: "before" | "after";
  skip?: number;
  times?: number;
  ms?: number;
  id?: string;
  category?: string;
  message?: string;
  hresult?: number;
}

const HEADER = 8192;
const MAGIC = "AETHERVHD1";

/** Where C:\x lies under the root. */
export const realPath = (root: string, path: string): string =>
  join(root, path.slice(0, 1), ...path.slice(3).split("\\"));

/** Makes a disk's file, folders included. */
export const makeDisk = async (root: string, path: string, disk: EmulatedDisk): Promise<void> => {
  const file = {
    format: path.toLowerCase().endsWith("vhd") ? "VHD" : "VHDX",
    type: "Dynamic",
    fileSize: 4 * 2 ** 20,
    diskIdentifier: randomUUID(),
    dataWriteId: randomUUID(),
    bodyBytes: 4096,
    ...disk,
  };
  const bytes = Buffer.alloc(HEADER + file.bodyBytes + 8);
  bytes.fill(" ", 0, HEADER);
  bytes.write(MAGIC + JSON.stringify(file), 0);
  bytes.write("FOOTER01", bytes.length - 8);
  await mkdir(dirname(realPath(root, path)), { recursive: true });
  await writeFile(realPath(root, path), bytes);
};

/** Reads a disk's header; undefined when there is no whole disk at the path. */
export const readDisk = async (
  root: string,
  path: string,
): Promise<(EmulatedDisk & { format: string }) | undefined> => {
  const bytes = await readFile(realPath(root, path)).catch(() => undefined);
  const text = bytes?.subarray(0, HEADER).toString().trim();
  if (!bytes || !text?.startsWith(MAGIC) || bytes.subarray(-8).toString() !== "FOOTER01") return undefined;
  const disk = JSON.parse(text.slice(MAGIC.length)) as EmulatedDisk & { format: string };
  return bytes.length === HEADER + (disk.bodyBytes ?? 4096) + 8 ? disk : undefined;
};

export const readHost = async (root: string): Promise<EmulatedHost> =>
  JSON.parse(await readFile(join(root, "hyperv/state.json"), "utf8").catch(() => "{}")) as EmulatedHost;

/** Changes the state under the lock that the module takes. The change is seen by the next call of any process. */
export const editHost = async (root: string, change: (host: EmulatedHost) => void): Promise<void> => {
  const folder = join(root, "hyperv");
  await mkdir(folder, { recursive: true });
  const release = await lock(join(folder, "lock"));
  try {
    const host = await readHost(root);
    change(host);
    await writeFile(join(folder, "state.json.edit"), JSON.stringify(host, null, 2));
    await rename(join(folder, "state.json.edit"), join(folder, "state.json"));
  } finally {
    await release();
  }
};

/** A lock this old is a dead process', if its pid is none here: the module may run in a PID namespace of its own. Milliseconds. */
const STALE_MS = 5000;

const lock = async (path: string): Promise<() => Promise<void>> => {
  for (;;) {
    try {
      // Not this process' pid, which the module would look for in its own PID namespace and take for dead: 1 lives in each.
      await writeFile(path, "1", { flag: "wx" });
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const owner = await readFile(path, "utf8").catch(() => "");
      const age = Date.now() - ((await stat(path).catch(() => undefined))?.mtimeMs ?? Date.now());
      const unknown = /^\d+$/.test(owner) && (await stat(`/proc/${owner}`).catch(() => undefined)) === undefined;
      const dead = unknown && age > STALE_MS;
      if (dead) await rm(path, { force: true });
      else await new Promise((done) => setTimeout(done, 5));
    }
  }
};

/** The calls since the log was last cleared, oldest first. */
export const readCalls = async (root: string): Promise<string[]> =>
  (await readFile(join(root, "hyperv/calls.log"), "utf8").catch(() => "")).split("\n").filter((line) => line !== "");

export const clearCalls = (root: string): Promise<void> => rm(join(root, "hyperv/calls.log"), { force: true });

/** Replaces the faults; none: all is well. */
export const setFaults = async (root: string, faults: readonly EmulatedFault[]): Promise<void> => {
  const path = join(root, "hyperv/faults.json");
  if (faults.length === 0) return rm(path, { force: true });
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.edit`, JSON.stringify(faults));
  await rename(`${path}.edit`, path);
};

const GIB = 2 ** 30;

/** A fresh host as the conformance cases take it: that of the simulator's seed. Guests are up at once. */
export const makeHost = async (root: string, change: (host: EmulatedHost) => void = () => undefined): Promise<void> => {
  await mkdir(join(root, "C"), { recursive: true });
  await mkdir(join(root, "D"), { recursive: true });
  await editHost(root, (host) => {
    host.host = { name: "HV01", logicalProcessors: 32, memoryBytes: 256 * GIB, reservedBytes: 2 * GIB, ...host.host };
    host.behaviour = { bootMs: 0, shutdownMs: 0, mergeMs: 0 };
    host.volumes = [
      { root: "C:\\", id: randomUUID(), capacity: 1024 * GIB, otherBytes: 40 * GIB },
      { root: "D:\\", id: randomUUID(), capacity: 4096 * GIB, otherBytes: GIB },
    ];
    host.switches = [
      { id: randomUUID(), name: "External", switchType: "External", bandwidthReservationMode: "Weight" },
      { id: randomUUID(), name: "Internal", switchType: "Internal", bandwidthReservationMode: "Absolute" },
    ];
    change(host);
  });
  for (const [file, image] of Object.entries(IMAGES)) await makeDisk(root, `D:\\Images\\${file}`, image);
  await writeFile(realPath(root, "D:\\Images\\debian-12-netinst.iso"), "ISO");
};

const debian = { os: "Linux", osName: "Debian GNU/Linux 12 (bookworm)", osVersion: "12" } as const;

const IMAGES: Readonly<Record<string, EmulatedDisk>> = {
  "debian-12.vhdx": { size: 20 * GIB, fileSize: 2 * GIB, ...debian, generations: [2] },
  "ubuntu-24.04.vhdx": {
    size: 20 * GIB,
    fileSize: 3 * GIB,
    os: "Linux",
    osName: "Ubuntu 24.04 LTS",
    osVersion: "24.04",
    generations: [2],
  },
  "windows-server-2025.vhdx": {
    size: 40 * GIB,
    fileSize: 11 * GIB,
    os: "Windows",
    osName: "Windows Server 2025 Datacenter",
    osVersion: "10.0.26100",
    generations: [2],
  },
  "debian-12-gen1.vhd": { size: 20 * GIB, fileSize: 2 * GIB, blockSize: 2 * 2 ** 20, ...debian, generations: [1] },
};
