import type { ManagedDeployment } from "../../src/api/generated/types.ts";
import { annotations as names } from "../../src/api/annotations.ts";
import type { Resource } from "../../src/api/resource.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { Decision } from "../../src/engine/ports.ts";
import { annotationOf } from "../shared/objects.ts";
import { isShielded, removals, removalSteps } from "./remove.ts";
import { conditionOf, ownObjects, type Scene } from "./scene.ts";
import { statusOf } from "./status.ts";
import { timed } from "./steps.ts";

/** In a roll-back everything that was made goes, whatever is to stay of a deployment that once worked. */
const undoing = { deletionPolicy: "Delete", deletionProtection: false } as const;

/** The failure is written first, with all that was made; what goes is decided from there, also by the next process. */
export const beginRollback = (scene: Scene, reason: string, message: string): Decision => ({
  plan: [],
  act: { do: "nothing" },
  status: statusOf(scene, {
    phase: "RollingBack",
    trio: conditions.waiting("RollingBack", message),
    steps: timed(removalSteps(scene, ownObjects(scene)), [], scene.world.now),
    undone: conditions.condition("RolledBack", "False", reason, message),
  }),
  wakeAfterMs: 1,
  events: [{ type: "Warning", reason: "RollingBack", message }],
});

/** Removes what the status recorded, and nothing else. */
export const rollback = (scene: Scene): Decision => {
  const { deployment, world } = scene;
  const targets = recorded(scene);
  const cause = conditionOf(deployment, "RolledBack");
  const message = cause?.message ?? "The roll-out failed.";
  const reason = cause?.reason ?? "ProgressDeadlineExceeded";
  const generation = deployment.status?.observedGeneration;
  const steps = timed(removalSteps(scene, targets), deployment.status?.steps ?? [], world.now);
  if (targets.length === 0)
    return {
      plan: [],
      act: { do: "nothing" },
      status: statusOf(scene, {
        phase: "RolledBack",
        trio: conditions.stalled("RolledBack", message),
        steps,
        undone: conditions.condition("RolledBack", "True", reason, message),
        generation,
      }),
      // An edit in the meantime starts it anew.
      wakeAfterMs: 1,
    };
  const shielded = targets.find((object) => isShielded(scene, object));
  const { writes } = removals(scene, targets, undoing);
  const undone = conditions.condition("RolledBack", "False", reason, message);
  const trio = shielded
    ? conditions.stalled("DeletionProtected", `${shielded.kind} ${shielded.metadata.name} is protected. ${message}`)
    : world.refusal === undefined
      ? conditions.waiting("RollingBack", message)
      : conditions.stalled("InvalidSpec", world.refusal);
  return {
    plan: [],
    act: shielded || writes.length === 0 ? { do: "nothing" } : { do: "objects", writes },
    status: statusOf(scene, { phase: "RollingBack", trio, steps, undone, generation }),
    wakeAfterMs: 10_000,
  };
};

const recorded = (scene: Scene): readonly Resource[] => {
  const uids = new Set((scene.deployment.status?.children ?? []).map(({ uid }) => uid));
  return ownObjects(scene).filter(({ metadata }) => uids.has(metadata.uid));
};

/** Whether a deployment that was rolled back stays so: until its spec changes, or somebody asks for another try. */
export const staysRolledBack = (deployment: ManagedDeployment): boolean => {
  const { status, metadata } = deployment;
  if (status?.phase !== "RolledBack" || status.observedGeneration !== metadata.generation) return false;
  const asked = Date.parse(annotationOf(deployment, names.reconcileRequestedAt) ?? "");
  const since = Date.parse(conditionOf(deployment, "RolledBack")?.lastTransitionTime ?? "");
  return !(asked > since);
};
