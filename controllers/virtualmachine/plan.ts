import type { VirtualMachine, VMHost } from "../../src/api/generated/types.ts";
import { valueText } from "../../src/engine/plan.ts";
import type { Effect, LastFault, Step } from "../../src/engine/ports.ts";
import type { HostState, VmConfig, VmState } from "../../src/protocol/generated/types.ts";
import { layoutOf } from "../shared/layout.ts";
import { ownerOf } from "../shared/objects.ts";
import { bootChanges } from "./boot.ts";
import { desiredSpec } from "./desired.ts";
import type { Devices } from "./devices.ts";
import { dvdChanges } from "./dvd.ts";
import type { DrivePlace, DvdChange } from "./dvd.ts";
import { fieldChanges, joinConfig } from "./fields.ts";
import type { FieldChange, RunningEffect } from "./fields.ts";

/** A step, and whether the machine's state allows it now (approval apart). */
export interface Planned {
  readonly step: Step;
  readonly possible: boolean;
}

export interface PlanContext {
  readonly vm: VirtualMachine;
  readonly state: VmState;
  readonly host: VMHost;
  readonly hostState: HostState | undefined;
  readonly devices: Devices;
  readonly drives: readonly DrivePlace[];
  readonly lastFault?: LastFault | undefined;
}

/**
 * What differs between spec and machine, power apart, as jobs in order: what can be done now, what needs the machine off, what is never
 * done. One vm.update holds all fields of one effect.
 */
export const settingSteps = (context: PlanContext): readonly Planned[] => {
  const { vm, state, devices, drives } = context;
  const fields = [
    ...fieldChanges({ spec: desiredSpec(vm), state, host: context.hostState }),
    ...bootChanges(vm, state, devices, drives),
    ...fixedChanges(vm, state),
  ].map((one) => ({ ...one, effect: effectNow(context, one) }));
  const dvds = dvdChanges(vm, state, { devices, host: context.hostState, places: drives }).map((one) => ({
    ...one,
    effect: effectNow(context, one),
  }));
  const frozen = state.state === "Saved" || state.state === "Paused";
  const groups = (effect: Effect): readonly Planned[] => [
    ...updates(
      context,
      fields.filter((one) => one.effect === effect),
      { effect, frozen },
    ),
    ...dvds.filter((one) => one.effect === effect).map((one) => dvdStep(context, one, { effect, frozen })),
  ];
  return [...groups("Hot"), ...groups("Restart"), ...groups("Recreate"), ...groups("Forbidden")];
};

type Changed = { readonly change: FieldChange["change"]; readonly running: RunningEffect };

/** The effect on the machine in its present state: off, everything possible is harmless. */
const effectNow = (context: PlanContext, { change, running }: Changed): Effect => {
  if (running === "Recreate" || running === "Forbidden") return running;
  if (context.state.state === "Off") return "Hot";
  if (running !== "Try") return running;
  return refused(context, change.path, valueText(change.to)) ? "Restart" : "Hot";
};

/** Whether the host refused this change in the machine's present boot. */
const refused = ({ vm, state, lastFault }: PlanContext, path: string, to: string | undefined): boolean =>
  (lastFault?.operation === "vm.update" && lastFault.fault.code === "RequiresPowerOff") ||
  (vm.status?.startedAt === state.startedAt &&
    (vm.status?.pendingChanges ?? []).some((one) => one.path === path && one.to === to && one.effect === "Restart"));

/** Fields that are fixed at creation. */
const fixedChanges = (vm: VirtualMachine, state: VmState): readonly FieldChange[] => {
  const { generation, storageClass } = vm.spec;
  const made = vm.status?.effective?.storageClass;
  const changes: FieldChange[] = [];
  if (generation !== undefined && generation !== state.generation) {
    const reason = "The generation of a machine never changes.";
    const change = { path: "spec.generation", from: state.generation, to: generation };
    changes.push({ change, running: "Forbidden", reason, set: {} });
  }
  if (storageClass !== undefined && made !== undefined && made !== storageClass && vm.status?.id === state.id) {
    const reason = "The machine's folder is fixed at its creation.";
    const change = { path: "spec.storageClass", from: made, to: storageClass };
    changes.push({ change, running: "Recreate", reason, set: {} });
  }
  return changes;
};

interface Timing {
  readonly effect: Effect;
  readonly frozen: boolean;
}

/** Fields that may be refused go in a job of their own, so that the others are not held up by them. */
const updates = (
  context: PlanContext,
  fields: readonly FieldChange[],
  { effect, frozen }: Timing,
): readonly Planned[] => {
  if (effect === "Recreate" || effect === "Forbidden") {
    return fields.map((one) => update(context, [one], { effect, possible: false, reason: one.reason }));
  }
  const now = fields.filter((one) => !frozen || one.frozen);
  const later = fields.filter((one) => frozen && !one.frozen);
  const trial = (one: FieldChange): boolean => one.running === "Try" && context.state.state !== "Off";
  return [
    ...step(
      now.filter((one) => !trial(one)),
      (some) => update(context, some, { effect, possible: true }),
    ),
    ...step(now.filter(trial), (some) => update(context, some, { effect, possible: true })),
    ...step(later, (some) => update(context, some, { effect, possible: false, reason: frozenReason(context) })),
  ];
};

const step = <T>(some: readonly T[], make: (some: readonly T[]) => Planned): readonly Planned[] =>
  some.length > 0 ? [make(some)] : [];

const frozenReason = ({ state }: PlanContext): string =>
  `Waits until the machine is started or resumed; it is ${state.state}.`;

const update = (
  { vm, state }: PlanContext,
  fields: readonly FieldChange[],
  { effect, possible, reason }: { effect: Effect; possible: boolean; reason?: string | undefined },
): Planned => ({
  possible,
  step: {
    operation: "vm.update",
    spec: {
      owner: ownerOf(vm),
      vmId: state.id,
      set: fields.reduce<VmConfig>((all, { set }) => joinConfig(all, set), {}),
    },
    effect,
    changes: fields.map(({ change }) => change),
    ...(reason !== undefined && { reason }),
  },
});

const dvdStep = (context: PlanContext, one: DvdChange, { effect, frozen }: Timing): Planned => {
  const { vm, state, host } = context;
  const target = { owner: ownerOf(vm), vmId: state.id };
  const reason = one.reason ?? (frozen ? frozenReason(context) : undefined);
  const common = { effect, changes: [one.change], ...(reason !== undefined && { reason }) };
  const possible = !frozen && (effect === "Hot" || effect === "Restart");
  return one.operation === "dvd.attach"
    ? {
        possible,
        step: { ...common, operation: one.operation, spec: { ...target, layout: layoutOf(host), ...one.set } },
      }
    : { possible, step: { ...common, operation: one.operation, spec: { ...target, ...one.set } } };
};
