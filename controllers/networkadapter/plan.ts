import type { VirtualMachine } from "../../src/api/generated/types.ts";
import { changeIf } from "../../src/engine/plan.ts";
import type { Blocked, Change, Effect, Step } from "../../src/engine/ports.ts";
import type { AdapterState, NicConfig } from "../../src/protocol/generated/types.ts";
import { effectNow } from "../shared/machine.ts";
import { gateOf, go } from "../shared/gate.ts";
import type { Planned } from "../shared/gate.ts";
import { compact, namespaceOf, ownerOf } from "../shared/objects.ts";
import { desired, isBlocked, plainBandwidth } from "./desired.ts";
import type { Desired } from "./desired.ts";
import { bareMac, freeMac, givesWay, isNoMac, macText, macsElsewhere, otherWith, wantedMac } from "./mac.ts";
import { networkSettings, type Setting } from "./network.ts";
import { reclaimed } from "./reclaim.ts";
import { deadlineSeconds } from "./scene.ts";
import type { Found, Scene, Surroundings } from "./scene.ts";

/** The whole diff of an adapter, what holds it as a whole, and what is wrong beside it. */
export interface NicPlan {
  readonly steps: readonly Planned[];
  /** Nothing is sent. */
  readonly blocked?: Blocked;
  /** Somebody must act, but what can be done is done. */
  readonly wrong?: Blocked;
}

const stalled = (reason: string, message: string): Blocked => ({ at: "stalled", reason, message });
const held = (blocked: Blocked): NicPlan => ({ steps: [], blocked });

export const plan = (scene: Scene, found: Found): NicPlan => {
  if (found.at === "ambiguous") return held(stalled("OwnershipAmbiguous", found.message));
  const { adapter, machine } = scene;
  if (adapter.spec.legacy && machine.state.generation === 2)
    return held(stalled("InvalidSpec", "spec.legacy: a legacy adapter is for generation 1 only."));
  const want = desired(scene);
  if (isBlocked(want)) return held(want);
  return found.at === "absent" ? planNew(scene, want) : planPresent(scene, want, found.state);
};

const stepPlan = (scene: Scene, step: Step): Planned => ({
  step,
  gate: gateOf(step, { beside: scene.adapter, machine: scene.machine, view: scene.view, now: scene.world.now }),
  locks: locksOf(scene),
  deadlineSeconds,
});

export const locksOf = ({ adapter, machine }: Scene): readonly string[] => [
  adapter.metadata.uid,
  machine.vm.metadata.uid,
];

export const targetOf = ({
  adapter,
  machine,
}: Scene): { owner: ReturnType<typeof ownerOf>; vmId: string; vmOwner: ReturnType<typeof ownerOf> } => ({
  owner: ownerOf(adapter),
  vmId: machine.state.id,
  vmOwner: ownerOf(machine.vm),
});

/** Whether the host has just refused this operation on a running machine. */
const refusedHot = ({ world }: Scene, operation: string): boolean =>
  world.lastFault?.operation === operation && world.lastFault.fault.code === "RequiresPowerOff";

/** Effect of adding or removing the adapter now: hot on generation 2 only. */
export const membershipEffect = (scene: Scene, operation: string, legacy: boolean): Effect => {
  const { state } = scene.machine;
  const hot = state.generation === 2 && !legacy && !refusedHot(scene, operation);
  return effectNow(state, hot ? "Hot" : "Restart");
};

const duplicate = (scene: Scene, mac: string | undefined, ownId: string | undefined): Blocked | undefined => {
  const other = mac === undefined || isNoMac(mac) ? undefined : otherWith(scene.world, mac, ownId);
  return (
    other &&
    stalled(
      "DuplicateMacAddress",
      `${macText(mac ?? "")} is also the address of ${other.adapter.name} of machine ${other.machine} on host ${other.host}.`,
    )
  );
};

const configOf = ({ switchName, ...rest }: Desired): NicConfig => ({
  ...rest,
  ...(switchName === null && { connected: false }),
  ...(typeof switchName === "string" && { connected: true, switchName }),
});

const planNew = (scene: Scene, want: Desired): NicPlan => {
  const { adapter } = scene;
  const { spec } = adapter;
  const lost = reclaimed(scene, scene.machine.state);
  if (lost && isBlocked(lost)) return held(lost);
  const adopt = lost?.state ?? (spec.adopt && adopting(scene));
  if (adopt && isBlocked(adopt)) return held(adopt);
  const macAddress = wantedMac(adapter);
  const twice = duplicate(scene, macAddress, adopt?.id);
  if (twice) return held(twice);
  const avoidMacs = adopt || macAddress !== undefined ? [] : macsElsewhere(scene);
  const step: Step<"nic.create"> = {
    operation: "nic.create",
    spec: compact({
      ...targetOf(scene),
      legacy: adopt ? undefined : spec.legacy,
      config: compact({ ...configOf(want), macAddress: adopt ? undefined : macAddress }),
      avoidMacs: avoidMacs.length > 0 ? avoidMacs : undefined,
      adopt: adopt ? { id: adopt.id } : undefined,
    }),
    effect: adopt ? "Hot" : membershipEffect(scene, "nic.create", spec.legacy ?? false),
    changes: lost ? [{ path: "metadata.uid", from: lost.uid, to: adapter.metadata.uid }] : changesOfNew(scene),
  };
  return { steps: [stepPlan(scene, step)] };
};

/** Zeros: the machine is not there yet; such a step is only shown, never sent. */
const noMachine = "00000000-0000-0000-0000-000000000000";

/** The step that will make the adapter once its machine is there; nothing when it was made before or can't be made. */
export const intended = (around: Surroundings, vm: VirtualMachine): readonly Step[] => {
  const { adapter } = around;
  const want = desired(around);
  if (isBlocked(want) || adapter.status?.id !== undefined) return [];
  const macAddress = adapter.spec.adopt ? undefined : wantedMac(adapter);
  const step: Step<"nic.create"> = {
    operation: "nic.create",
    spec: compact({
      owner: ownerOf(adapter),
      vmId: noMachine,
      vmOwner: ownerOf(vm),
      legacy: adapter.spec.legacy,
      config: compact({ ...configOf(want), macAddress }),
    }),
    effect: "Hot",
    changes: changesOfNew(around),
  };
  return [step];
};

const shownFields = [
  "virtualMachine",
  "network",
  "macAddress",
  "legacy",
  "connected",
  "vlan",
  "macSpoofing",
  "dhcpGuard",
  "routerGuard",
  "bandwidth",
] as const;

const changesOfNew = ({ adapter: { spec } }: Surroundings): readonly Change[] =>
  shownFields.flatMap((field) => (spec[field] === undefined ? [] : [{ path: `spec.${field}`, to: spec[field] }]));

/** The adapter of the machine that is to be taken over. */
const adopting = ({ adapter, host, hostName, machine, world }: Scene): AdapterState | Blocked => {
  const { adopt } = adapter.spec;
  const namespace = namespaceOf(adapter);
  if (!host.spec.adoption?.namespaces?.includes(namespace))
    return stalled(
      "NotAllowed",
      `Host ${hostName} does not let namespace ${namespace} take things over (adoption.namespaces).`,
    );
  const found = machine.state.adapters.find((one) =>
    adopt?.id === undefined ? one.macAddress === bareMac(adopt?.macAddress ?? "") : one.id === adopt.id,
  );
  if (!found) {
    const there =
      machine.state.adapters.map(({ id, macAddress }) => `${id} (${macText(macAddress)})`).join(", ") || "none";
    return stalled("NotFound", `spec.adopt: machine ${machine.name} has no such adapter; it has: ${there}.`);
  }
  const owner = world.objects
    .list("NetworkAdapter")
    .find(
      ({ metadata }) =>
        found.name === `${metadata.name}.${metadata.uid.slice(0, 8)}` && metadata.uid !== adapter.metadata.uid,
    );
  return owner ? stalled("OwnedByOther", `The adapter belongs to NetworkAdapter ${owner.metadata.name}.`) : found;
};

const planPresent = (scene: Scene, want: Desired, state: AdapterState): NicPlan => {
  const { adapter, machine } = scene;
  const legacy = adapter.spec.legacy ?? (adapter.spec.adopt ? state.legacy : false);
  const recreate = changeIf("spec.legacy", state.legacy, legacy);
  const hot = settings(scene, want, state);
  const address = macChange(scene, state);
  const off = effectNow(machine.state, "Restart");
  const together = off === "Hot";
  const steps = [
    ...(recreate.length > 0 ? [recreateStep(scene, state, recreate)] : []),
    ...updates(scene, state, "Hot", together ? [...hot, ...address] : hot),
    ...(together ? [] : updates(scene, state, off, address)),
  ];
  const wrong = duplicate(scene, wantedMac(adapter) ?? state.macAddress, state.id);
  return wrong ? { steps, wrong } : { steps };
};

const updates = (
  scene: Scene,
  state: AdapterState,
  effect: Effect,
  settingsLeft: readonly Setting[],
): readonly Planned[] => {
  if (settingsLeft.length === 0) return [];
  const step: Step<"nic.update"> = {
    operation: "nic.update",
    spec: {
      ...targetOf(scene),
      adapterId: state.id,
      set: Object.assign({}, ...settingsLeft.map(({ set }) => set)) as NicConfig,
    },
    effect: effect === "Hot" && refusedHot(scene, "nic.update") ? effectNow(scene.machine.state, "Restart") : effect,
    changes: settingsLeft.flatMap(({ changes }) => changes),
  };
  return [stepPlan(scene, step)];
};

const recreateStep = (scene: Scene, state: AdapterState, changes: readonly Change[]): Planned => {
  const reason = "Only a new adapter can be of the other kind: delete this object and make another.";
  const step: Step<"nic.update"> = {
    operation: "nic.update",
    spec: { ...targetOf(scene), adapterId: state.id, set: {} },
    effect: "Recreate",
    changes,
    reason,
  };
  return stepPlan(scene, step);
};

/** Settings that a running machine takes. */
const settings = (scene: Scene, want: Desired, state: AdapterState): readonly Setting[] => {
  const flags = (["macSpoofing", "dhcpGuard", "routerGuard"] as const).map((name): Setting => ({
    changes: changeIf(`spec.${name}`, state[name], want[name]),
    set: compact({ [name]: want[name] }),
  }));
  const all: Setting[] = [
    ...networkSettings(scene, want, state),
    ...flags,
    {
      changes: changeIf("spec.bandwidth", plainBandwidth(state.bandwidth), want.bandwidth),
      set: compact({ bandwidth: want.bandwidth }),
    },
  ];
  return all.filter(({ changes }) => changes.length > 0);
};

const macChange = (scene: Scene, state: AdapterState): readonly Setting[] => {
  const { adapter, world } = scene;
  const macAddress = wantedMac(adapter) ?? (givesWay(world, adapter, state) ? freeMac(scene) : undefined);
  if (macAddress === undefined || (macAddress === state.macAddress && !state.dynamicMac)) return [];
  const from = state.dynamicMac ? "dynamic" : macText(state.macAddress);
  return [{ changes: [{ path: "spec.macAddress", from, to: macText(macAddress) }], set: { macAddress } }];
};

/** The step that takes the adapter out of its machine, or gives it up. */
export const removing = (scene: Scene, state: AdapterState, how: "delete" | "release"): Planned => {
  const changes = [{ path: "spec.virtualMachine", from: scene.machine.name }];
  const target = { ...targetOf(scene), adapterId: state.id };
  if (how === "release") {
    const step: Step = { operation: "nic.update", spec: { ...target, set: {}, release: true }, effect: "Hot", changes };
    return { step, gate: go, locks: locksOf(scene), deadlineSeconds };
  }
  const effect = membershipEffect(scene, "nic.delete", state.legacy);
  return stepPlan(scene, { operation: "nic.delete", spec: target, effect, changes, destructive: true });
};
