import type { ManagedDeployment } from "../../src/api/generated/types.ts";
import type { Resource } from "../../src/api/resource.ts";
import { secondsText } from "../../src/engine/conditions.ts";
import { compact } from "../shared/objects.ts";
import { conditionOf, isChildReady, readyOf, stalledOf, type Scene } from "./scene.ts";

type Status = NonNullable<ManagedDeployment["status"]>;
export type Step = NonNullable<Status["steps"]>[number];

/** How far one step is, without its times. */
export interface StepNow {
  readonly name: string;
  readonly state: Step["state"];
  readonly message?: string;
}

/** The steps of a roll-out, as the children's statuses tell them. */
export const rolloutSteps = (scene: Scene): readonly StepNow[] => {
  const objects = scene.found.map((one) => (one.at === "own" ? one.object : undefined));
  const there = objects.filter((object) => object !== undefined);
  const made: StepNow = {
    name: "Objects",
    state: there.length === objects.length ? "Done" : "Active",
    message: scene.conflict ?? `${there.length} of ${objects.length} are made`,
  };
  return [
    made.state === "Done" ? { name: made.name, state: "Done" } : made,
    devices("Disks", there, "VirtualDisk", scene),
    devices("NetworkAdapters", there, "NetworkAdapter", scene),
    machine(there),
    guest(scene, there),
  ];
};

const devices = (name: string, there: readonly Resource[], kind: string, { found }: Scene): StepNow => {
  const wanted = found.filter(({ child }) => child.kind === kind).length;
  const objects = there.filter((object) => object.kind === kind);
  if (wanted === 0) return { name, state: "Skipped" };
  if (objects.length < wanted) return { name, state: "Pending" };
  const late = objects.filter((object) => !isChildReady(object));
  const [first] = late;
  if (!first) return { name, state: "Done" };
  const stalled = late.find((object) => stalledOf(object) !== undefined);
  return { name, state: stalled ? "Failed" : "Active", message: whyNot(stalled ?? first) };
};

const machine = (there: readonly Resource[]): StepNow => {
  const name = "VirtualMachine";
  const vm = there.find(({ kind }) => kind === name);
  if (!vm) return { name, state: "Pending" };
  const works = ["Created", "PowerStateSynced"].every((type) => conditionOf(vm, type)?.status === "True");
  if (works) return { name, state: "Done" };
  return { name, state: stalledOf(vm) ? "Failed" : "Active", message: whyNot(vm) };
};

const guest = ({ deployment }: Scene, there: readonly Resource[]): StepNow => {
  const name = "Guest";
  if (deployment.spec.virtualMachine.guest === undefined) return { name, state: "Skipped" };
  const vm = there.find(({ kind }) => kind === "VirtualMachine");
  const configured = vm && conditionOf(vm, "GuestConfigured");
  if (configured?.status === "True") return { name, state: "Done" };
  if (!vm || conditionOf(vm, "PowerStateSynced")?.status !== "True") return { name, state: "Pending" };
  const failed = stalledOf(vm) !== undefined;
  return { name, state: failed ? "Failed" : "Active", message: configured?.message || whyNot(vm) };
};

/** Why an object is not Ready, with its name. */
export const whyNot = (object: Resource): string => {
  const ready = readyOf(object);
  const told = ready ? `${ready.reason}${ready.message === "" ? "" : `: ${ready.message}`}` : "not looked at yet";
  return `${object.kind} ${object.metadata.name}: ${told}`.slice(0, 1024);
};

/** The steps with their times; one that was done stays done until the next roll-out. */
export const timed = (steps: readonly StepNow[], before: readonly Step[], now: Date): Step[] =>
  steps.map(({ name, state, message }) => {
    const known = before.find((one) => one.name === name);
    if (known?.state === "Done") return known;
    const started = state === "Pending" || state === "Skipped" ? undefined : (known?.startedAt ?? secondsText(now));
    const finishedAt = state === "Done" ? secondsText(now) : undefined;
    return compact({ name, state, startedAt: started, finishedAt, message }) as Step;
  });

/** When the first of the steps began, milliseconds since 1970; undefined when none has, or all are done. */
export const unfinishedSince = (steps: readonly Step[]): number | undefined => {
  if (steps.every(({ state }) => state === "Done" || state === "Skipped")) return undefined;
  const times = steps.flatMap(({ startedAt }) => (startedAt === undefined ? [] : Date.parse(startedAt)));
  return times.length === 0 ? undefined : Math.min(...times);
};
