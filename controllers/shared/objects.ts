import { annotations } from "../../src/api/annotations.ts";
import type { AnnotationName } from "../../src/api/annotations.ts";
import { keyOf, keyText } from "../../src/api/resource.ts";
import type { Key, Resource } from "../../src/api/resource.ts";
import type { NetworkAdapter, VirtualDisk, VirtualMachine, VMHost } from "../../src/api/generated/types.ts";
import type { World } from "../../src/engine/ports.ts";
import type { Owner } from "../../src/protocol/generated/types.ts";

export const namespaceOf = (resource: Resource): string => resource.metadata.namespace ?? "";

export const annotationOf = (resource: Resource, name: AnnotationName): string | undefined =>
  resource.metadata.annotations?.[name];

export const isPaused = (resource: Resource): boolean => annotationOf(resource, annotations.paused) === "true";

export const isDeleting = (resource: Resource): boolean => resource.metadata.deletionTimestamp !== undefined;

/** The owner that jobs name. Throws for a kind that owns nothing on hosts: a programming error. */
export const ownerOf = (resource: VMHost | VirtualMachine | VirtualDisk | NetworkAdapter): Owner => ({
  kind: resource.kind,
  namespace: namespaceOf(resource),
  name: resource.metadata.name,
  uid: resource.metadata.uid,
});

export const hostKey = (name: string): Key => ({ kind: "VMHost", namespace: "", name });

/** The key of an object in the namespace of another. */
export const siblingKey = (resource: Resource, kind: string, name: string): Key => ({
  kind,
  namespace: namespaceOf(resource),
  name,
});

export const hostObject = (world: World, name: string): VMHost | undefined =>
  world.objects.get(hostKey(name)) as VMHost | undefined;

export const hostObjects = (world: World): readonly VMHost[] => world.objects.list("VMHost") as readonly VMHost[];

export const vmObject = (world: World, beside: Resource, name: string): VirtualMachine | undefined =>
  world.objects.get(siblingKey(beside, "VirtualMachine", name)) as VirtualMachine | undefined;

export const diskObject = (world: World, beside: Resource, name: string): VirtualDisk | undefined =>
  world.objects.get(siblingKey(beside, "VirtualDisk", name)) as VirtualDisk | undefined;

/** The placement that was decided: the scheduler's annotation, or one that is not in the cache yet. */
export const recordedPlacement = (resource: Resource, world: World): string | undefined =>
  annotationOf(resource, annotations.host) ?? world.assumedHosts.get(keyText(keyOf(resource)));

/** Where the object is placed: the scheduler's annotation, a placement just decided, or the spec's own word. */
export const placementOf = (resource: Resource<string, { readonly host?: string }>, world: World): string | undefined =>
  recordedPlacement(resource, world) ?? resource.spec.host;

/** Disks whose spec attaches them to the machine, by name. */
export const disksOfVm = (world: World, vm: VirtualMachine): readonly VirtualDisk[] =>
  referring<VirtualDisk>(world, vm, "VirtualDisk", (disk) => disk.spec.attachment?.virtualMachine);

/** Disks that were seen attached to the machine and are declared elsewhere or nowhere by now, by name. */
export const leavingDisksOfVm = (world: World, vm: VirtualMachine): readonly VirtualDisk[] =>
  referring<VirtualDisk>(world, vm, "VirtualDisk", (disk) => disk.status?.attachedTo?.virtualMachine).filter(
    ({ spec }) => spec.attachment?.virtualMachine !== vm.metadata.name,
  );

/** Adapters of the machine, by name. */
export const adaptersOfVm = (world: World, vm: VirtualMachine): readonly NetworkAdapter[] =>
  referring<NetworkAdapter>(world, vm, "NetworkAdapter", (adapter) => adapter.spec.virtualMachine);

const referring = <R extends Resource>(
  world: World,
  vm: VirtualMachine,
  kind: R["kind"],
  vmName: (one: R) => string | undefined,
): readonly R[] =>
  (world.referrers(keyOf(vm)) as readonly R[])
    .filter((one) => one.kind === kind && namespaceOf(one) === namespaceOf(vm) && vmName(one) === vm.metadata.name)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));

/** Hyper-V's name of an adapter of ours: `<name>.<first 8 of the uid>`. */
export const adapterName = (adapter: NetworkAdapter): string =>
  `${adapter.metadata.name}.${adapter.metadata.uid.slice(0, 8)}`;

/** The same object without members that are undefined. */
export const compact = <T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } => {
  const present: Partial<T> = {};
  for (const key of Object.keys(value) as (keyof T)[]) if (value[key] !== undefined) present[key] = value[key];
  return present as { [K in keyof T]: Exclude<T[K], undefined> };
};
