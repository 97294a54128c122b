import type { VirtualDisk } from "../../src/api/generated/types.ts";
import type { Blocked, World } from "../../src/engine/ports.ts";
import { accessTo } from "../shared/access.ts";
import { defaultClass, storageClass } from "../shared/layout.ts";
import { diskObject, hostObjects, isDeleting, placementOf, vmObject } from "../shared/objects.ts";
import { wasProvisioned } from "./scene.ts";

export type Placed = { readonly at: "placed"; readonly host: string } | Blocked;

const waiting = (reason: string, message: string): Blocked => ({ at: "waiting", reason, message });
const stalled = (reason: string, message: string): Blocked => ({ at: "stalled", reason, message });

/** The disk that this one is made of, in its namespace. */
export const sourceDiskName = ({ spec }: VirtualDisk): string | undefined =>
  spec.source.disk ?? (spec.source.parent?.type === "VirtualDisk" ? spec.source.parent.name : undefined);

/** Where a disk without a placement goes: to its file, its machine, its source, the host of its spec, else where there is room. */
export const place = (disk: VirtualDisk, world: World): Placed => {
  const held = holding(disk, world);
  if (held) return held;
  const machine = machineHost(disk, world);
  const source = sourceHost(disk, world);
  if (source && source.at !== "placed") return source;
  const hosts = [machine, source].flatMap((one) => (one?.at === "placed" ? one.host : [])).concat(disk.spec.host ?? []);
  const [first] = hosts;
  const other = hosts.find((one) => one !== first);
  if (other !== undefined)
    return stalled(
      "HostMismatch",
      `The disk, its machine and its source must be on one host, but are on ${first} and ${other}.`,
    );
  if (first !== undefined) return { at: "placed", host: first };
  return machine ?? anywhere(disk, world);
};

/** The host that has a file of this disk; a disk that had one goes nowhere else. */
const holding = (disk: VirtualDisk, world: World): Placed | undefined => {
  const names = hostObjects(world).map(({ metadata }) => metadata.name);
  const holder = names.find((name) => (world.host(name)?.snapshot?.disksOf(disk.metadata.uid).length ?? 0) > 0);
  if (holder !== undefined) return { at: "placed", host: holder };
  if (!wasProvisioned(disk)) return undefined;
  const silent = names.find((name) => accessTo(world, name).at !== "up");
  if (silent !== undefined)
    return waiting("HostUnreachable", `The disk was made before; host ${silent}, which may have it, does not answer.`);
  const { host } = disk.status ?? {};
  return host === undefined ? undefined : { at: "placed", host };
};

const machineHost = (disk: VirtualDisk, world: World): Placed | undefined => {
  const name = disk.spec.attachment?.virtualMachine;
  if (name === undefined) return undefined;
  const vm = vmObject(world, disk, name);
  if (!vm) return waiting("WaitingForReference", `There is no VirtualMachine ${name}.`);
  const host = placementOf(vm, world);
  return host === undefined
    ? waiting("WaitingForReference", `VirtualMachine ${name} has no host yet.`)
    : { at: "placed", host };
};

const sourceHost = (disk: VirtualDisk, world: World): Placed | undefined => {
  const name = sourceDiskName(disk);
  if (name === undefined) return undefined;
  const source = diskObject(world, disk, name);
  if (!source) return waiting("WaitingForReference", `There is no VirtualDisk ${name}.`);
  const host = placementOf(source, world);
  return host === undefined
    ? waiting("WaitingForReference", `VirtualDisk ${name} has no host yet.`)
    : { at: "placed", host };
};

/** A disk that nothing ties to a host: the host with its class and image and the most free space. */
const anywhere = (disk: VirtualDisk, world: World): Placed => {
  if (disk.spec.source.type === "File")
    return stalled("InvalidSpec", "spec.host: is required for source type File without an attachment.");
  if (disk.spec.managementPolicy === "Observe")
    return waiting("WaitingForHost", "No host has a file of this disk; it is only observed.");
  const verdicts = hostObjects(world).map((host) => ({
    name: host.metadata.name,
    verdict: fits(disk, world, host.metadata.name),
  }));
  const [best] = verdicts
    .flatMap(({ name, verdict }) => (typeof verdict === "number" ? [{ name, free: verdict }] : []))
    .toSorted((a, b) => b.free - a.free || (a.name < b.name ? -1 : 1));
  if (best) return { at: "placed", host: best.name };
  const why = verdicts.map(({ name, verdict }) => `${name}: ${verdict}`).join("; ");
  return waiting("WaitingForHost", why === "" ? "There is no VMHost." : `No host fits: ${why}.`);
};

/** Free bytes for the disk, or why the host is none for it. */
const fits = (disk: VirtualDisk, world: World, name: string): number | string => {
  const access = accessTo(world, name);
  if (access.at !== "up") return access.message;
  const { host, snapshot } = access;
  if (host.spec.unschedulable) return "unschedulable";
  if (isDeleting(host)) return "is being deleted";
  const wanted = disk.spec.storageClass;
  const klass = wanted === undefined ? defaultClass(host) : storageClass(host, wanted);
  if (!klass) return wanted === undefined ? "no default storage class" : `no storage class ${wanted}`;
  const image = disk.spec.source.image;
  if (image !== undefined && !snapshot.host?.images.some((one) => one.name === image)) return `no image ${image}`;
  return snapshot.host?.storage.find(({ path }) => path === klass.path)?.freeBytes ?? 0;
};
