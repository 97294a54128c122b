import type { VirtualDisk } from "../../src/api/generated/types.ts";
import type { Placed } from "../../src/engine/placement.ts";
import { placeVirtualDisk } from "../../src/engine/placementRequest.ts";
import type { Blocked, World } from "../../src/engine/ports.ts";
import { diskObject, hostObjects, placementOf, vmObject } from "../shared/objects.ts";
import { wasProvisioned } from "./scene.ts";

const waiting = (reason: string, message: string): Blocked => ({ at: "waiting", reason, message });

/** The disk that this one is made of, in its namespace. */
export const sourceDiskName = ({ spec }: VirtualDisk): string | undefined =>
  spec.source.disk ?? (spec.source.parent?.type === "VirtualDisk" ? spec.source.parent.name : undefined);

/** Where a disk without a placement goes: to its file, to its machine, else to its source, the host of its spec or where there is room. */
export const place = (disk: VirtualDisk, world: World): Placed => {
  const { attachment, host, managementPolicy } = disk.spec;
  const known = wasProvisioned(disk) || isHeld(disk, world);
  if (known || host !== undefined) return placeVirtualDisk(disk, world);
  if (attachment) return withMachine(disk, attachment.virtualMachine, world);
  if (managementPolicy === "Observe")
    return waiting("WaitingForHost", "No host has a file of this disk, and it is only observed: set spec.host.");
  return placeVirtualDisk(disk, world);
};

const isHeld = (disk: VirtualDisk, world: World): boolean =>
  hostObjects(world).some(
    ({ metadata }) => (world.host(metadata.name)?.snapshot?.disksOf(disk.metadata.uid).length ?? 0) > 0,
  );

/** The machine's host, which must be the source's too. */
const withMachine = (disk: VirtualDisk, name: string, world: World): Placed => {
  const vm = vmObject(world, disk, name);
  if (!vm) return waiting("WaitingForReference", `There is no VirtualMachine ${name}.`);
  const host = placementOf(vm, world);
  if (host === undefined) return waiting("WaitingForReference", `VirtualMachine ${name} has no host yet.`);
  const sourceName = sourceDiskName(disk);
  const source = sourceName === undefined ? undefined : diskObject(world, disk, sourceName);
  const sourceHost = source && placementOf(source, world);
  if (sourceHost === undefined || sourceHost === host) return { at: "placed", host };
  const message = `One host must hold everything, but VirtualMachine ${name} is on host ${host}, VirtualDisk ${sourceName} on ${sourceHost}.`;
  return { at: "stalled", reason: "HostMismatch", message };
};
