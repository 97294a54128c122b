import { annotations } from "../../src/api/annotations.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { Step, World } from "../../src/engine/ports.ts";
import type { VirtualMachine } from "../../src/api/generated/types.ts";
import type { VmState } from "../../src/protocol/generated/types.ts";
import { accessTo } from "../shared/access.ts";
import { deletionPolicyOf } from "../shared/machine.ts";
import { adaptersOfVm, annotationOf, isDeleting, isPaused, ownerOf, placementOf } from "../shared/objects.ts";
import { wasAdopted } from "./adopt.ts";
import { identify, otherHostsMs, unknownHosts } from "./identity.ts";
import type { Identity } from "./identity.ts";
import { inTransition, powerDeadline, powerStep } from "./power.ts";
import { sightOf } from "./present.ts";
import { faultTrio, keptTrio, vmJob } from "./verdict.ts";
import type { Scene, Verdict } from "./verdict.ts";

/** Checkpoints are merged before a machine is removed, which can take long. */
const deleteDeadline = 7200;

const release = (message: string): Verdict => ({ trio: conditions.deleting(message), act: { do: "release" } });

/** Deletion of a machine: nothing is let go before its end is known, but by the owner's word (force-orphan). */
export const deletion = (vm: VirtualMachine, world: World): Verdict => {
  if (annotationOf(vm, annotations.forceOrphan) === "true") return forced();
  const identity = identify(vm, world);
  if (vm.spec.managementPolicy === "Observe") return release("Only observed: nothing is touched.");
  if (vm.spec.adopt && identity.at !== "found" && !wasAdopted(vm)) {
    return release("Never adopted: nothing is touched.");
  }
  if (isPaused(vm)) return { trio: keptTrio(vm, "Paused.") };
  if (vm.spec.deletionProtection) {
    return { trio: conditions.stalled("DeletionProtected", "spec.deletionProtection is true.") };
  }
  if (world.massDelete) {
    const { batch, message } = world.massDelete;
    return { trio: conditions.stalled("MassDeleteGuard", message), deletionBatch: batch };
  }
  return unhindered(vm, world, identity);
};

const forced = (): Verdict => ({
  ...release("Given up by aetherv.io/force-orphan."),
  events: [
    {
      type: "Warning",
      reason: "ForceOrphaned",
      message: "Whatever the machine has on its host was given up (aetherv.io/force-orphan).",
    },
  ],
});

const unhindered = (vm: VirtualMachine, world: World, identity: Identity): Verdict => {
  const hostName = identity.at === "found" ? identity.host : placementOf(vm, world);
  if (hostName === undefined) return release("Never placed.");
  const access = accessTo(world, hostName);
  if (access.at !== "up") {
    return {
      trio: conditions.waiting(
        "HostUnreachable",
        `${access.message} The machine is not given up before its host was seen.`,
      ),
    };
  }
  const scene: Scene = { vm, world, hostName, host: access.host, view: access.view, snapshot: access.snapshot };
  if (access.host.spec.managementPolicy === "Observe" && identity.at === "found") {
    const message = `VMHost ${hostName} is only observed (managementPolicy): the machine is not touched.`;
    return { trio: conditions.stalled("NotAllowed", message) };
  }
  const job = access.view.job(vm.metadata.uid);
  if (job) return { trio: conditions.deleting(`${job.operation} runs.`) };
  const doubt = access.view.uncertain(vm.metadata.uid);
  if (doubt)
    return { trio: conditions.deleting(`Looked at again: ${doubt.message}`), act: { do: "look", host: hostName } };
  switch (identity.at) {
    case "found":
      return remove(scene, identity.state);
    case "ambiguous": {
      const message = `Several machines carry this object's mark: ${identity.places.map(({ host, state }) => `${state.id} on ${host}`).join(", ")}.`;
      return { trio: conditions.stalled("OwnershipAmbiguous", message) };
    }
    case "lost":
      return lost(scene, identity.host, identity.state);
    case "changed":
    case "nowhere":
      return gone(scene);
    default:
      return identity satisfies never;
  }
};

/** The machine with the recorded id carries no mark of ours: the mark was given up on purpose, or taken away. */
const lost = ({ vm }: Scene, host: string, state: VmState): Verdict => {
  if (deletionPolicyOf(vm) === "Orphan") return release("The machine is its host's own again.");
  const message = `Machine ${state.id} on host ${host} does not carry this object's mark, so it is not deleted. Set deletionPolicy Orphan or the annotation aetherv.io/force-orphan to let it go.`;
  return { trio: conditions.stalled("OwnershipLost", message) };
};

/** Absent here: enough if it never was, or was deleted by us; else every other host is asked. */
const gone = (scene: Scene): Verdict => {
  const { vm, world, snapshot, hostName } = scene;
  const deleted = (job: { operation?: string; code?: string } | undefined): boolean =>
    job?.operation === "vm.delete" && job.code === "Success";
  if (!snapshot.complete || (vm.status?.id !== undefined && snapshot.unknownIds.has(vm.status.id))) {
    const message = `Host ${hostName} could not be read completely.`;
    return { trio: conditions.deleting(message), act: { do: "look", host: hostName } };
  }
  const never = vm.status?.id === undefined;
  const unknown = never || deleted(world.lastJob) || deleted(vm.status?.lastJob) ? [] : unknownHosts(world, hostName);
  if (unknown.length === 0) return release("The machine is gone.");
  const message = `The machine is not on host ${hostName}; it is not known whether it is on ${unknown.join(", ")}.`;
  return { trio: conditions.waiting("HostUnreachable", message), wakeAfterMs: otherHostsMs };
};

const remove = (scene: Scene, state: VmState): Verdict => {
  const { vm, world, snapshot } = scene;
  const sight = sightOf(scene, state);
  if (snapshot.unknownIds.has(state.id)) {
    return {
      sight,
      trio: conditions.deleting("The machine could not be read."),
      act: { do: "look", host: scene.hostName },
    };
  }
  if (deletionPolicyOf(vm) === "Orphan") {
    const first = adapterGivenUpFirst(vm, world);
    if (first !== undefined)
      return {
        sight,
        trio: conditions.deleting(`NetworkAdapter ${first} gets its name back first.`),
        wakeAfterMs: 2000,
      };
    return send(scene, state, [releaseStep(vm, state)]);
  }
  if (state.clustered) {
    const message = "The machine belongs to a failover cluster and is only observed: it is not deleted.";
    return { sight, trio: conditions.stalled("NotAllowed", message) };
  }
  if (inTransition(state)) {
    const message = state.merging
      ? "Checkpoints are being merged."
      : `The machine is ${state.stateText ?? state.state}.`;
    return { sight, trio: conditions.deleting(message) };
  }
  const plan = removalPlan(vm, state);
  const verdict = send(scene, state, plan);
  const trio = stuckTrio(scene, state, plan[0]) ?? faultTrio(plan[0].operation, world.lastFault) ?? verdict.trio;
  return { ...verdict, trio };
};

/** A guest that does not answer is not turned off unasked; the spec that could ask for it is gone, so the ways out are told. */
const stuckTrio = (
  { vm, world: { lastFault: last } }: Scene,
  state: VmState,
  { operation }: Step,
): Verdict["trio"] | undefined =>
  last?.operation === operation && last.fault.code === "GuestNotReady"
    ? conditions.waiting(
        last.fault.code,
        `${last.fault.message}. Turn the machine ${state.name} off by hand, or let it stay with: aetherv orphan VirtualMachine/${vm.metadata.name}.`,
      )
    : undefined;

/** An adapter that is given up, too: its name can be given back only while the machine carries our mark. */
const adapterGivenUpFirst = (vm: VirtualMachine, world: World): string | undefined =>
  adaptersOfVm(world, vm).find(
    (adapter) =>
      isDeleting(adapter) &&
      (adapter.spec.deletionPolicy ?? (adapter.spec.adopt ? "Orphan" : "Delete")) === "Orphan" &&
      adapter.spec.managementPolicy !== "Observe" &&
      !adapter.spec.deletionProtection &&
      !isPaused(adapter) &&
      annotationOf(adapter, annotations.forceOrphan) !== "true",
  )?.metadata.name;

const send = (scene: Scene, state: VmState, plan: readonly [Step, ...Step[]]): Verdict => {
  const [next] = plan;
  return {
    sight: sightOf(scene, state),
    plan,
    act: vmJob(scene, next, next.operation === "vm.delete" ? deleteDeadline : powerDeadline(scene.vm)),
    trio: conditions.deleting(`${next.operation} is next.`),
  };
};

const releaseStep = (vm: VirtualMachine, state: VmState): Step => ({
  operation: "vm.update",
  spec: { owner: ownerOf(vm), vmId: state.id, set: {}, release: true },
  effect: "Hot",
  changes: [{ path: "metadata", from: vm.metadata.uid }],
  destructive: true,
});

/** Off first, by the spec's own mode; a paused machine is resumed for it, a saved one is asked to go with all it holds. */
const removalPlan = (vm: VirtualMachine, state: VmState): readonly [Step, ...Step[]] => {
  const power = (from: VmState["state"], to: "Running" | "Off"): Step => ({
    ...powerStep(vm, state.id, from, to),
    destructive: true,
  });
  const rest: Step = {
    operation: "vm.delete",
    spec: { owner: ownerOf(vm), vmId: state.id },
    effect: "Hot",
    changes: [{ path: "metadata", from: vm.metadata.uid }],
    destructive: true,
  };
  switch (state.state) {
    case "Paused":
      return [power("Paused", "Running"), power("Running", "Off"), rest];
    case "Running":
      return [power("Running", "Off"), rest];
    case "Saved":
      return [discard(power("Saved", "Off"), vm, state), rest];
    default:
      return [rest];
  }
};

/** Turns a saved machine off, its saved state with it. */
const discard = (step: Step, vm: VirtualMachine, state: VmState): Step => ({
  ...step,
  operation: "vm.power",
  spec: { owner: ownerOf(vm), vmId: state.id, state: "Off", mode: "TurnOff", timeoutSeconds: 60 },
});
