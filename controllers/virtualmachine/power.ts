import type { VirtualMachine } from "../../src/api/generated/types.ts";
import { hasStatus } from "../../src/engine/conditions.ts";
import type { Step } from "../../src/engine/ports.ts";
import type { VmPowerSpec, VmState } from "../../src/protocol/generated/types.ts";
import { ownerOf } from "../shared/objects.ts";
import { shutdownOf, wantedPower } from "./desired.ts";

type Wanted = NonNullable<VirtualMachine["spec"]["powerState"]>;
type Target = VmPowerSpec["state"];

/** Power states in the model's words: Stopped, not Off. */
export const shownPower = (state: VmState["state"]): string => (state === "Off" ? "Stopped" : state);

/** States in which Hyper-V itself is at work, so that nothing is sent. */
export const inTransition = (state: VmState): boolean =>
  state.merging || !["Running", "Off", "Saved", "Paused"].includes(state.state);

/**
 * The next change of power on the way to what is wanted. A saved machine is started before anything else: its saved state is
 * never discarded.
 */
export const nextPower = (current: VmState["state"], wanted: Wanted): Target | undefined => {
  switch (current) {
    case "Off":
      return wanted === "Stopped" ? undefined : "Running";
    case "Running":
      return wanted === "Running" ? undefined : wanted === "Stopped" ? "Off" : wanted;
    case "Saved":
    case "Paused":
      return wanted === current ? undefined : "Running";
    default:
      return undefined;
  }
};

/** Whether powerPolicy OnCreate has had its way with this machine once. */
export const powerReachedOnce = (vm: VirtualMachine, state: VmState): boolean =>
  vm.status?.id === state.id && hasStatus(vm.status.conditions, "PowerStateSynced", "True");

/** The power state to bring about now; undefined where it is the user's. */
export const enforcedPower = (vm: VirtualMachine, state: VmState): Wanted | undefined =>
  vm.spec.powerPolicy === "OnCreate" && powerReachedOnce(vm, state) ? undefined : wantedPower(vm);

/** The job that changes power. A stop follows the spec's shutdown mode. */
export const powerStep = (vm: VirtualMachine, vmId: string, from: VmState["state"] | undefined, to: Target): Step => ({
  operation: "vm.power",
  spec: { owner: ownerOf(vm), vmId, state: to, ...(to === "Off" && shutdownOf(vm)) },
  effect: "Hot",
  changes: [
    {
      path: "spec.powerState",
      ...(from !== undefined && { from: shownPower(from) }),
      to: shownPower(to),
    },
  ],
  // An outage for nothing, if it is not meant any more.
  ...(to === "Off" && { destructive: true }),
});

/** Seconds that a change of power may take: the guest's time and some more to turn it off and look. */
export const powerDeadline = (vm: VirtualMachine): number => shutdownOf(vm).timeoutSeconds + 120;
