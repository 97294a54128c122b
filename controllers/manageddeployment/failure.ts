import { annotations } from "../../src/api/annotations.ts";
import type { Condition, Resource } from "../../src/api/resource.ts";
import { annotationOf } from "../shared/objects.ts";
import { conditionOf, isChildReady, keptExtra, ownObjects, stalledOf, type Scene } from "./scene.ts";
import { unfinishedSince, type Step } from "./steps.ts";

/** How long a child is stalled before its deployment counts as failed: some stall in passing. Milliseconds. */
const stalledMs = 30_000;

/** What a person may still decide, or what concerns a deletion: no failure of the deployment. */
const undecided: ReadonlySet<string> = new Set([
  "MassDeleteGuard",
  "DeletionProtected",
  "InUse",
  "IdentityChanged",
  "AwaitingApproval",
  "GuestKeyChanged",
  "OwnershipLost",
  "OwnershipAmbiguous",
  "Vanished",
  "VanishedWithTpm",
  "CheckpointChainBroken",
]);

/** A deadline that is over for longer was not watched (the control plane was down): what came of it meanwhile is seen first. Milliseconds. */
const watchedMs = 60_000;

/** How long until an unseen host is looked for again: after a restart, a child that does not change wakes nobody once it is seen. Milliseconds. */
const unseenMs = 10_000;

export type Outlook =
  | { readonly at: "failed"; readonly reason: string; readonly message: string }
  /** Nothing failed so far; `inMs`: when it may, milliseconds from now. */
  | { readonly at: "open"; readonly inMs?: number }
  /** Nobody can tell now whether it failed: the clock of the roll-out begins anew afterwards. */
  | { readonly at: "held"; readonly inMs?: number };

/** Whether the roll-out failed: a child stalls and will not go on by itself, or the time is up. */
export const outlook = (scene: Scene, steps: readonly Step[]): Outlook => {
  const now = scene.world.now.getTime();
  const since = unfinishedSince(steps);
  if (since === undefined) return { at: "open" };
  // On doubt nothing fails: a roll-back takes away what people may have use of.
  const hold = heldBy(scene);
  if (hold !== undefined) return hold === "host" ? { at: "held", inMs: unseenMs } : { at: "held" };
  const stuck = scene.found.flatMap((one) => (one.at === "own" ? stuckSince(one.object, scene.world.since) : []));
  const over = stuck.find(({ at }) => at + stalledMs <= now);
  if (over) return { at: "failed", reason: over.reason, message: over.message };
  const { progressDeadlineSeconds } = scene.deployment.spec;
  const end = since + progressDeadlineSeconds * 1000;
  if (end + watchedMs < now && !toldFailed(scene)) return { at: "held", inMs: 1000 };
  if (end <= now) {
    const late = steps.find(({ state }) => state === "Active" || state === "Failed");
    const where = late ? ` at ${late.name}${late.message === undefined ? "" : ` (${late.message})`}` : "";
    const message = `Not Ready within ${progressDeadlineSeconds} s${where}.`;
    return { at: "failed", reason: "ProgressDeadlineExceeded", message };
  }
  return { at: "open", inMs: Math.min(end, ...stuck.map(({ at }) => at + stalledMs)) - now };
};

/** A person has to decide on a child, or its host is not seen. */
const heldBy = (scene: Scene): "person" | "host" | undefined => {
  const own = ownObjects(scene);
  if (own.some((object) => undecided.has(stalledOf(object)?.reason ?? ""))) return "person";
  if (keptExtra(scene)) return "person";
  const hosts = own.map((object) => (isChildReady(object) ? undefined : annotationOf(object, annotations.host)));
  return hosts.some((host) => host !== undefined && !isSeen(scene, host)) ? "host" : undefined;
};

const isSeen = ({ world }: Scene, name: string): boolean => {
  const view = world.host(name);
  return view?.reach.at === "up" && view.snapshot !== undefined;
};

const toldFailed = ({ deployment: { status, metadata } }: Scene): boolean =>
  status?.phase === "Failed" && status.observedGeneration === metadata.generation;

/**
 * Whether the deployment has something that no roll-out of it made: taken back from a former life (a lost store), or older than itself.
 * It may be somebody's data, so nothing is rolled back then.
 */
export const hasFormer = (scene: Scene): boolean =>
  ownObjects(scene).some(
    (object) =>
      annotationOf(object, annotations.reclaim) !== undefined ||
      formerReasons.has(stalledOf(object)?.reason ?? "") ||
      Date.parse(object.metadata.creationTimestamp) < Date.parse(scene.deployment.metadata.creationTimestamp),
  );

const formerReasons: ReadonlySet<string> = new Set(["IdentityChanged", "OwnershipLost"]);

interface Stuck {
  readonly at: number;
  readonly reason: string;
  readonly message: string;
}

/** What was told before this process began may be over: it has the same time again to be told anew. */
const stuckSince = (object: Resource, began: Date | undefined): readonly Stuck[] => {
  const stalled = stalledOf(object);
  if (!stalled || undecided.has(stalled.reason) || isOfGuest(object, stalled)) return [];
  const message = `${object.kind} ${object.metadata.name}: ${stalled.message}`;
  const at = Math.max(Date.parse(stalled.lastTransitionTime), began?.getTime() ?? 0);
  return [{ at, reason: stalled.reason, message }];
};

/**
 * The machine runs as declared, and only its guest's configuration fails (a script, say). The agent tries that again by itself, and a
 * person may look into the guest: machine and disks stay until the deadline.
 */
const isOfGuest = (object: Resource, stalled: Condition): boolean => {
  const told = conditionOf(object, "GuestConfigured");
  return told?.status === "False" && told.message !== "" && stalled.message.endsWith(told.message);
};
