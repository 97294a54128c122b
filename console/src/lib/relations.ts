import type {
  AnyResource,
  ManagedDeployment,
  NetworkAdapter,
  VirtualDisk,
  VirtualMachine,
} from "../../../src/api/generated/types.ts";
import { objects } from "./objects.ts";

/** Objects that belong together, as the objects themselves say. Each reads the live lists. */

const sameNamespace = (a: AnyResource, b: AnyResource): boolean => a.metadata.namespace === b.metadata.namespace;

export const disksOf = (vm: VirtualMachine): readonly VirtualDisk[] =>
  objects
    .of("VirtualDisk")
    .filter((disk) => disk.spec.attachment?.virtualMachine === vm.metadata.name && sameNamespace(disk, vm));

export const adaptersOf = (vm: VirtualMachine): readonly NetworkAdapter[] =>
  objects
    .of("NetworkAdapter")
    .filter((adapter) => adapter.spec.virtualMachine === vm.metadata.name && sameNamespace(adapter, vm));

/** Where an object is, or is meant to be. */
export const hostOf = (object: AnyResource): string | undefined => {
  if (object.kind === "VMHost") return object.metadata.name;
  const placed = object.status?.host ?? object.metadata.annotations?.["aetherv.io/host"];
  if (placed !== undefined) return placed;
  return object.kind === "VirtualMachine" || object.kind === "VirtualDisk" ? object.spec.host : undefined;
};

/** The deployment that made an object. */
export const ownerOf = (object: AnyResource): ManagedDeployment | undefined => {
  const owner = object.metadata.ownerReferences?.find(({ kind }) => kind === "ManagedDeployment");
  return owner && objects.get("ManagedDeployment", object.metadata.namespace ?? "", owner.name);
};

/** Power states that pass by themselves. */
const passing = /ing$/;

export type Power = "on" | "off" | "other" | "none";

export const powerOf = (vm: VirtualMachine): Power => {
  const state = vm.status?.powerState;
  if (state === undefined) return "none";
  if (state === "Running") return "on";
  if (state === "Off" || state === "Stopped" || state === "Saved") return "off";
  return passing.test(state) ? "other" : "off";
};
