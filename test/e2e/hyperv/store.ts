import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { readDisk, readHost, type EmulatedHost } from "../../rigs/hyperv/host.ts";

/** A machine as state.json of the emulated Hyper-V holds it: what this suite looks at. */
export interface StoredVm {
  id: string;
  name: string;
  generation: number;
  state: string;
  notes: string;
  /** Folder of its configuration. */
  path: string;
  processor: { count: number; relativeWeight: number };
  memory: { dynamicMemoryEnabled: boolean; startup: number; minimum: number; maximum: number };
  firmware: { secureBoot: string; secureBootTemplate: string; bootOrder: string[] };
  tpm: boolean;
  keyProtectorsSet: number;
  drives: StoredDrive[];
  adapters: StoredAdapter[];
}

export interface StoredDrive {
  controllerType: string;
  controllerNumber: number;
  controllerLocation: number;
  path: string;
  minimumIOPS: number;
  maximumIOPS: number;
}

export interface StoredAdapter {
  name: string;
  legacy: boolean;
  dynamic: boolean;
  mac: string;
  switchId: string | null;
  macAddressSpoofing: string;
  dhcpGuard: string;
  routerGuard: string;
  vlan: { mode: string; accessVlanId: number };
}

/** One machine without what differs between two runs: ids, addresses, places of SCSI disks. */
export interface VmView {
  readonly name: string;
  /** Of the stamp that counts; undefined for a machine without one. */
  readonly uid: string | undefined;
  readonly controlPlane: string | undefined;
  readonly generation: number;
  readonly state: string;
  readonly cpu: { readonly count: number; readonly weight: number };
  readonly memory: {
    readonly startup: number;
    readonly dynamic?: { readonly minimum: number; readonly maximum: number };
  };
  readonly firmware?: { readonly secureBoot: boolean; readonly template: string };
  readonly tpm: boolean;
  /** Controller, file and limits, sorted by file; the place only of IDE disks. */
  readonly disks: readonly string[];
  readonly adapters: readonly string[];
  /** File that a generation 2 machine boots. */
  readonly boots?: string;
}

export interface DiskView {
  /** Windows path: of one uid there must be one. */
  readonly path: string;
  readonly size: number;
  readonly type: string;
  readonly format: string;
  readonly parent?: string;
}

export interface StoreView {
  readonly vms: readonly VmView[];
  /** Whole disks outside the images and the trash, partial files included; sorted by path. */
  readonly disks: readonly DiskView[];
  /** File names of the disks in the trash, each with a manifest that names its old path. */
  readonly trash: readonly string[];
}

export const machinesOf = (host: EmulatedHost): StoredVm[] => (host.vms ?? []) as unknown as StoredVm[];

/** What the host holds, read from its own files. */
export const readStore = async (root: string): Promise<StoreView> => {
  const host = await readHost(root);
  const switches = new Map((host.switches ?? []).map(({ id, name }) => [id, name]));
  const paths = await diskPaths(root);
  return {
    vms: machinesOf(host)
      .map((vm) => vmView(vm, switches))
      .toSorted((a, b) => (`${a.name} ${a.uid}` < `${b.name} ${b.uid}` ? -1 : 1)),
    disks: await disksAt(
      root,
      paths.filter((path) => !/^D:\\(AetherV\.Trash|Images)\\/.test(path)),
    ),
    trash: await trashOf(
      root,
      paths.filter((path) => path.startsWith("D:\\AetherV.Trash\\")),
    ),
  };
};

export const fileOf = (path: string): string => path.split("\\").at(-1) ?? path;

const vmView = (vm: StoredVm, switches: ReadonlyMap<string | undefined, string>): VmView => {
  const { processor, memory, firmware } = vm;
  const stamp = stampOf(vm);
  const boots = bootFile(vm);
  return {
    name: vm.name,
    uid: stamp?.uid,
    controlPlane: stamp?.controlPlaneId,
    generation: vm.generation,
    state: vm.state,
    cpu: { count: processor.count, weight: processor.relativeWeight },
    memory: {
      startup: memory.startup,
      ...(memory.dynamicMemoryEnabled && { dynamic: { minimum: memory.minimum, maximum: memory.maximum } }),
    },
    ...(vm.generation === 2 && {
      firmware: { secureBoot: firmware.secureBoot === "On", template: firmware.secureBootTemplate },
    }),
    tpm: vm.tpm,
    disks: vm.drives.map(driveText).toSorted(),
    adapters: vm.adapters.map((adapter) => adapterText(adapter, switches)).toSorted(),
    ...(vm.generation === 2 && boots !== undefined && { boots }),
  };
};

interface Stamp {
  readonly uid: string;
  readonly vmId: string;
  readonly controlPlaneId: string;
}

const stampOf = ({ id, notes }: StoredVm): Stamp | undefined => {
  const text = /(?:^|\n)\[aetherv\] (\{.*\})$/.exec(notes)?.[1];
  const stamp = text === undefined ? undefined : (JSON.parse(text) as Stamp);
  return stamp?.vmId === id ? stamp : undefined;
};

/** The first boot device's file; firmware that was never set starts from the first place. */
const bootFile = ({ firmware, drives }: StoredVm): string | undefined => {
  const first = firmware.bootOrder[0];
  const [, number, location] = /\\(\d+)\\(\d+)\\D$/.exec(first ?? "\\0\\0\\D") ?? [];
  const drive = drives.find(
    (one) => one.controllerNumber === Number(number) && one.controllerLocation === Number(location),
  );
  return drive && fileOf(drive.path);
};

const driveText = (drive: StoredDrive): string => {
  const { controllerType: type, controllerNumber: number, controllerLocation: location } = drive;
  const place = type === "IDE" ? `IDE ${number}:${location}` : type;
  return `${fileOf(drive.path)} ${place} ${drive.minimumIOPS}-${drive.maximumIOPS}`;
};

const adapterText = (adapter: StoredAdapter, switches: ReadonlyMap<string | undefined, string>): string => {
  const { name, legacy, vlan, switchId, dynamic } = adapter;
  const guards = [adapter.macAddressSpoofing, adapter.dhcpGuard, adapter.routerGuard].join("/");
  const net = vlan.mode === "Access" ? `Access ${vlan.accessVlanId}` : vlan.mode;
  const on = switchId === null ? "-" : switches.get(switchId);
  return `${name} ${legacy ? "legacy" : "synthetic"} ${on} ${net} ${guards}${dynamic ? " dynamic MAC" : ""}`;
};

const diskPaths = async (root: string): Promise<readonly string[]> => {
  const found = await Promise.all(
    ["C", "D"].map(async (drive) => {
      const top = join(root, drive);
      const entries = await readdir(top, { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile() && /\.a?vhdx?$/.test(entry.name))
        .map((entry) => join(entry.parentPath, entry.name).slice(top.length + 1))
        .map((path) => `${drive}:\\${path.replaceAll("/", "\\")}`);
    }),
  );
  return found.flat().toSorted();
};

const disksAt = (root: string, paths: readonly string[]): Promise<readonly DiskView[]> =>
  Promise.all(
    paths.map(async (path): Promise<DiskView> => {
      const disk = await readDisk(root, path);
      if (!disk) return { path, size: -1, type: "no whole disk", format: "" };
      const { size, type = "", format, parentPath } = disk;
      return { path, size, type, format, ...(typeof parentPath === "string" && { parent: fileOf(parentPath) }) };
    }),
  );

const trashOf = async (root: string, paths: readonly string[]): Promise<readonly string[]> => {
  const told = await Promise.all(
    paths.map(async (path) => {
      const folder = join(root, "D", ...path.slice(3).split("\\").slice(0, -1));
      const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as { originalPath: string };
      const same = fileOf(manifest.originalPath) === fileOf(path);
      return same ? fileOf(path) : `${basename(folder)}: ${fileOf(path)} is told to be ${manifest.originalPath}`;
    }),
  );
  return told.toSorted();
};
