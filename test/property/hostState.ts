import { fileName, folderOf, isTrash, nameUid, pathKey } from "../../agents/simulator/model/paths.ts";
import { readNotes, validStamp } from "../../agents/simulator/model/stamp.ts";
import type { DiskFile, Vm } from "../../agents/simulator/model/types.ts";
import { vmState } from "../../agents/simulator/model/views.ts";
import type { World } from "../../agents/simulator/model/world.ts";
import type { Plane } from "../support/plane.ts";

/** What a host has, without all that differs between two runs of the same specs: ids, MACs, places of controllers, paths by uid. */
export interface HostSummary {
  readonly vms: Readonly<Record<string, unknown>>;
  readonly disks: Readonly<Record<string, unknown>>;
}

const nameByUid = (plane: Plane): ReadonlyMap<string, string> =>
  new Map(plane.objects().map((one) => [one.metadata.uid, `${one.kind}/${one.metadata.name}`]));

const ownerOf = (names: ReadonlyMap<string, string>, path: string): string => {
  const uid = nameUid(path);
  return (uid === undefined ? undefined : names.get(uid)) ?? fileName(path);
};

const adapterName = (name: string): string => name.replace(/\.[0-9a-f]{8}$/, "");

const vmSummary = (world: World, vm: Vm, names: ReadonlyMap<string, string>): unknown => {
  const state = vmState(world, vm);
  const { assignedBytes: _, ...memory } = state.memory;
  const { id: _i, guest: _g, heartbeat: _h, startedAt: _s, path: _p, stamp: _t, version: _v, ...rest } = state;
  return {
    ...rest,
    memory,
    notes: readNotes(vm.notes).notes,
    disks: state.disks.map(({ controllerType, file }) => `${controllerType} ${ownerOf(names, file)}`).toSorted(),
    adapters: state.adapters
      .map(({ id: _a, macAddress: _m, ipAddresses: _ip, name, ...shown }) => ({ name: adapterName(name), ...shown }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    bootOrder: bootSummary(state, names),
  };
};

/** Only what the declared boot order names comes first; the rest of the firmware's list follows the order of attaching. */
const bootSummary = (state: ReturnType<typeof vmState>, names: ReadonlyMap<string, string>): unknown => {
  const [first] = state.bootOrder;
  const text = JSON.stringify(first ?? null);
  const disk = state.disks.find(({ path }) => text.toLowerCase().includes(JSON.stringify(pathKey(path)).slice(1, -1)));
  return disk ? ownerOf(names, disk.file) : (first as { type?: string } | undefined)?.type;
};

const diskSummary = (file: DiskFile, names: ReadonlyMap<string, string>): unknown => ({
  folder: folderOf(file.path),
  size: file.size,
  diskType: file.diskType,
  format: file.format,
  ...(file.parentPath !== undefined && { parent: ownerOf(names, file.parentPath) }),
});

/** Machines of ours by name, and disk files outside the trash by owner. */
export const summary = (plane: Plane): Readonly<Record<string, HostSummary>> => {
  const names = nameByUid(plane);
  return Object.fromEntries(
    [...plane.hosts.values()].map((host) => [host.name, host.read((world) => hostSummary(world, names))]),
  );
};

export const hostSummary = (world: World, names: ReadonlyMap<string, string>): HostSummary => ({
  vms: sorted(
    world
      .vms()
      .filter((vm) => validStamp(vm))
      .map((vm) => [vm.name, vmSummary(world, vm, names)]),
  ),
  disks: sorted(
    world
      .disks()
      .filter(({ path }) => !isTrash(path) && !path.startsWith("D:\\Images"))
      .map((file) => [ownerOf(names, file.path), diskSummary(file, names)]),
  ),
});

const sorted = (entries: readonly (readonly [string, unknown])[]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
