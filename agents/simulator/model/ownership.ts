import type { Owner } from "../../../src/protocol/generated/types.ts";
import { fail, JobError } from "./errors.ts";
import { nameUid } from "./paths.ts";
import { validStamp } from "./stamp.ts";
import type { DiskFile, Vm } from "./types.ts";
import type { World } from "./world.ts";

const ownerText = (owner: { namespace: string; name: string; uid: string }): string =>
  `${owner.namespace}/${owner.name} (uid ${owner.uid})`;

/** Machines whose stamp counts and names this owner of this control plane; replicas never do. */
export const stampedVms = (world: World, controlPlane: string, uid: string): readonly Vm[] =>
  world.vms().filter((vm) => {
    const stamp = validStamp(vm);
    return !vm.replica && stamp?.uid === uid && stamp.controlPlaneId === controlPlane;
  });

const refuseForeign = (vm: Vm): void => {
  if (vm.replica) fail("OwnedByOther", `${vm.name} is a replica of another host's machine; replicas are left alone`);
  if (vm.clustered) fail("OwnedByOther", `${vm.name} belongs to a failover cluster; it is observed only`);
};

/** The machine of this id, if it is the owner's; undefined when there is none. Throws the ownership errors. */
export const findOwnedVm = (world: World, controlPlane: string, owner: Owner, vmId: string): Vm | undefined => {
  const holders = stampedVms(world, controlPlane, owner.uid);
  if (holders.length > 1 || holders.some((vm) => vm.id !== vmId))
    throw new JobError(
      "OwnershipAmbiguous",
      `${ownerText(owner)} is marked on ${holders.map((vm) => `${vm.name} (${vm.id})`).join(" and ")}, expected only ${vmId}`,
    );
  const vm = world.vm(vmId);
  if (!vm) return undefined;
  refuseForeign(vm);
  const stamp = validStamp(vm);
  if (!stamp) throw new JobError("OwnershipLost", `${vm.name} (${vm.id}) has lost the mark of ${ownerText(owner)}`);
  if (stamp.uid !== owner.uid || stamp.controlPlaneId !== controlPlane)
    throw new JobError(
      "OwnedByOther",
      `${vm.name} is marked for ${ownerText(stamp)} of control plane ${stamp.controlPlaneId}`,
    );
  return vm;
};

export const ownedVm = (world: World, controlPlane: string, owner: Owner, vmId: string): Vm =>
  findOwnedVm(world, controlPlane, owner, vmId) ?? fail("NotFound", `the host has no virtual machine ${vmId}`);

/** Whether the claim may write the owner's stamp on this machine. */
export const checkClaim = (
  vm: Vm,
  controlPlane: string,
  owner: Owner,
  claim: { readonly previousUid?: string },
): void => {
  refuseForeign(vm);
  const stamp = validStamp(vm);
  if (!stamp) return;
  const mine =
    stamp.controlPlaneId === controlPlane && stamp.namespace === owner.namespace && stamp.name === owner.name;
  if (stamp.controlPlaneId === controlPlane && stamp.uid === owner.uid) return;
  if (mine && claim.previousUid === stamp.uid) return;
  fail("OwnedByOther", `${vm.name} is marked for ${ownerText(stamp)} of control plane ${stamp.controlPlaneId}`);
};

/** Whether the file is the owner's: by the uid in its name, else by the pinned identifier. */
export const isOwnDisk = (file: DiskFile, owner: Owner, diskId: string | undefined): boolean =>
  nameUid(file.path) === owner.uid || (diskId !== undefined && file.diskId === diskId);

/** The owner's file at the path; undefined when there is none. */
export const findOwnedDisk = (
  world: World,
  target: { readonly owner: Owner; readonly path: string; readonly diskId?: string },
): DiskFile | undefined => {
  const file = world.disk(target.path);
  if (!file) return undefined;
  if (!isOwnDisk(file, target.owner, target.diskId))
    throw new JobError(
      "OwnedByOther",
      `${file.path} does not carry the uid of ${ownerText(target.owner)}, nor its recorded identifier`,
    );
  return file;
};

export const ownedDisk = (
  world: World,
  target: { readonly owner: Owner; readonly path: string; readonly diskId?: string },
): DiskFile => findOwnedDisk(world, target) ?? fail("NotFound", `${target.path} does not exist`);
