import { annotations as names } from "../api/annotations.ts";
import type { VMHost, VirtualDisk, VirtualMachine } from "../api/generated/types.ts";
import { bytesOf } from "../api/quantity.ts";
import { keyOf, keyOfText, keyText } from "../api/resource.ts";
import { indexed, once } from "./derived.ts";
import { samePath } from "./paths.ts";
import { validStampUid } from "./snapshotIndex.ts";
import type { HostView, Objects, Resource, SnapshotView, World } from "./ports.ts";

/** What is spoken for on one host: everything placed there, stopped or not, and what nobody here manages. Memory in bytes. */
export interface Allocation {
  readonly cpu: number;
  readonly memory: number;
  /** Bytes that disks placed there will still take of a volume, by the volume's identity. */
  readonly storage: ReadonlyMap<string, number>;
}

type Placeable = Resource<string, { readonly host?: string }>;

/** Where an object is placed: by annotation, by a decision not yet in the cache, or by its spec. */
export const placementIn = (world: World, resource: Placeable): string | undefined =>
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

/**
 * Everything spoken for, by host name; `except` is the uid of what is not counted. What is settled on a host is added up once for each
 * state of the objects and of the host: a thousand placements in a row must not go through all objects a thousand times.
 */
export const allocations = (world: World, except?: string): ((host: string) => Allocation) => {
  const [machines, disks] = [machinesIn(world.objects), disksIn(world.objects)];
  const assumed = assumedIn(world);
  const excepted = except === undefined ? undefined : (machines.byUid.get(except) ?? disks.byUid.get(except));
  const apart = new Set<Placeable>(excepted ? [...assumed, excepted] : assumed);
  const unsettled = new Set([...apart].map(settledHost));
  const coming = Map.groupBy(
    assumed.filter((one) => one !== excepted),
    (one) => placementIn(world, one),
  );
  return (host) => {
    const place = { world, view: world.host(host), host: hostObject(world, host), owned: machines };
    const settled = { machines: machines.on.get(host) ?? none, disks: disks.on.get(host) ?? none };
    const sum = unsettled.has(host) ? settledSum(place, without(settled, apart)) : knownSum(place, settled);
    const here = coming.get(host);
    return here ? plus(sum, managedSum(place, ofKinds(here))) : sum;
  };
};

interface Place {
  readonly world: World;
  readonly view: HostView | undefined;
  readonly host: VMHost | undefined;
  /** All machine objects. */
  readonly owned: Settlement;
}

interface Placed {
  readonly machines: readonly Placeable[];
  readonly disks: readonly Placeable[];
}

const none: readonly Placeable[] = [];

const hostObject = (world: World, name: string): VMHost | undefined =>
  world.objects.get({ kind: "VMHost", namespace: "", name }) as VMHost | undefined;

const settledHost = ({ metadata, spec }: Placeable): string | undefined =>
  metadata.annotations?.[names.host] ?? spec.host;

/** Objects of one kind; the list of a host is another one after each change of it, and the lists of the others stay. */
interface Settlement {
  readonly byUid: Map<string, Placeable>;
  readonly on: Map<string, readonly Placeable[]>;
  /** Another one after an object came or went. */
  uids: number;
}

const settlement = (kind: string): ((objects: Objects) => Settlement) =>
  indexed<Placeable, Settlement>({
    kind,
    make: () => ({ byUid: new Map(), on: new Map(), uids: 0 }),
    update: (index, gone, come) => {
      for (const { metadata } of gone) index.byUid.delete(metadata.uid);
      for (const one of come) index.byUid.set(one.metadata.uid, one);
      if (!sameUids(gone, come)) index.uids += 1;
      const [left, added] = [Map.groupBy(gone, settledHost), Map.groupBy(come, settledHost)];
      for (const host of new Set([...left.keys(), ...added.keys()])) {
        if (host === undefined) continue;
        const without = new Set(left.get(host));
        const stays = (index.on.get(host) ?? none).filter((one) => !without.has(one));
        index.on.set(host, [...stays, ...(added.get(host) ?? none)]);
      }
    },
  });

const sameUids = (some: readonly Placeable[], others: readonly Placeable[]): boolean => {
  const uids = new Set(some.map(({ metadata }) => metadata.uid));
  return some.length === others.length && others.every(({ metadata }) => uids.has(metadata.uid));
};

const machinesIn = settlement("VirtualMachine");
const disksIn = settlement("VirtualDisk");

/** Machines and disks whose placement was decided and is not in the cache yet. */
export const assumedIn = ({ assumedHosts, objects }: World): readonly Placeable[] =>
  [...assumedHosts.keys()].flatMap((text) => {
    const one = objects.get(keyOfText(text)) as Placeable | undefined;
    return one && one.metadata.annotations?.[names.host] === undefined ? [one] : [];
  });

const without = ({ machines, disks }: Placed, apart: ReadonlySet<Placeable>): Placed => ({
  machines: machines.filter((one) => !apart.has(one)),
  disks: disks.filter((one) => !apart.has(one)),
});

const ofKinds = (all: readonly Placeable[]): Placed => ({
  machines: all.filter(({ kind }) => kind === "VirtualMachine"),
  disks: all.filter(({ kind }) => kind === "VirtualDisk"),
});

const plus = (a: Allocation, b: Allocation): Allocation => ({
  cpu: a.cpu + b.cpu,
  memory: a.memory + b.memory,
  storage: new Map([
    ...a.storage,
    ...[...b.storage].map(([at, bytes]) => [at, bytes + (a.storage.get(at) ?? 0)] as const),
  ]),
});

interface KnownSum {
  readonly disks: readonly Placeable[];
  readonly uids: number;
  readonly snapshot: SnapshotView | undefined;
  readonly version: number | undefined;
  readonly host: VMHost | undefined;
  readonly sum: Allocation;
}

/** Sums by the machines settled on a host, a list that is another one after each change. */
const knownSums = new WeakMap<readonly Placeable[], KnownSum>();

const knownSum = (place: Place, settled: Placed): Allocation => {
  const { owned, host, view } = place;
  const snapshot = view?.snapshot;
  const found = settled.machines === none ? undefined : knownSums.get(settled.machines);
  const same =
    found?.disks === settled.disks &&
    found.uids === owned.uids &&
    found.snapshot === snapshot &&
    found.version === snapshot?.version &&
    found.host === host;
  if (found && same) return found.sum;
  const sum = settledSum(place, settled);
  if (settled.machines !== none)
    knownSums.set(settled.machines, {
      disks: settled.disks,
      uids: owned.uids,
      snapshot,
      version: snapshot?.version,
      host,
      sum,
    });
  return sum;
};

/** What is managed on a host, and the machines there that no object of ours owns. */
const settledSum = (place: Place, placed: Placed): Allocation => {
  const { world, view, owned } = place;
  const sum = managedSum(place, placed);
  let { cpu, memory } = sum;
  for (const vm of view?.snapshot?.vms.values() ?? []) {
    if (owned.byUid.has(validStampUid(vm, world.controlPlaneId) ?? "")) continue;
    cpu += vm.cpu.count;
    memory += Math.max(vm.memory.startupBytes, vm.memory.assignedBytes ?? 0);
  }
  return { ...sum, cpu, memory };
};

const managedSum = ({ view, host }: Place, { machines, disks }: Placed): Allocation => {
  const needs = (machines as readonly VirtualMachine[]).map((vm) => needsOf(vm, view));
  return {
    cpu: needs.reduce((sum, { cpu }) => sum + cpu, 0),
    memory: needs.reduce((sum, { memory }) => sum + memory, 0),
    storage: host ? storageOf(host, disks as readonly VirtualDisk[], view?.snapshot) : new Map(),
  };
};

interface Needs {
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
}

/** What a machine takes: as its spec says, else (adopted) as it is. */
export const needsOf = (vm: VirtualMachine, view: HostView | undefined): Needs => {
  const told = toldNeeds(vm);
  if (told.cpu !== undefined && told.memory !== undefined) return { cpu: told.cpu, memory: told.memory };
  const [state] = view?.snapshot?.vmsOf(vm.metadata.uid) ?? [];
  return { cpu: told.cpu ?? state?.cpu.count ?? 1, memory: told.memory ?? state?.memory.startupBytes ?? 0 };
};

const toldNeeds = once(({ spec: { cpu, memory } }: VirtualMachine): Partial<Needs> => ({
  ...(cpu?.count !== undefined && { cpu: cpu.count }),
  ...(memory && { memory: bytesOf(memory.startup) }),
}));

/** Disks placed but not made yet, by volume; those made are in the volume's free space already. */
const storageOf = (
  host: VMHost,
  disks: readonly VirtualDisk[],
  snapshot: SnapshotView | undefined,
): ReadonlyMap<string, number> => {
  const sums = new Map<string, number>();
  const volumes = new Map<string | undefined, string | undefined>();
  for (const disk of disks) {
    if (disk.status?.path !== undefined || (snapshot?.disksOf(disk.metadata.uid).length ?? 0) > 0) continue;
    const { storageClass } = disk.spec;
    if (!volumes.has(storageClass)) volumes.set(storageClass, volumeOfClass(host, storageClass, snapshot));
    const volume = volumes.get(storageClass);
    if (volume !== undefined) sums.set(volume, (sums.get(volume) ?? 0) + firstBytes(disk, snapshot));
  }
  return sums;
};

const volumeOfClass = (
  host: VMHost,
  storageClass: string | undefined,
  snapshot: SnapshotView | undefined,
): string | undefined => {
  const path = classOf(host, storageClass)?.path;
  return path === undefined ? undefined : volumeOf(snapshot, path)?.volume;
};
