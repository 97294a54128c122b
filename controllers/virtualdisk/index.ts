import { annotations, finalizer } from "../../src/api/annotations.ts";
import type { Key } from "../../src/api/resource.ts";
import type { VirtualDisk } from "../../src/api/generated/types.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { Act, Decision, Kind, World } from "../../src/engine/ports.ts";
import { accessTo } from "../shared/access.ts";
import { statusBefore, unreachableTrio } from "../shared/closing.ts";
import { annotationOf, hostKey, isDeleting, isPaused, placementOf, siblingKey } from "../shared/objects.ts";
import { blockedTrio, jobAct, nextStep, outcome, pollMs } from "../shared/outcome.ts";
import { find } from "./find.ts";
import type { Found } from "./find.ts";
import { place, sourceDiskName } from "./place.ts";
import { planNew, planPresent } from "./plan.ts";
import type { DiskPlan } from "./plan.ts";
import { reclaiming } from "./reclaim.ts";
import { remove } from "./remove.ts";
import type { Scene } from "./scene.ts";
import { statusOf } from "./status.ts";

const refs = (disk: VirtualDisk): readonly Key[] => {
  const host = annotationOf(disk, annotations.host) ?? disk.spec.host ?? disk.status?.host;
  const machines = [disk.spec.attachment?.virtualMachine, disk.status?.attachedTo?.virtualMachine];
  const source = sourceDiskName(disk);
  return [
    ...(host === undefined ? [] : [hostKey(host)]),
    ...[...new Set(machines)].flatMap((name) => (name === undefined ? [] : [siblingKey(disk, "VirtualMachine", name)])),
    ...(source === undefined ? [] : [siblingKey(disk, "VirtualDisk", source)]),
  ];
};

const decide = (disk: VirtualDisk, world: World): Decision => {
  if (isDeleting(disk)) return remove(disk, world, (host) => sceneOf(disk, world, host));
  const hostName = placementOf(disk, world);
  const placed =
    annotationOf(disk, annotations.host) ??
    world.assumedHosts.get(`VirtualDisk/${disk.metadata.namespace ?? ""}/${disk.metadata.name}`);
  if (placed === undefined || hostName === undefined) return settle(disk, world);
  if (!disk.metadata.finalizers?.includes(finalizer)) return marked(disk, world, placed);
  const scene = sceneOf(disk, world, hostName);
  return scene ? decideOn(scene) : unreachable(disk, world, hostName);
};

/** A disk without a placement gets one, together with the finalizer. */
const settle = (disk: VirtualDisk, world: World): Decision => {
  const placed = place(disk, world);
  if (placed.at === "placed") return marked(disk, world, placed.host);
  const trio = isPaused(disk) ? conditions.paused(disk.status?.conditions) : blockedTrio(placed);
  return { plan: [], act: { do: "nothing" }, status: statusBefore(disk, world, trio), wakeAfterMs: 5_000 };
};

/** Finalizer first: a crash after the file is made would leak it. */
const marked = (disk: VirtualDisk, world: World, host: string): Decision => ({
  metadata: {
    finalizers: [...new Set([...(disk.metadata.finalizers ?? []), finalizer])],
    annotations: { [annotations.host]: host },
  },
  plan: [],
  act: { do: "nothing" },
  status: statusBefore(disk, world, conditions.firstSight()),
});

const sceneOf = (disk: VirtualDisk, world: World, hostName: string): Scene | undefined => {
  const access = accessTo(world, hostName);
  if (access.at !== "up") return undefined;
  const { host, view, snapshot } = access;
  return { disk, world, hostName, host, view, snapshot, job: view.job(disk.metadata.uid) };
};

const unreachable = (disk: VirtualDisk, world: World, hostName: string): Decision => {
  const access = accessTo(world, hostName);
  const status = access.at === "up" ? disk.status : statusBefore(disk, world, unreachableTrio(disk, access));
  return { plan: [], act: { do: "nothing" }, status, wakeAfterMs: 5_000 };
};

const decideOn = (scene: Scene): Decision => {
  const { disk, world, hostName, view } = scene;
  const found = find(scene);
  const elsewhere = moveOfPlan(scene, found);
  if (elsewhere !== undefined) return marked(disk, world, elsewhere);
  const plan = planFor(scene, found);
  const standing = { plan: plan.steps, blocked: plan.blocked, job: scene.job, lastFault: world.lastFault };
  const still = { plan: plan.steps.map(({ step }) => step), wakeAfterMs: pollMs(plan.steps, plan.blocked) ?? 0 };
  const decision = (act: Act, trio: readonly conditions.ConditionDraft[]): Decision => ({
    plan: still.plan,
    act,
    status: statusOf(scene, found, plan, trio),
    ...(still.wakeAfterMs > 0 && { wakeAfterMs: still.wakeAfterMs }),
  });
  if (disk.spec.managementPolicy === "Observe") return decision({ do: "nothing" }, observed(found));
  if (isPaused(disk)) return decision({ do: "nothing" }, conditions.paused(disk.status?.conditions));
  const doubt = view.uncertain(disk.metadata.uid);
  if (doubt && !scene.job)
    return decision(
      { do: "look", host: hostName },
      conditions.waiting("Retrying", `Looked at again: ${doubt.message}`),
    );
  const next = scene.job || plan.blocked ? undefined : nextStep(plan.steps);
  return decision(next ? jobAct(hostName, next) : { do: "nothing" }, outcome(standing));
};

const observed = (found: Found): readonly conditions.ConditionDraft[] =>
  found.at === "present" ? conditions.observed() : conditions.waiting("NotCreated", "There is no file to observe.");

/** Before anything was made, an edit of spec.host moves the plan to the other host. */
const moveOfPlan = ({ disk, hostName, job }: Scene, found: Found): string | undefined =>
  found.at === "absent" && !job && disk.spec.host !== undefined && disk.spec.host !== hostName
    ? disk.spec.host
    : undefined;

const planFor = (scene: Scene, found: Found): DiskPlan => {
  switch (found.at) {
    case "absent":
      return planNew(scene);
    case "present":
      return planPresent(scene, found.file);
    case "lost":
      return reclaiming(scene, found);
    case "foreign":
      return held("stalled", "NameConflict", foreignText(found));
    case "missing":
      return held("stalled", "DiskMissing", found.message);
    case "ambiguous":
      return held("stalled", "OwnershipAmbiguous", found.message);
    case "unknown":
      return held("waiting", "WaitingForHost", found.message);
    default:
      return found satisfies never;
  }
};

const foreignText = ({ path, controlPlaneId }: Found & { at: "foreign" }): string =>
  `The file ${path} has this disk's name and was made by control plane ${controlPlaneId}. Another disk is not made beside it: rename this object, move the file away, or put that id into identity.json if it is this control plane's own from before.`;

const held = (at: "waiting" | "stalled", reason: string, message: string): DiskPlan => ({
  steps: [],
  blocked: { at, reason, message },
});

/** A file on a host, its growth and moves, and the machine it is attached to. */
export const virtualDisk: Kind<VirtualDisk> = { kind: "VirtualDisk", refs, decide };
