import { isImpossible, needsApproval, valueText, worstEffect } from "../../src/engine/plan.ts";
import type { Blocked, Change, Effect, HostView, PendingChange, Step } from "../../src/engine/ports.ts";
import type { VirtualMachine } from "../../src/api/generated/types.ts";
import type { Resource } from "../../src/api/resource.ts";
import { untouchable } from "./machine.ts";
import type { Machine } from "./machine.ts";

/** Whether a step of a disk or an adapter may be sent now. */
export type Gate =
  | { readonly at: "go" }
  /** Its machine's owner must approve first; listed by the machine. */
  | { readonly at: "pending"; readonly message: string }
  | Blocked;

/** A step with the gate before it, and who must not be touched at the same time. */
export interface Planned {
  readonly step: Step;
  readonly gate: Gate;
  readonly locks: readonly string[];
  readonly deadlineSeconds: number;
}

export const go: Gate = { at: "go" };

/** How the machine's lists name a change of an object attached to it. */
export const pathInMachine = (beside: Resource, path: string): string =>
  `${beside.kind}/${beside.metadata.name}:${path}`;

type Approval = NonNullable<NonNullable<VirtualMachine["status"]>["approval"]>;
type Approved = Approval["changes"];

const approvalOf = (vm: VirtualMachine, beside: Resource, change: Change): NonNullable<Approved>[number] | undefined =>
  vm.status?.approval?.changes?.find(
    (one) => one.path === pathInMachine(beside, change.path) && one.to === valueText(change.to),
  );

/** Whether the machine's controller has taken up an approval of each of these changes. */
export const isApproved = (vm: VirtualMachine, beside: Resource, changes: readonly Change[]): boolean =>
  changes.every((change) => approvalOf(vm, beside, change) !== undefined);

interface Asking {
  readonly beside: Resource;
  readonly machine: Machine & { at: "present" };
  readonly view: HostView;
  readonly now: Date;
}

/** Whether the restart window has closed in which an approval was taken up. */
export const hasClosed = ({ until }: Approval, now: Date): boolean => until !== undefined && now >= new Date(until);

/**
 * The gate before a step that touches a machine: what can be done hot goes, what harms waits for approval, what needs the
 * machine off waits until it is seen off. Only the machine's own controller changes power.
 */
export const gateOf = (
  step: Pick<Step, "effect" | "changes" | "reason">,
  { beside, machine, view, now }: Asking,
): Gate => {
  const { vm } = machine;
  if (isImpossible(step.effect))
    return { at: "stalled", reason: "ForbiddenChange", message: step.reason ?? "The change is impossible." };
  const busy = untouchable(machine, view);
  if (busy) return busy;
  if (!needsApproval(step.effect)) return go;
  const what = step.changes.map(({ path }) => path).join(", ");
  if (!isApproved(vm, beside, step.changes))
    return { at: "pending", message: `${what}: awaits approval of VirtualMachine ${vm.metadata.name}.` };
  if (step.effect === "Disruptive") {
    if (!vm.status?.approval || !hasClosed(vm.status.approval, now)) return go;
    return {
      at: "pending",
      message: `${what}: approved; the restart window of VirtualMachine ${vm.metadata.name} is closed.`,
    };
  }
  const message = `${what}: approved, waits until VirtualMachine ${vm.metadata.name} is off.`;
  return { at: "waiting", reason: "WaitingForPowerOff", message };
};

/**
 * What the status lists as not done: all that is not sent at once. While an approved change is being carried out it keeps the effect
 * that was approved, so that the machine stays off until it is done.
 */
export const pendingChanges = (
  plan: readonly Planned[],
  beside: Resource,
  machines: readonly VirtualMachine[],
): readonly PendingChange[] =>
  plan.flatMap(({ step, gate }) => {
    const reason = step.reason ?? (gate.at === "waiting" || gate.at === "stalled" ? gate.message : undefined);
    return step.changes
      .map((change) => ({ ...change, effect: shownEffect(step.effect, change, beside, machines) }))
      .filter(({ effect }) => gate.at !== "go" || effect !== "Hot")
      .map((change) => ({ ...change, ...(reason !== undefined && { reason }) }));
  });

const shownEffect = (effect: Effect, change: Change, beside: Resource, machines: readonly VirtualMachine[]): Effect =>
  worstEffect([effect, ...machines.flatMap((vm) => approvalOf(vm, beside, change)?.effect ?? [])]);
