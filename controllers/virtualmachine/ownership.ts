import { annotations } from "../../src/api/annotations.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { PendingChange, Step } from "../../src/engine/ports.ts";
import type { VmState, VmUpdateSpec } from "../../src/protocol/generated/types.ts";
import { annotationOf, ownerOf } from "../shared/objects.ts";
import { consentTo } from "./consent.ts";
import { sightOf } from "./present.ts";
import { faultTrio, vmJob } from "./verdict.ts";
import type { Scene, Verdict } from "./verdict.ts";

const claimDeadline = 120;

/** The job that writes our stamp on a machine. */
export const claimStep = (
  { vm }: Pick<Scene, "vm">,
  state: VmState,
  { claim, changes }: { readonly claim: NonNullable<VmUpdateSpec["claim"]>; readonly changes: Step["changes"] },
): Step => ({
  operation: "vm.update",
  spec: { owner: ownerOf(vm), vmId: state.id, set: {}, claim },
  effect: "Hot",
  changes,
});

/** Sends the claim. */
export const sendClaim = (scene: Scene, step: Step): Pick<Verdict, "act" | "trio" | "plan"> => ({
  plan: [step],
  act: vmJob(scene, step, claimDeadline),
  trio:
    faultTrio(step.operation, scene.world.lastFault) ??
    conditions.progressing("The machine is marked as this object's."),
});

/** Whose mark the machine carries, for people; undefined when it carries none that counts. */
export const strangersMark = ({ stamp, id }: VmState): string | undefined =>
  stamp && stamp.vmId === id
    ? `${stamp.namespace}/${stamp.name} (uid ${stamp.uid}, control plane ${stamp.controlPlaneId})`
    : undefined;

/** The pinned machine is there without our mark: marked again once its owner says so, never rebuilt. */
export const lostStamp = (scene: Scene, state: VmState): Verdict => {
  const { vm, world } = scene;
  const sight = sightOf(scene, state);
  const stranger = strangersMark(state);
  if (stranger !== undefined) {
    return { sight, trio: conditions.stalled("OwnedByOther", `Machine ${state.id} belongs to ${stranger}.`) };
  }
  const change: PendingChange = {
    path: "metadata.uid",
    to: vm.metadata.uid,
    effect: "Disruptive",
    reason: "OwnershipLost",
  };
  const consent = consentTo(vm, world, [change]);
  const common = { sight, pending: consent.pending, approval: consent.approval };
  if (consent.given)
    return { ...common, ...sendClaim(scene, claimStep(scene, state, { claim: {}, changes: [change] })) };
  const message = `Machine ${state.id} (${state.name}) has lost this object's mark. ${consent.how}`;
  return { ...common, trio: conditions.stalled("OwnershipLost", message) };
};

/** A machine carries this object's name with the uid of a lost object: taken back when the owner names that uid. */
export const changedIdentity = (scene: Scene, state: VmState, uid: string): Verdict => {
  const { vm } = scene;
  const sight = sightOf(scene, state);
  if (annotationOf(vm, annotations.reclaim) === uid) {
    const changes = [{ path: "metadata.uid", from: uid, to: vm.metadata.uid }];
    return { sight, ...sendClaim(scene, claimStep(scene, state, { claim: { previousUid: uid }, changes })) };
  }
  const message = `Machine ${state.id} on host ${scene.hostName} is marked for this name with uid ${uid}, which no object has. Take it back with: aetherv reclaim VirtualMachine/${vm.metadata.name} ${uid}`;
  return { trio: conditions.stalled("IdentityChanged", message) };
};
