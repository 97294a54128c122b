import type { VirtualMachine } from "../../src/api/generated/types.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import { isImpossible, pendingOf } from "../../src/engine/plan.ts";
import type { PendingChange, Step, World } from "../../src/engine/ports.ts";
import type { ErrorCode } from "../../src/protocol/errors.ts";
import type { VmPowerSpec, VmState } from "../../src/protocol/generated/types.ts";
import { approve, isApproved } from "./approval.ts";
import type { Approval } from "./approval.ts";
import { busyDependents, dependentChanges } from "./dependents.ts";
import { wantedPower } from "./desired.ts";
import { devicesOf, missingDevices } from "./devices.ts";
import { drivePlaces } from "./dvd.ts";
import { guestVerdict } from "./guest.ts";
import type { GuestVerdict } from "./guest.ts";
import { mediumSteps } from "./medium.ts";
import { settingSteps } from "./plan.ts";
import type { Planned } from "./plan.ts";
import { enforcedPower, inTransition, nextPower, powerDeadline, powerStep, shownPower } from "./power.ts";
import { faultTrio, vmJob } from "./verdict.ts";
import type { Scene, Sight, Verdict } from "./verdict.ts";

/** Seconds that a change of settings may take on the host. */
const updateDeadline = 180;
/** How long a machine stopped for its changes waits for the disks and adapters, and for a job that was cut off, milliseconds. */
const longestOff = 600_000;

export const sightOf = ({ vm, world, snapshot }: Scene, state: VmState): Sight => ({
  state,
  devices: devicesOf(vm, world, state, snapshot),
  drives: drivePlaces(vm, state),
});

/** Everything that is decided about a machine that is there, ours, and free to be worked on. */
interface Standing {
  readonly scene: Scene;
  readonly sight: Sight;
  readonly settings: readonly Planned[];
  readonly pending: readonly PendingChange[];
  readonly approval: Approval;
  readonly guest: GuestVerdict;
}

const standingOf = (scene: Scene, state: VmState): Standing => {
  const { vm, world, host, snapshot } = scene;
  const sight = sightOf(scene, state);
  const settings = settingSteps({
    ...sight,
    vm,
    host,
    hostState: snapshot.host,
    lastFault: world.lastFault,
  });
  const waiting = settings.filter(({ step, possible }) => !possible && step.effect === "Hot").map(({ step }) => step);
  const own = [...pendingOf(settings.map(({ step }) => step)), ...frozenOf(waiting)];
  const pending = [...own, ...dependentChanges(sight.devices)];
  const dependentsBusy = busyDependents(sight.devices, vm.status?.approval).length > 0;
  const approval = approve({ vm, host, state, pending, dependentsBusy, world });
  return { scene, sight, settings, pending, approval, guest: guestVerdict(scene, sight) };
};

const frozenOf = (steps: readonly Step[]): readonly PendingChange[] =>
  steps.flatMap(({ changes, effect, reason = "" }) => changes.map((change) => ({ ...change, effect, reason })));

/** A change of power, and what it waits for. */
interface PowerPlan {
  readonly to: VmPowerSpec["state"];
  /** It is a stop for approved changes. */
  readonly forChanges: boolean;
  readonly waits?: { readonly reason: string; readonly message: string; readonly wakeAfterMs?: number };
}

const powerPlan = (standing: Standing): PowerPlan | undefined => {
  const { scene, sight, pending, approval } = standing;
  const { state } = sight.state;
  const { latch } = approval;
  const forChanges =
    state === "Running" &&
    latch !== undefined &&
    !approval.spent &&
    (approval.restart || pending.some((one) => one.effect === "Restart" && isApproved(latch, one)));
  if (forChanges) return { to: "Off", forChanges };
  // What was stopped for its changes is started again, under powerPolicy OnCreate too.
  const wanted = latch ? wantedPower(scene.vm) : enforcedPower(scene.vm, sight.state);
  const to = wanted && nextPower(state, wanted);
  if (to === undefined) return undefined;
  const waits = to === "Running" && state === "Off" ? startWaits(standing) : undefined;
  return { to, forChanges, ...(waits && { waits }) };
};

const wasStarted = (vm: VirtualMachine, state: VmState): boolean =>
  vm.status?.id === state.id && vm.status.firstStartedAt !== undefined;

/** How long it may stay off for its changes yet, milliseconds. */
const offLeft = (vm: VirtualMachine, { now }: World): number => {
  // Kept while it runs, offSince tells of an earlier stop: this one is seen for the first time.
  const since = vm.status?.powerState === "Stopped" ? vm.status.offSince : undefined;
  return Date.parse(since ?? now.toISOString()) + longestOff - now.getTime();
};

const startWaits = ({ scene: { vm, world }, sight, approval }: Standing): PowerPlan["waits"] => {
  // Without any of its disks it would start into nothing: it was registered again, say, from a configuration without drives.
  const bare = sight.state.disks.length === 0 && sight.devices.disks.length > 0;
  const missing = wasStarted(vm, sight.state) && !bare ? [] : missingDevices(vm, sight.devices);
  if (missing.length > 0) return { reason: "WaitingForDevices", message: `${missing.join("; ")}.` };
  const busy = busyDependents(sight.devices, approval.latch);
  const left = offLeft(vm, world);
  if (busy.length === 0 || left <= 0) return undefined;
  const message = `Off for approved changes; waits for ${busy.join(", ")}.`;
  return { reason: "Applying", message, wakeAfterMs: left + 500 };
};

/** What can be sent now, the most urgent first. */
const candidates = ({ scene, sight, settings, guest }: Standing, power: PowerPlan | undefined): Step[] => {
  const { vm } = scene;
  const { state } = sight;
  const doable = settings.filter(({ step, possible }) => possible && step.effect === "Hot").map(({ step }) => step);
  const powered = power && !power.waits ? [powerStep(vm, state.id, state.state, power.to)] : [];
  // A saved or paused machine takes nothing: it is started or resumed first.
  if (state.state === "Saved" || state.state === "Paused") return [...powered, ...doable];
  const medium = mediumSteps(scene, sight, { configured: isConfigured(guest), silent: guest.silent === true });
  return [...doable, ...medium, ...powered, ...(guest.step ? [guest.step] : [])];
};

const isConfigured = ({ condition }: GuestVerdict): boolean => condition?.status === "True";

/** Ends of a job that say nothing of the change itself: its way to the host broke, or others were in it. */
const untold: ReadonlySet<ErrorCode> = new Set([
  "HostUnreachable",
  "Timeout",
  "ProtocolError",
  "Busy",
  "VersionMismatch",
  "StaleController",
]);

/** Off for approved changes whose job was cut off: started without them, they would not be made by another stop. */
const isCutOff = ({ scene: { vm, world }, sight, approval }: Standing): boolean => {
  const last = world.lastFault;
  if (approval.latch === undefined || sight.state.state !== "Off" || last?.operation !== "vm.update") return false;
  return untold.has(last.fault.code) && offLeft(vm, world) > 0;
};

/** What to do with a machine that is there. */
export const present = (scene: Scene, state: VmState): Verdict => {
  const standing = standingOf(scene, state);
  const { sight, pending, approval, settings, guest } = standing;
  const power = powerPlan(standing);
  const common = {
    sight,
    pending,
    approval,
    plan: wholePlan(standing, power),
    ...wakeOf(approval, power),
    ...(guest.metadata && { metadata: guest.metadata }),
    ...(guest.status && { guest: guest.status }),
  };
  const guestCondition = guest.condition ? [guest.condition] : [];
  const busy = busyMessage(scene, state);
  if (busy)
    return {
      ...common,
      trio: conditions.waiting("WaitingForJob", busy),
      more: [...restartRequired(standing, power), ...guestCondition],
    };
  const steps = candidates(standing, power);
  const last = scene.world.lastFault;
  // A job that keeps failing must not hold up the others, but nothing is started first in a state that nobody declared.
  const next =
    (wasStarted(scene.vm, state) && !isCutOff(standing)
      ? steps.find(({ operation }) => operation !== last?.operation)
      : undefined) ?? steps[0];
  const more = [
    ...restartRequired(standing, power),
    ...settingsConditions(settings),
    ...powerConditions(standing, power),
    ...guestCondition,
  ];
  if (!next) return { ...common, more, ...atRest(standing, power) };
  const deadline = next.operation === "vm.power" ? powerDeadline(scene.vm) : updateDeadline;
  return { ...common, more, act: vmJob(scene, next, deadline), trio: jobTrio(next, standing, power) };
};

const busyMessage = ({ vm, view }: Scene, state: VmState): string | undefined => {
  const job = view.job(vm.metadata.uid);
  if (job) return `${job.operation} runs.`;
  if (state.merging) return "Checkpoints are being merged.";
  return inTransition(state) ? `The machine is ${state.stateText ?? state.state}.` : undefined;
};

/** The plan for people: settings, then the change of power that the spec asks for. */
const wholePlan = ({ scene: { vm }, sight: { state }, settings }: Standing, power: PowerPlan | undefined): Step[] => [
  ...settings.map(({ step }) => step),
  ...(power && !power.forChanges
    ? [{ ...powerStep(vm, state.id, state.state, power.to), ...(power.waits && { reason: power.waits.message }) }]
    : []),
];

const wakeOf = (approval: Approval, power: PowerPlan | undefined): { wakeAfterMs?: number } => {
  const wakeAfterMs = power?.waits?.wakeAfterMs ?? approval.wakeAfterMs;
  return wakeAfterMs === undefined ? {} : { wakeAfterMs };
};

const jobTrio = (
  next: Step,
  { scene: { world } }: Standing,
  power: PowerPlan | undefined,
): readonly ConditionDraft[] => {
  const last = world.lastFault;
  if (next.operation === "vm.power" && power?.forChanges && last?.fault.code === "GuestNotReady") {
    return conditions.changesPending(`The machine can't be stopped gracefully: ${last.fault.message}`);
  }
  return faultTrio(next.operation, last) ?? conditions.progressing(`${next.operation} is next.`);
};

/** Nothing to send: as the settings say; when they are as declared, as the guest does. */
const atRest = (standing: Standing, power: PowerPlan | undefined): Pick<Verdict, "trio" | "act"> => {
  const { guest, scene } = standing;
  const trio = restTrio(standing, power);
  const isFine = trio.some(({ type, status }) => type === "Ready" && status === "True");
  return {
    trio: isFine && guest.trio ? guest.trio : trio,
    ...(guest.look === true && { act: { do: "look", host: scene.hostName } }),
  };
};

/** Nothing to send: why, or converged. */
const restTrio = (
  { settings, approval, pending }: Standing,
  power: PowerPlan | undefined,
): readonly ConditionDraft[] => {
  const never = settings.filter(({ step }) => isImpossible(step.effect)).map(({ step }) => step);
  if (never.length > 0) return forbiddenTrio(never);
  if (power?.waits) return conditions.waiting(power.waits.reason, power.waits.message);
  if (pending.length === 0) return conditions.ready();
  return conditions.changesPending(
    approval.waits?.message ?? pending.map(({ path, reason }) => `${path}: ${reason ?? "pending"}`).join(" "),
  );
};

const forbiddenTrio = (steps: readonly Step[]): readonly ConditionDraft[] => {
  const text = steps
    .map(({ changes, reason }) => `${changes.map(({ path }) => path).join(", ")}: ${reason ?? ""}`)
    .join(" ");
  const code = /^([A-Z][A-Za-z]+): /.exec(steps[0]?.reason ?? "")?.[1];
  return conditions.stalled(code ?? "ForbiddenChange", text);
};

const restartRequired = (
  { pending, approval, sight, scene }: Standing,
  power: PowerPlan | undefined,
): ConditionDraft[] => {
  const open = pending.filter(({ effect }) => effect === "Restart" || effect === "Disruptive");
  const make = (reason: string, message: string) => [conditions.condition("RestartRequired", "True", reason, message)];
  const last = scene.world.lastFault;
  if (power?.forChanges && last?.operation === "vm.power") return make(last.fault.code, last.fault.message);
  if (approval.latch && (power?.forChanges || (sight.state.state !== "Running" && power?.to === "Running"))) {
    return make("Applying", "Approved changes are made while the machine is off.");
  }
  if (approval.waits) return make(approval.waits.reason, approval.waits.message);
  const [first] = open;
  return first ? make("ChangesNeedRestart", open.map(({ path }) => path).join(", ")) : [];
};

const settingsConditions = (settings: readonly Planned[]): ConditionDraft[] => {
  const paths = settings.flatMap(({ step }) => step.changes.map(({ path }) => path));
  return [
    paths.length === 0
      ? conditions.condition("Synced", "True", "Synced", "The settings are as declared.")
      : conditions.condition("Synced", "False", "Drifted", `Not as declared: ${paths.join(", ")}.`),
  ];
};

const powerConditions = (
  { scene: { vm }, sight: { state } }: Standing,
  power: PowerPlan | undefined,
): ConditionDraft[] => {
  const make = (status: "True" | "False", reason: string, message: string) => [
    conditions.condition("PowerStateSynced", status, reason, message),
  ];
  if (power) {
    const reason = power.waits?.reason ?? "PowerStateChanging";
    return make("False", reason, power.waits?.message ?? `From ${shownPower(state.state)} to ${shownPower(power.to)}.`);
  }
  const wanted = wantedPower(vm);
  return wanted !== undefined && shownPower(state.state) !== wanted
    ? make("True", "NotEnforced", `powerPolicy ${vm.spec.powerPolicy}: the power state is yours.`)
    : make("True", "PowerStateReached", `The machine is ${shownPower(state.state)}.`);
};
