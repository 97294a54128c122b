import type { VirtualMachine } from "../../src/api/generated/types.ts";
import * as conditions from "../../src/engine/conditions.ts";
import { pathKey } from "../../src/engine/paths.ts";
import { pendingOf } from "../../src/engine/plan.ts";
import type { PendingChange, Step, World } from "../../src/engine/ports.ts";
import type { VmState } from "../../src/protocol/generated/types.ts";
import { hostObjects, namespaceOf } from "../shared/objects.ts";
import { consentTo } from "./consent.ts";
import type { Place } from "./identity.ts";
import { claimStep, sendClaim, strangersMark } from "./ownership.ts";
import { settingSteps } from "./plan.ts";
import { sightOf } from "./present.ts";
import type { Scene, Verdict } from "./verdict.ts";

/** Whether the adoption was approved and the machine stamped, once. */
export const wasAdopted = (vm: VirtualMachine): boolean =>
  conditions.hasStatus(vm.status?.conditions, "Adopted", "True");

/** Machines that the spec's `adopt` means, on the host named or on all. */
export const adoptable = (vm: VirtualMachine, world: World, on: string | undefined): readonly Place[] => {
  const { adopt } = vm.spec;
  if (!adopt) return [];
  const meant = (state: VmState): boolean =>
    adopt.type === "ID" ? state.id === adopt.id?.toLowerCase() : pathKey(state.name) === pathKey(adopt.name ?? "");
  return hostObjects(world)
    .map(({ metadata: { name } }) => name)
    .filter((name) => on === undefined || name === on)
    .flatMap((host) =>
      [...(world.host(host)?.snapshot?.vms.values() ?? [])]
        .filter((state) => meant(state) && !state.replica)
        .map((state) => ({ host, state })),
    );
};

/** An adoption that is not approved yet: the machine is only looked at. */
export const adoption = (scene: Scene, places: readonly Place[]): Verdict => {
  const { vm, snapshot, hostName, host } = scene;
  const named = vm.spec.adopt?.id ?? vm.spec.adopt?.name ?? "";
  const here = places.filter((one) => one.host === hostName);
  const [place, second] = here;
  if (second) {
    const ids = here.map(({ state }) => state.id).join(", ");
    return {
      trio: conditions.stalled(
        "OwnershipAmbiguous",
        `Host ${hostName} has several machines ${named}: ${ids}. Adopt by ID.`,
      ),
    };
  }
  if (!place) {
    return snapshot.complete
      ? { trio: conditions.stalled("NotFound", `Host ${hostName} has no machine ${named}.`) }
      : { trio: conditions.waiting("WaitingForReference", `Host ${hostName} could not be read completely.`) };
  }
  const sight = sightOf(scene, place.state);
  const stranger = strangersMark(place.state);
  if (stranger !== undefined) {
    return { sight, trio: conditions.stalled("OwnedByOther", `Machine ${place.state.id} belongs to ${stranger}.`) };
  }
  if (!host.spec.adoption?.namespaces?.includes(namespaceOf(vm))) {
    const message = `VMHost ${hostName} does not let namespace ${namespaceOf(vm)} adopt: spec.adoption.namespaces.`;
    return { sight, trio: conditions.stalled("NotAllowed", message) };
  }
  return offered(scene, place.state);
};

const offered = (scene: Scene, state: VmState): Verdict => {
  const { vm, world, host, snapshot } = scene;
  const sight = sightOf(scene, state);
  const steps = settingSteps({ ...sight, vm, host, hostState: snapshot.host }).map(({ step }) => step);
  const adopted: PendingChange = { path: "spec.adopt", to: state.id, effect: "Disruptive", reason: "AwaitingApproval" };
  const consent = consentTo(vm, world, [adopted, ...pendingOf(steps)]);
  const claim = claimStep(scene, state, { claim: {}, changes: [adopted] });
  const plan: Step[] = [{ ...claim, effect: "Disruptive", reason: "Adoption awaits approval." }, ...steps];
  const common = { sight, pending: consent.pending, approval: consent.approval };
  if (consent.given) return { ...common, ...sendClaim(scene, claim), plan };
  return { ...common, plan, trio: conditions.observed(`Only observed until the adoption is approved. ${consent.how}`) };
};
