import type { NetworkAdapter } from "../../src/api/generated/types.ts";
import { condition, findCondition } from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import { shownChanges } from "../../src/engine/plan.ts";
import { closeStatus } from "../shared/closing.ts";
import { pendingChanges } from "../shared/gate.ts";
import { compact, vmObject } from "../shared/objects.ts";
import type { AdapterState, Vlan } from "../../src/protocol/generated/types.ts";
import type { World } from "../../src/engine/ports.ts";
import { givesWay, isNoMac, macText, wantedMac } from "./mac.ts";
import type { NicPlan } from "./plan.ts";
import type { Found, Scene } from "./scene.ts";

export type Status = NonNullable<NetworkAdapter["status"]>;

/** The status of an adapter whose machine was looked at. */
export const statusOf = (scene: Scene, found: Found, plan: NicPlan, trio: readonly ConditionDraft[]): Status => {
  const { adapter, world, machine, hostName } = scene;
  const pending = shownChanges(pendingChanges(plan.steps, adapter, [machine.vm])).slice(0, 256);
  const status = compact({
    ...(found.at === "present" ? seenStatus(scene, found.state) : { ...adapter.status }),
    host: hostName,
    pendingChanges: pending.length > 0 ? pending : undefined,
  }) as Status;
  return closeStatus(adapter, world, status, [...trio, attached(found, plan), ...addressCondition(adapter, world)]);
};

const seenStatus = ({ adapter, world }: Scene, state: AdapterState): Status => {
  const untold = isNoMac(state.macAddress) || givesWay(world, adapter, state);
  const kept = wantedMac(adapter) ?? (untold ? undefined : state.macAddress);
  const ipAddresses = state.ipAddresses.slice(0, 256);
  return compact({
    id: state.id,
    macAddress: kept === undefined ? undefined : macText(adapter.spec.macAddress ? state.macAddress : kept),
    switchName: state.switchName,
    vlan: shownVlan(state.vlan),
    ipAddresses: ipAddresses.length > 0 ? ipAddresses : undefined,
  }) as Status;
};

const shownVlan = ({ secondaryId, ...vlan }: Vlan): Status["vlan"] =>
  compact({
    ...vlan,
    secondaryIds: vlan.secondaryIds ?? (secondaryId === undefined ? undefined : String(secondaryId)),
  }) as Status["vlan"];

const attached = (found: Found, { steps, blocked }: NicPlan): ConditionDraft => {
  if (found.at === "present") return condition("Attached", "True", "Attached");
  if (found.at === "ambiguous") return condition("Attached", "Unknown", "OwnershipAmbiguous", found.message);
  const gate = blocked ?? steps.map((one) => one.gate).find((one) => one.at === "waiting" || one.at === "stalled");
  return gate && gate.at !== "go" && gate.at !== "pending"
    ? condition("Attached", "False", gate.reason, gate.message)
    : condition("Attached", "False", "NotAttached", "The adapter is not part of its machine yet.");
};

/** Whether the declared addresses reach the guest; nothing when none are declared. Never holds Ready back. */
export const addressCondition = (adapter: NetworkAdapter, world: World): readonly ConditionDraft[] => {
  const { ipv4, ipv6, virtualMachine } = adapter.spec;
  if (!ipv4 && !ipv6) return [];
  const vm = vmObject(world, adapter, virtualMachine);
  if (!vm?.spec.guest) {
    const message = `VirtualMachine ${virtualMachine} has no guest section: addresses are not configured.`;
    return [condition("AddressConfigured", "False", "NoGuestConfiguration", message)];
  }
  const guest = findCondition(vm.status?.conditions, "GuestConfigured");
  return [
    guest?.status === "True"
      ? condition("AddressConfigured", "True", "Applied", "The guest has the declared addresses.")
      : condition("AddressConfigured", "False", guest?.reason ?? "GuestConfigurationPending", guest?.message ?? ""),
  ];
};
