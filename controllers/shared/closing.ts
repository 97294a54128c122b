import type { Condition, Resource } from "../../src/api/resource.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import type { World } from "../../src/engine/ports.ts";
import { shownJob } from "./lastJob.ts";
import type { ShownJob } from "./lastJob.ts";
import { compact, isPaused } from "./objects.ts";
import type { Access } from "./access.ts";

/** What the statuses of disks and adapters have in common. */
interface Common {
  readonly conditions?: readonly Condition[];
  readonly lastJob?: ShownJob;
  readonly deletionBatch?: string;
}

const trioTypes = ["Ready", "Reconciling", "Stalled"];

const pausedToo = (resource: Resource, drafts: readonly ConditionDraft[]): readonly ConditionDraft[] =>
  isPaused(resource) && !drafts.some(({ type }) => type === "Paused")
    ? [
        ...drafts,
        conditions.condition("Paused", "True", "Paused", "The annotation aetherv.io/paused holds all jobs back."),
      ]
    : drafts;

/** Completes a status: conditions with their times, the generation answered, the last job. */
export const closeStatus = <S extends object>(
  resource: Resource<string, unknown, Common>,
  world: World,
  status: S,
  drafts: readonly ConditionDraft[],
): S =>
  compact({
    ...status,
    conditions: conditions.merge(resource.status?.conditions, pausedToo(resource, drafts), {
      now: world.now,
      generation: resource.metadata.generation,
    }),
    observedGeneration: resource.metadata.generation,
    deletionBatch: world.massDelete?.batch,
    lastJob: shownJob(world, resource.status?.lastJob),
  }) as S;

/** The status of a thing that can't be looked at: all as before, but for Ready, Reconciling and Stalled. */
export const statusBefore = <S extends object>(
  resource: Resource<string, unknown, Common & S>,
  world: World,
  trio: readonly ConditionDraft[],
): S => {
  const own = (resource.status?.conditions ?? [])
    .filter(({ type }) => !trioTypes.includes(type) && type !== "Paused")
    .map(({ type, status, reason, message }) => conditions.condition(type, status, reason, message));
  return closeStatus(resource, world, { ...resource.status } as S, [...trio, ...own]);
};

/** Ready, Reconciling and Stalled as they were; none when there is no status yet. */
export const keptTrio = (resource: Resource<string, unknown, Common>): readonly ConditionDraft[] =>
  (resource.status?.conditions ?? [])
    .filter(({ type }) => trioTypes.includes(type))
    .map(({ type, status, reason, message }) => conditions.condition(type, status, reason, message));

/** Ready, Reconciling and Stalled of a thing whose host can't be looked at. */
export const unreachableTrio = (
  resource: Resource<string, unknown, Common>,
  access: Exclude<Access, { readonly at: "up" }>,
): readonly ConditionDraft[] => {
  if (access.at === "down") return conditions.unknownHost(access.message);
  if (access.at === "missing") return conditions.waiting("WaitingForHost", access.message);
  const last = keptTrio(resource);
  return last.length === 0 ? conditions.firstSight(access.message) : last;
};
