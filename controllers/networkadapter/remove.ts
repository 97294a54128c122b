import { annotations, finalizer } from "../../src/api/annotations.ts";
import type { NetworkAdapter } from "../../src/api/generated/types.ts";
import { deleting, stalled } from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import type { Decision, EventNote, World } from "../../src/engine/ports.ts";
import { statusBefore } from "../shared/closing.ts";
import { goesAway } from "../shared/machine.ts";
import { annotationOf, isPaused, placementOf, vmObject } from "../shared/objects.ts";
import { blockedTrio, jobAct, nextStep, removalOutcome } from "../shared/outcome.ts";
import { removing } from "./plan.ts";
import { find } from "./scene.ts";
import type { Scene } from "./scene.ts";
import { statusOf } from "./status.ts";

const release = (reason: string, message: string, type: EventNote["type"] = "Normal"): Decision => ({
  plan: [],
  act: { do: "release" },
  events: [{ type, reason, message }],
});

export const idle = (adapter: NetworkAdapter, world: World, trio: readonly ConditionDraft[]): Decision => ({
  plan: [],
  act: { do: "nothing" },
  status: statusBefore(adapter, world, trio),
  wakeAfterMs: 5_000,
});

const heldFor = (adapter: NetworkAdapter, world: World): readonly ConditionDraft[] | undefined => {
  if (adapter.spec.deletionProtection) return stalled("DeletionProtected", "spec.deletionProtection is true.");
  if (world.massDelete) return stalled("MassDeleteGuard", world.massDelete.message);
  return undefined;
};

/**
 * What an adapter under deletion does without looking at its machine: it is given up, held, or gone with its machine. Undefined: the
 * machine has to be looked at.
 */
export const removeUnseen = (adapter: NetworkAdapter, world: World): Decision | undefined => {
  if (!adapter.metadata.finalizers?.includes(finalizer)) return { plan: [], act: { do: "nothing" } };
  if (annotationOf(adapter, annotations.forceOrphan) === "true")
    return release(
      "ForceOrphaned",
      `Given up by ${annotations.forceOrphan}: ${adapter.status?.id ?? "no adapter known"}.`,
      "Warning",
    );
  const held = heldFor(adapter, world);
  if (held) return idle(adapter, world, held);
  if (adapter.spec.managementPolicy === "Observe") return release("Released", "Only observed: nothing is touched.");
  const name = adapter.spec.virtualMachine;
  const vm = vmObject(world, adapter, name);
  // A machine's object goes only once its machine is gone or given up, and the adapters with it.
  if (!vm) return release("Released", `VirtualMachine ${name} is gone.`);
  if (placementOf(vm, world) === undefined) return release("Released", `VirtualMachine ${name} was never placed.`);
  if (goesAway(vm)) return idle(adapter, world, deleting(`The adapter goes with VirtualMachine ${name}.`));
  return undefined;
};

/** Takes the adapter out of its machine, or gives it up. */
export const removeOn = (scene: Scene): Decision => {
  const { adapter, world, hostName, view } = scene;
  const found = find(scene);
  const say = (trio: readonly ConditionDraft[]): Decision => ({
    plan: [],
    act: { do: "nothing" },
    status: statusOf(scene, found, { steps: [] }, trio),
    wakeAfterMs: 2_000,
  });
  if (scene.job) return say(deleting(`${scene.job.operation} runs.`));
  if (isPaused(adapter)) return say(deleting("The annotation aetherv.io/paused holds all jobs back."));
  const doubt = view.uncertain(adapter.metadata.uid);
  if (doubt) return { ...say(deleting(`Looked at again: ${doubt.message}`)), act: { do: "look", host: hostName } };
  if (found.at === "ambiguous")
    return say(blockedTrio({ at: "stalled", reason: "OwnershipAmbiguous", message: found.message }));
  if (found.at === "absent") return release("Released", "The adapter is gone.");
  const policy = adapter.spec.deletionPolicy ?? (adapter.spec.adopt ? "Orphan" : "Delete");
  if (policy === "Orphan" && found.state.name === adapter.metadata.name)
    return release("Orphaned", `Adapter ${found.state.id} stays.`);
  const planned = removing(scene, found.state, policy === "Orphan" ? "release" : "delete");
  const plan = { steps: [planned] };
  const next = nextStep(plan.steps);
  return {
    plan: [planned.step],
    act: next ? jobAct(hostName, next) : { do: "nothing" },
    status: statusOf(scene, found, plan, removalOutcome({ plan: plan.steps, lastFault: world.lastFault })),
    wakeAfterMs: 2_000,
  };
};
