import type { VirtualMachine } from "../../src/api/generated/types.ts";
import type { Blocked, Effect, HostView, SnapshotView, World } from "../../src/engine/ports.ts";
import type { VmState } from "../../src/protocol/generated/types.ts";
import { isDeleting, isPaused, placementOf, vmObject } from "./objects.ts";
import type { Resource } from "../../src/api/resource.ts";

/** The machine that a disk or adapter belongs to, as seen on the host of that thing. */
export type Machine =
  | { readonly at: "present"; readonly name: string; readonly vm: VirtualMachine; readonly state: VmState }
  /** There, but nothing can be done with it now. */
  | { readonly at: "blocked"; readonly name: string; readonly vm?: VirtualMachine; readonly why: Blocked };

/** Settings of the machine that this object needs: where it looks for the machine. */
export interface Place {
  readonly hostName: string;
  readonly view: HostView;
  readonly snapshot: SnapshotView;
}

const waitingFor = (reason: string, message: string): Blocked => ({ at: "waiting", reason, message });

/** Finds the machine named by an object of its namespace on the host where that object is. */
export const machineOf = (world: World, beside: Resource, name: string, place: Place): Machine => {
  const vm = vmObject(world, beside, name);
  if (!vm)
    return { at: "blocked", name, why: waitingFor("WaitingForReference", `There is no VirtualMachine ${name}.`) };
  const why = unplaced(vm, world, place.hostName) ?? unseen(vm, place);
  if (why) return { at: "blocked", name, vm, why };
  const [state] = place.snapshot.vmsOf(vm.metadata.uid);
  if (!state) return { at: "blocked", name, vm, why: notThere(vm) };
  return { at: "present", name, vm, state };
};

const unplaced = (vm: VirtualMachine, world: World, hostName: string): Blocked | undefined => {
  const vmHost = placementOf(vm, world);
  const name = vm.metadata.name;
  if (vmHost === undefined) return waitingFor("WaitingForReference", `VirtualMachine ${name} has no host yet.`);
  if (vmHost === hostName) return undefined;
  const message = `VirtualMachine ${name} is on host ${vmHost}, this is on ${hostName}: both must be on one host.`;
  return { at: "stalled", reason: "HostMismatch", message };
};

const unseen = (vm: VirtualMachine, { snapshot, hostName }: Place): Blocked | undefined => {
  const name = vm.metadata.name;
  const states = snapshot.vmsOf(vm.metadata.uid);
  if (states.length > 1) return waitingFor("OwnershipAmbiguous", `Several machines carry the mark of ${name}.`);
  const unsure = snapshot.unknownParts.has("vms") || states.some(({ id }) => snapshot.unknownIds.has(id));
  return unsure ? waitingFor("WaitingForReference", `Machines of host ${hostName} could not be read.`) : undefined;
};

const notThere = (vm: VirtualMachine): Blocked =>
  vm.status?.id === undefined
    ? waitingFor("WaitingForReference", `VirtualMachine ${vm.metadata.name} is not created yet.`)
    : waitingFor("WaitingForReference", `VirtualMachine ${vm.metadata.name} is not found on its host.`);

const passing: ReadonlySet<VmState["state"]> = new Set([
  "Starting",
  "Stopping",
  "Saving",
  "Pausing",
  "Resuming",
  "Critical",
  "Other",
]);

/** Whether nothing of the guest runs and nothing of it is kept in a saved state. */
export const isOff = ({ state }: VmState): boolean => state === "Off";

/** The effect that a change has now, given its effect on a running machine; Saved and Paused must be started or stopped first. */
export const effectNow = (state: VmState, whenRunning: Effect): Effect => {
  if (isOff(state)) return "Hot";
  if (state.state === "Saved" || state.state === "Paused") return "Restart";
  return whenRunning;
};

/** What a machine's deletion does on the host: one that was adopted stays, unless its spec says otherwise. */
export const deletionPolicyOf = ({ spec }: VirtualMachine): "Delete" | "Orphan" =>
  spec.deletionPolicy ?? (spec.adopt ? "Orphan" : "Delete");

/** Whether the machine object goes, its machine with it. */
export const goesAway = (vm: VirtualMachine): boolean =>
  isDeleting(vm) && deletionPolicyOf(vm) === "Delete" && !vm.spec.deletionProtection;

/** Why no job may touch the machine now, whatever the change. */
export const untouchable = ({ vm, state }: Machine & { at: "present" }, view: HostView): Blocked | undefined => {
  const name = vm.metadata.name;
  if (goesAway(vm)) return waitingFor("WaitingForReference", `VirtualMachine ${name} is being deleted.`);
  if (isPaused(vm)) return waitingFor("Paused", `VirtualMachine ${name} is paused.`);
  if (vm.spec.managementPolicy === "Observe")
    return waitingFor("Observed", `VirtualMachine ${name} is only observed (managementPolicy).`);
  if (state.clustered) return waitingFor("Observed", `VirtualMachine ${name} is clustered and only observed.`);
  if (passing.has(state.state)) return waitingFor("WaitingForJob", `VirtualMachine ${name} is ${state.state}.`);
  if (state.merging) return waitingFor("WaitingForJob", `Checkpoints of VirtualMachine ${name} are being merged.`);
  const job = view.job(vm.metadata.uid);
  if (job?.operation.startsWith("vm."))
    return waitingFor("WaitingForJob", `${job.operation} of VirtualMachine ${name} runs.`);
  const doubt = view.uncertain(vm.metadata.uid);
  return doubt && waitingFor("WaitingForJob", `VirtualMachine ${name} is looked at again: ${doubt.message}`);
};
