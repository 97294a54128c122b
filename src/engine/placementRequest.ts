import type { NetworkAdapter, VirtualDisk, VirtualMachine } from "../api/generated/types.ts";
import { keyOf } from "../api/resource.ts";
import { firstBytes, needsOf, placementIn } from "./ledger.ts";
import { place, type Placed, type PlacementRequest } from "./placement.ts";
import type { Blocked, Key, Resource, SnapshotView, World } from "./ports.ts";

const sibling = (resource: Resource, kind: string, name: string): Key => ({
  kind,
  namespace: resource.metadata.namespace ?? "",
  name,
});

/** The disk that another is copied from or based on. */
const sourceOf = (disk: VirtualDisk, world: World): VirtualDisk | undefined => {
  const { source } = disk.spec;
  const name = source.disk ?? (source.parent?.type === "VirtualDisk" ? source.parent.name : undefined);
  return name === undefined
    ? undefined
    : (world.objects.get(sibling(disk, "VirtualDisk", name)) as VirtualDisk | undefined);
};

const imageOf = ({ spec: { source } }: VirtualDisk): readonly string[] =>
  [source.image, source.parent?.type === "Image" ? source.parent.name : undefined].flatMap((name) => name ?? []);

const isMade = (disk: VirtualDisk): boolean => disk.status?.path !== undefined;

/** Disks and adapters that the machine's spec waits for or boots from, but nobody declared yet. */
const undeclared = (vm: VirtualMachine, world: World): string | undefined => {
  const { boot, waitFor } = vm.spec;
  const booted = (type: string): readonly string[] =>
    (boot?.order ?? []).filter((entry) => entry.type === type).map(({ name }) => name);
  const wanted = [
    ...[...booted("Disk"), ...(waitFor?.disks ?? [])].map((name) => sibling(vm, "VirtualDisk", name)),
    ...[...booted("NetworkAdapter"), ...(waitFor?.networkAdapters ?? [])].map((name) =>
      sibling(vm, "NetworkAdapter", name),
    ),
  ];
  const missing = wanted.find((key) => world.objects.get(key) === undefined);
  return missing && `${missing.kind} ${missing.name}`;
};

/** Hosts that a machine's disks tie it to, or the disk that has to be placed first. */
const pinsOf = (
  vm: VirtualMachine,
  disks: readonly VirtualDisk[],
  world: World,
): PlacementRequest["pins"] | Blocked => {
  const pins: { host: string; why: string }[] = [];
  for (const disk of disks) {
    const { name } = disk.metadata;
    const host = placementIn(world, disk) ?? disk.status?.host;
    if (host !== undefined) pins.push({ host, why: `VirtualDisk ${name} is` });
    const source = sourceOf(disk, world);
    if (!source || isMade(disk) || source.spec.attachment?.virtualMachine === vm.metadata.name) continue;
    const sourceHost = placementIn(world, source) ?? source.status?.host;
    const why = `VirtualDisk ${source.metadata.name}, which ${name} is made of, is`;
    if (sourceHost === undefined)
      return {
        at: "waiting",
        reason: "WaitingForReference",
        message: `VirtualDisk ${source.metadata.name}, which ${name} is made of, has no host yet.`,
      };
    pins.push({ host: sourceHost, why });
  }
  return pins;
};

// Not by its member `at`: arrays have a method of that name.
const isBlocked = (value: PlacementRequest["pins"] | Blocked): value is Blocked => !Array.isArray(value);

/** Whether the host has the machine that the object wants to adopt. */
const adoptable = ({ adopt }: VirtualMachine["spec"]): PlacementRequest["has"] =>
  adopt &&
  ((snapshot: SnapshotView) =>
    [...snapshot.vms.values()].some((vm) =>
      adopt.type === "ID" ? vm.id === adopt.id?.toLowerCase() : vm.name === adopt.name,
    ));

/**
 * The host for a machine without a placement, with room for its disks and adapters. Waits for disks and adapters that the spec names
 * and that are not declared yet: they may decide the host.
 */
export const placeVirtualMachine = (vm: VirtualMachine, world: World): Placed => {
  const { spec, metadata, status } = vm;
  const referrers = world.referrers(keyOf(vm)).filter((one) => one.metadata.namespace === metadata.namespace);
  const disks = (referrers as readonly VirtualDisk[]).filter(
    (one) => one.kind === "VirtualDisk" && one.spec.attachment?.virtualMachine === metadata.name,
  );
  const adapters = (referrers as readonly Resource[] as readonly NetworkAdapter[]).filter(
    (one) => one.kind === "NetworkAdapter" && one.spec.virtualMachine === metadata.name,
  );
  const absent = spec.host === undefined ? undeclared(vm, world) : undefined;
  if (absent !== undefined)
    return {
      at: "waiting",
      reason: "WaitingForReference",
      message: `There is no ${absent} yet, and it may decide the host.`,
    };
  const pins = pinsOf(vm, disks, world);
  if (isBlocked(pins)) return pins;
  const fresh = disks.filter((disk) => !isMade(disk) && disk.spec.source.type !== "File");
  const has = adoptable(spec);
  return place(
    {
      // What is adopted is there already, and counted there.
      ...(spec.adopt ? { cpu: 0, memory: 0 } : needsOf(vm, undefined)),
      uid: metadata.uid,
      namespace: metadata.namespace ?? "",
      ...(spec.host !== undefined && { host: spec.host }),
      ...(spec.hostSelector && { selector: spec.hostSelector }),
      wasCreated: status?.id !== undefined,
      pins,
      tpm: spec.security?.tpm === true,
      disks: fresh.map((disk) => ({
        storageClass: disk.spec.storageClass,
        bytes: (snapshot) => firstBytes(disk, snapshot),
      })),
      storageClasses: spec.storageClass === undefined ? [] : [spec.storageClass],
      networks: [...new Set(adapters.flatMap((adapter) => adapter.spec.network ?? []))],
      images: [...new Set([...fresh.flatMap(imageOf), ...(spec.dvdDrives ?? []).flatMap(({ image }) => image ?? [])])],
      ...(has && { has }),
    },
    world,
  );
};

/**
 * The host for a disk that no machine decides: its own (spec.host), its source's, else where there is room. A disk attached to a machine
 * goes where the machine is; that is its kind's to say.
 */
export const placeVirtualDisk = (disk: VirtualDisk, world: World): Placed => {
  const { spec, metadata, status } = disk;
  const source = sourceOf(disk, world);
  const sourceHost = source && (placementIn(world, source) ?? source.status?.host);
  if (source && sourceHost === undefined)
    return {
      at: "waiting",
      reason: "WaitingForReference",
      message: `VirtualDisk ${source.metadata.name} has no host yet.`,
    };
  return place(
    {
      uid: metadata.uid,
      namespace: metadata.namespace ?? "",
      ...(spec.host !== undefined && { host: spec.host }),
      wasCreated: status?.path !== undefined || status?.id !== undefined,
      pins:
        source && sourceHost !== undefined ? [{ host: sourceHost, why: `VirtualDisk ${source.metadata.name} is` }] : [],
      cpu: 0,
      memory: 0,
      disks: [{ storageClass: spec.storageClass, bytes: (snapshot) => firstBytes(disk, snapshot) }],
      storageClasses: [],
      networks: [],
      images: imageOf(disk),
      ...(spec.source.type === "File" && {
        has: (snapshot: SnapshotView) => snapshot.disks.has(spec.source.path ?? ""),
      }),
    },
    world,
  );
};
