import { annotations as names } from "../api/annotations.ts";
import type { VMHost, VirtualDisk, VirtualMachine } from "../api/generated/types.ts";
import { bytesOf } from "../api/quantity.ts";
import { keyOf, keyText } from "../api/resource.ts";
import { samePath } from "./paths.ts";
import { validStampUid } from "./snapshotIndex.ts";
import type { HostView, Resource, SnapshotView, World } from "./ports.ts";

/** What is spoken for on one host: everything placed there, stopped or not, and what nobody here manages. Memory in bytes. */
export interface Allocation {
  readonly cpu: number;
  readonly memory: number;
  /** Bytes that disks placed there will still take of a volume, by the volume's identity. */
  readonly storage: ReadonlyMap<string, number>;
}

/** Where an object is placed: by annotation, by a decision not yet in the cache, or by its spec. */
export const placementIn = (world: World, resource: Resource<string, { readonly host?: string }>): string | undefined =>
  resource.metadata.annotations?.[names.host] ?? world.assumedHosts.get(keyText(keyOf(resource))) ?? resource.spec.host;

/** The class of disks that name none: the one marked default, or the only one. */
export const classOf = (
  host: VMHost,
  name: string | undefined,
): { readonly name: string; readonly path: string } | undefined => {
  const classes = host.spec.storageClasses ?? [];
  if (name !== undefined) return classes.find((one) => one.name === name);
  return classes.find((one) => one.default) ?? (classes.length === 1 ? classes[0] : undefined);
};

/** The volume of a folder of the host's layout, as the host reports it. */
export const volumeOf = (
  snapshot: SnapshotView | undefined,
  path: string,
): { readonly volume: string; readonly freeBytes: number; readonly totalBytes: number } | undefined =>
  snapshot?.host?.storage.find((one) => samePath(one.path, path));

/**
 * Space that a new disk takes at once: all of a fixed one, the image's file or the source's for a copy, next to nothing for a dynamic or
 * differencing one (dynamic disks overcommit).
 */
export const firstBytes = (disk: VirtualDisk, snapshot: SnapshotView | undefined): number => {
  const { source, size, diskType } = disk.spec;
  if (source.type === "File") return 0;
  const image = snapshot?.host?.images.find(({ name }) => name === source.image);
  const copied = source.type === "Image" ? (image?.fileSize ?? 0) : 0;
  if (diskType !== "Fixed") return copied;
  return Math.max(copied, size === undefined ? (image?.size ?? 0) : bytesOf(size));
};

/** Everything spoken for, by host name. One pass over all objects. */
export const allocations = (world: World, except?: string): ((host: string) => Allocation) => {
  const machines = byHost(world, world.objects.list("VirtualMachine") as readonly VirtualMachine[], except);
  const disks = byHost(world, world.objects.list("VirtualDisk") as readonly VirtualDisk[], except);
  const owned = new Set(world.objects.list("VirtualMachine").map(({ metadata }) => metadata.uid));
  return (host) => {
    const view = world.host(host);
    const managed = (machines.get(host) ?? []).map((vm) => needsOf(vm, view));
    const unmanaged = unmanagedOf(world, view?.snapshot, owned);
    const all = [...managed, ...unmanaged];
    return {
      cpu: all.reduce((sum, { cpu }) => sum + cpu, 0),
      memory: all.reduce((sum, { memory }) => sum + memory, 0),
      storage: storageOf(
        world.objects.get({ kind: "VMHost", namespace: "", name: host }) as VMHost | undefined,
        disks.get(host) ?? [],
        view,
      ),
    };
  };
};

const byHost = <R extends Resource<string, { readonly host?: string }>>(
  world: World,
  all: readonly R[],
  except: string | undefined,
): ReadonlyMap<string | undefined, readonly R[]> =>
  Map.groupBy(
    all.filter(({ metadata }) => metadata.uid !== except),
    (one) => placementIn(world, one),
  );

interface Needs {
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
}

/** What a machine takes: as its spec says, else (adopted) as it is. */
export const needsOf = (vm: VirtualMachine, view: HostView | undefined): Needs => {
  const { cpu, memory } = vm.spec;
  const [state] = view?.snapshot?.vmsOf(vm.metadata.uid) ?? [];
  return {
    cpu: cpu?.count ?? state?.cpu.count ?? 1,
    memory: memory ? bytesOf(memory.startup) : (state?.memory.startupBytes ?? 0),
  };
};

/** Machines on the host that no object of ours owns. */
const unmanagedOf = (world: World, snapshot: SnapshotView | undefined, owned: ReadonlySet<string>): readonly Needs[] =>
  [...(snapshot?.vms.values() ?? [])]
    .filter((vm) => !owned.has(validStampUid(vm, world.controlPlaneId) ?? ""))
    .map(({ cpu, memory }) => ({ cpu: cpu.count, memory: Math.max(memory.startupBytes, memory.assignedBytes ?? 0) }));

/** Disks placed but not made yet; those made are in the volume's free space already. */
const storageOf = (
  host: VMHost | undefined,
  disks: readonly VirtualDisk[],
  view: HostView | undefined,
): ReadonlyMap<string, number> => {
  const sums = new Map<string, number>();
  for (const disk of host ? disks : []) {
    const made = (view?.snapshot?.disksOf(disk.metadata.uid).length ?? 0) > 0 || disk.status?.path !== undefined;
    const path = host && classOf(host, disk.spec.storageClass)?.path;
    const volume = path === undefined || made ? undefined : volumeOf(view?.snapshot, path)?.volume;
    if (volume !== undefined) sums.set(volume, (sums.get(volume) ?? 0) + firstBytes(disk, view?.snapshot));
  }
  return sums;
};
