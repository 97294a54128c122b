import type { Resource } from "../../src/api/resource.ts";
import { stalledOf, type Scene } from "./scene.ts";
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
]);

export type Outlook =
  | { readonly at: "failed"; readonly reason: string; readonly message: string }
  /** Nothing failed so far; `inMs`: when it may, milliseconds from now. */
  | { readonly at: "open"; readonly inMs?: number };

/** Whether the roll-out failed: a child stalls and will not go on by itself, or the time is up. */
export const outlook = (scene: Scene, steps: readonly Step[]): Outlook => {
  const now = scene.world.now.getTime();
  const since = unfinishedSince(steps);
  if (since === undefined) return { at: "open" };
  const stuck = scene.found.flatMap((one) => (one.at === "own" ? stuckSince(one.object) : []));
  const over = stuck.find(({ at }) => at + stalledMs <= now);
  if (over) return { at: "failed", reason: over.reason, message: over.message };
  // Nobody's time runs while a person has to decide.
  if (scene.found.some((one) => one.at === "own" && undecided.has(stalledOf(one.object)?.reason ?? "")))
    return { at: "open" };
  const { progressDeadlineSeconds } = scene.deployment.spec;
  const end = since + progressDeadlineSeconds * 1000;
  if (end <= now) {
    const late = steps.find(({ state }) => state === "Active" || state === "Failed");
    const where = late ? ` at ${late.name}${late.message === undefined ? "" : ` (${late.message})`}` : "";
    const message = `Not Ready within ${progressDeadlineSeconds} s${where}.`;
    return { at: "failed", reason: "ProgressDeadlineExceeded", message };
  }
  return { at: "open", inMs: Math.min(end, ...stuck.map(({ at }) => at + stalledMs)) - now };
};

interface Stuck {
  readonly at: number;
  readonly reason: string;
  readonly message: string;
}

const stuckSince = (object: Resource): readonly Stuck[] => {
  const stalled = stalledOf(object);
  if (!stalled || undecided.has(stalled.reason)) return [];
  const message = `${object.kind} ${object.metadata.name}: ${stalled.message}`;
  return [{ at: Date.parse(stalled.lastTransitionTime), reason: stalled.reason, message }];
};
