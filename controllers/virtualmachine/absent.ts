import * as conditions from "../../src/engine/conditions.ts";
import type { Step } from "../../src/engine/ports.ts";
import { pathKey } from "../../src/engine/paths.ts";
import { creation, vmNameOf, wantedPower } from "./desired.ts";
import { strangersMark } from "./ownership.ts";
import { powerStep } from "./power.ts";
import { faultTrio, vmJob } from "./verdict.ts";
import type { Scene, Verdict } from "./verdict.ts";

/** Stands for the id of a machine that is not made yet, in the steps of a plan behind vm.create; never sent. */
const noId = "00000000-0000-0000-0000-000000000000";

const createDeadline = 600;

/** The whole diff of a machine that is not there: everything in the spec is new. */
export const creationPlan = ({ vm, host }: Pick<Scene, "vm" | "host">, recoverId?: string): readonly Step[] => {
  const create: Step = {
    operation: "vm.create",
    spec: creation(vm, host, recoverId),
    effect: "Hot",
    changes: [{ path: "spec.vmName", to: vmNameOf(vm) }, ...specChanges(vm.spec)],
  };
  const wanted = wantedPower(vm);
  return wanted === undefined || wanted === "Stopped" ? [create] : [create, powerStep(vm, noId, undefined, wanted)];
};

const settings = [
  "generation",
  "osFamily",
  "storageClass",
  "notes",
  "cpu",
  "memory",
  "firmware",
  "security",
  "integrationServices",
  "automaticStartAction",
  "automaticStopAction",
  "automaticStartDelaySeconds",
  "checkpointType",
  "automaticCheckpoints",
  "boot",
  "dvdDrives",
] as const;

/** Every set leaf of the spec's settings, as one change each; lists are one value. */
const specChanges = (spec: Scene["vm"]["spec"]) =>
  settings.flatMap((name) => leaves(`spec.${name}`, spec[name])).map(([path, to]) => ({ path, to }));

const leaves = (path: string, value: unknown): readonly (readonly [string, unknown])[] => {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path, value]];
  return Object.entries(value).flatMap(([name, member]) => leaves(`${path}.${name}`, member));
};

/** A machine that never was: made as the spec says. */
export const create = (scene: Scene): Verdict => createFrom(scene, creationPlan(scene));

/** Sends the first step of a creation plan, unless something else has the machine's name. `locks`: what it holds beside the machine. */
export const createFrom = (scene: Scene, plan: readonly Step[], locks: readonly string[] = []): Verdict => {
  const { vm, world, snapshot } = scene;
  const name = vmNameOf(vm);
  const namesake = [...snapshot.vms.values()].find((state) => pathKey(state.name) === pathKey(name) && !state.replica);
  if (namesake) {
    const mark = strangersMark(namesake);
    const whose =
      mark === undefined ? "is not this object's. Rename one of the two, or adopt it." : `belongs to ${mark}.`;
    const message = `Host ${scene.hostName} has a machine named ${namesake.name} (${namesake.id}) that ${whose}`;
    return { plan, trio: conditions.stalled("NameConflict", message) };
  }
  const [step] = plan;
  if (!step) throw new Error("a creation plan begins with vm.create");
  return {
    plan,
    act: vmJob(scene, step, createDeadline, locks),
    trio: faultTrio("vm.create", world.lastFault) ?? conditions.progressing("vm.create is next."),
  };
};
