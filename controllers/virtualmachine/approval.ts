import { annotations } from "../../src/api/annotations.ts";
import type { VirtualMachine, VMHost } from "../../src/api/generated/types.ts";
import { secondsText } from "../../src/engine/conditions.ts";
import { isImpossible, needsApproval, valueText } from "../../src/engine/plan.ts";
import type { PendingChange, World } from "../../src/engine/ports.ts";
import type { VmState } from "../../src/protocol/generated/types.ts";
import { hasClosed } from "../shared/gate.ts";
import { annotationOf, compact } from "../shared/objects.ts";
import { wantedPower } from "./desired.ts";
import { planHash } from "../shared/planHash.ts";
import { windowOf, windowState } from "./window.ts";
import type { WindowState } from "./window.ts";

export type Latch = NonNullable<NonNullable<VirtualMachine["status"]>["approval"]>;
type Latched = NonNullable<Latch["changes"]>[number];

/** What is approved, and what for. */
export interface Approval {
  /** Names what awaits approval; undefined when nothing does. */
  readonly planHash?: string;
  /** The approval being carried out: kept until all that it names is done, so that a part done does not void it. */
  readonly latch?: Latch;
  /** A power cycle was asked for and is not done. */
  readonly restart: boolean;
  /** The machine was stopped for the latch once: not again. */
  readonly spent?: boolean;
  /** Why changes wait. */
  readonly waits?: { readonly reason: "AwaitingApproval" | "AwaitingWindow"; readonly message: string };
  /** Milliseconds until the window opens, or closes over what is approved. */
  readonly wakeAfterMs?: number;
}

export interface ApprovalContext {
  readonly vm: VirtualMachine;
  readonly host: VMHost | undefined;
  readonly state: VmState;
  /** What is left to do, of the machine and of all that is attached to it. */
  readonly pending: readonly PendingChange[];
  /** Whether something attached works on an approved change. */
  readonly dependentsBusy: boolean;
  readonly world: World;
}

const sameChange = (latched: Latched, change: PendingChange): boolean =>
  latched.path === change.path && latched.to === valueText(change.to);

/** Whether this very change was approved. */
export const isApproved = (latch: Latch | undefined, change: PendingChange): boolean =>
  latch?.changes?.some((one) => sameChange(one, change)) ?? false;

/**
 * Whether a restart was asked for that did not happen yet: the boot began before it, and so did the last change of power that we know
 * of (the host's clock may be behind ours).
 */
export const restartWanted = (vm: VirtualMachine, state: VmState, world: World): boolean => {
  const asked = Date.parse(annotationOf(vm, annotations.restartedAt) ?? "");
  if (Number.isNaN(asked) || asked > world.now.getTime() || state.state !== "Running") return false;
  const job = world.lastJob?.operation === "vm.power" ? world.lastJob.at.getTime() : undefined;
  const after = [Date.parse(state.startedAt ?? ""), Date.parse(vm.status?.offSince ?? ""), job];
  return !after.some((time) => time !== undefined && time >= asked);
};

/**
 * The latch as it was, if any of it is still to be done. A stop that was not begun when its window closed has to wait for the next
 * one; a machine stopped for its changes is started again under the same approval, whatever powerPolicy says.
 */
const kept = (context: ApprovalContext, restart: boolean, window: WindowState): Latch | undefined => {
  const { vm, state, pending, dependentsBusy, world } = context;
  const latch = vm.status?.approval;
  if (!latch) return undefined;
  const running = state.state === "Running";
  const over = window.at === "closed" || hasClosed(latch, world.now);
  if (running && over && !isSpent(vm, latch)) return undefined;
  const open = pending.some((change) => !isImpossible(change.effect) && isApproved(latch, change));
  const stopped = !running && wantedPower(vm) === "Running";
  return open || restart || dependentsBusy || stopped ? latch : undefined;
};

/** Whether the machine was off since the approval was taken up: a change that was not made then would not be made by another stop. */
const isSpent = (vm: VirtualMachine, latch: Latch): boolean =>
  Date.parse(vm.status?.offSince ?? "") >= Date.parse(latch.since ?? "");

/** What there is to approve, by its name. */
interface Offer {
  readonly hash: string | undefined;
  readonly changes: readonly PendingChange[];
}

const latchOf = ({ hash, changes }: Offer, { closes }: WindowState & { at: "open" }, now: Date): Latch => ({
  ...(hash !== undefined && { planHash: hash }),
  // To the millisecond, as offSince: a stop just before the approval is none that was made for it.
  since: now.toISOString(),
  ...(closes && { until: secondsText(closes) }),
  changes: changes.map(({ path, to, effect }) => compact({ path, to: valueText(to), effect }) as Latched),
});

/** Decides about approval: a window delays, and never approves. */
export const approve = (context: ApprovalContext): Approval => {
  const { vm, host, state, pending, world } = context;
  const restart = restartWanted(vm, state, world);
  const window = windowState(windowOf(vm, host), world.now);
  const latch = kept(context, restart, window);
  const all = pending.filter(({ effect }) => needsApproval(effect));
  const open = all.filter((change) => !isApproved(latch, change));
  const hash = planHash(vm.metadata.uid, all);
  const shown = { ...(hash !== undefined && { planHash: hash }), ...(latch && { latch }) };
  if (latch && open.length === 0 && !restart && state.state === "Running" && isSpent(vm, latch)) {
    return { ...shown, restart, spent: true, ...(all.length > 0 && { waits: notDone(vm, all) }) };
  }
  if (open.length === 0 && (!restart || (latch && !isSpent(vm, latch)))) {
    return { ...shown, restart, ...(latch ? closing(latch, world) : restartLater(vm, world)) };
  }
  const automatic = vm.spec.disruption?.approval === "Automatic";
  if (!automatic && !restart && annotationOf(vm, annotations.approve) !== hash) {
    return { ...shown, restart: false, waits: { reason: "AwaitingApproval", message: askFor(vm, all, hash) } };
  }
  return window.at === "open"
    ? relatched({ ...shown, restart, latch: latchOf({ hash, changes: all }, window, world.now) }, world)
    : { ...shown, restart: restart && latch !== undefined, ...windowWaits(window, world.now) };
};

const relatched = (approval: Approval & { latch: Latch }, world: World): Approval => ({
  ...approval,
  ...closing(approval.latch, world),
});

/** When to look again because the window closes: what was not begun by then waits for the next one. */
const closing = ({ until }: Latch, { now }: World): Pick<Approval, "wakeAfterMs"> => {
  const left = Date.parse(until ?? "") - now.getTime();
  return left > 0 ? { wakeAfterMs: left + 500 } : {};
};

/** When to look again for a restart that was asked for a time to come. */
const restartLater = (vm: VirtualMachine, { now }: World): Pick<Approval, "wakeAfterMs"> => {
  const wait = Date.parse(annotationOf(vm, annotations.restartedAt) ?? "") - now.getTime();
  return wait > 0 ? { wakeAfterMs: wait } : {};
};

const pathsOf = (changes: readonly PendingChange[]): string => changes.map(({ path }) => path).join(", ");

const askFor = (vm: VirtualMachine, all: readonly PendingChange[], hash: string | undefined): string =>
  `${pathsOf(all)}: approve with aetherv approve VirtualMachine/${vm.metadata.name} (plan ${hash ?? "none"}).`;

const notDone = (vm: VirtualMachine, all: readonly PendingChange[]): NonNullable<Approval["waits"]> => ({
  reason: "AwaitingApproval",
  message: `The machine was stopped and started, and ${pathsOf(all)} could not be changed. Try again with aetherv restart VirtualMachine/${vm.metadata.name}.`,
});

const windowWaits = (
  window: Extract<WindowState, { at: "closed" }>,
  now: Date,
): Pick<Approval, "waits" | "wakeAfterMs"> => {
  const message = window.problem
    ? `The restart window can't be read: ${window.problem}`
    : `Approved; the restart window opens at ${window.opens?.toISOString() ?? "no time that is known"}.`;
  const wakeAfterMs = window.opens && window.opens.getTime() - now.getTime() + 500;
  return { waits: { reason: "AwaitingWindow", message }, ...(wakeAfterMs !== undefined && { wakeAfterMs }) };
};
