import { finalizer } from "../../src/api/annotations.ts";
import type { ManagedDeployment } from "../../src/api/generated/types.ts";
import type { Resource } from "../../src/api/resource.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import { secondsText } from "../../src/engine/conditions.ts";
import type { Decision, Kind, World } from "../../src/engine/ports.ts";
import { isDeleting, isPaused } from "../shared/objects.ts";
import { childKey, expand } from "./expand.ts";
import { hasFormer, outlook, type Outlook } from "./failure.ts";
import { remove } from "./remove.ts";
import { beginRollback, rollback, staysRolledBack } from "./rollback.ts";
import { isChildReady, keptExtra, ownObjects, readyOf, sceneOf, stalledOf, type Scene } from "./scene.ts";
import { statusOf, type Phase } from "./status.ts";
import { rolloutSteps, timed, whyNot, type Step } from "./steps.ts";
import { pendingWrites, writesInPlace } from "./writes.ts";

const decide = (deployment: ManagedDeployment, world: World): Decision => {
  const scene = sceneOf(deployment, world);
  if (isDeleting(deployment)) return remove(scene);
  const decision = decideOn(scene);
  const finalizers = deployment.metadata.finalizers ?? [];
  if (finalizers.includes(finalizer)) return decision;
  // Finalizer first: a deletion after the first child would leave that one behind.
  return { ...decision, metadata: { finalizers: [...finalizers, finalizer] } };
};

const decideOn = (scene: Scene): Decision => {
  const { deployment } = scene;
  if (isPaused(deployment)) return paused(scene);
  if (deployment.status?.phase === "RollingBack") return rollback(scene);
  if (staysRolledBack(deployment)) return { plan: [], act: { do: "nothing" }, status: deployment.status };
  return deployment.spec.managementPolicy === "Observe" ? observe(scene) : manage(scene);
};

/** The children's own controllers hold back too: each is given the annotation. The clock of the roll-out begins anew afterwards. */
const paused = (scene: Scene): Decision => {
  const { status } = scene.deployment;
  const writes = writesInPlace(scene);
  const steps = restart(status?.steps ?? []);
  const kept = (status?.conditions ?? []).filter(({ type }) => type === "RolledBack");
  return {
    plan: [],
    act: writes.length > 0 ? { do: "objects", writes } : { do: "nothing" },
    status: statusOf(scene, {
      phase: status?.phase ?? "Pending",
      trio: [...conditions.paused(status?.conditions), ...kept],
      steps: status?.phase === "RollingBack" ? (status.steps ?? []) : steps,
      generation: status?.observedGeneration,
    }),
  };
};

/** Steps whose clock begins anew. */
const restart = (steps: readonly Step[]): Step[] => steps.map(({ startedAt: _, ...step }): Step => step);

/** Nothing is made and nothing goes; what is there is told. */
const observe = (scene: Scene): Decision => {
  const writes = writesInPlace(scene);
  return {
    plan: [],
    act: writes.length > 0 ? { do: "objects", writes } : { do: "nothing" },
    status: statusOf(scene, { phase: "Ready", trio: conditions.observed(), steps: [] }),
  };
};

const manage = (scene: Scene): Decision => {
  const { deployment, world } = scene;
  const steps = timed(rolloutSteps(scene), stepsBefore(deployment), world.now);
  const writes = scene.conflict === undefined ? pendingWrites(scene) : [];
  const isReady = isWhole(scene) && writes.length === 0;
  const ahead: Outlook = isReady ? { at: "open" } : outlook(scene, steps);
  const neverReady = deployment.status?.firstReadyAt === undefined;
  const isInUse = isReady || hasFormer(scene);
  if (ahead.at === "failed" && neverReady && !isInUse && deployment.spec.onFailure !== "Keep")
    return beginRollback(scene, ahead.reason, ahead.message);
  const trio = trioOf(scene, ahead, isReady);
  return {
    plan: [],
    act: writes.length > 0 ? { do: "objects", writes } : { do: "nothing" },
    status: statusOf(scene, {
      phase: phaseOf(scene, trio, ahead),
      trio,
      steps: ahead.at === "held" ? restart(steps) : steps,
      firstReadyAt: isInUse && neverReady ? secondsText(world.now) : undefined,
    }),
    ...(ahead.at !== "failed" && ahead.inMs !== undefined && { wakeAfterMs: ahead.inMs }),
  };
};

/** Those of the same roll-out. */
const stepsBefore = ({ status, metadata }: ManagedDeployment): readonly Step[] => {
  const same = status?.observedGeneration === metadata.generation && status.phase !== "RolledBack";
  return same ? (status.steps ?? []) : [];
};

const isWhole = (scene: Scene): boolean =>
  scene.found.every((one) => one.at === "own" && isChildReady(one.object)) && scene.extra.length === 0;

const phaseOf = ({ deployment, found, conflict }: Scene, trio: readonly ConditionDraft[], ahead: Outlook): Phase => {
  if (trio[0]?.status === "True") return "Ready";
  if (ahead.at === "failed") return "Failed";
  if (deployment.status?.firstReadyAt !== undefined) return "Updating";
  return conflict === undefined || found.some(({ at }) => at === "own") ? "Creating" : "Pending";
};

const trioOf = (scene: Scene, ahead: Outlook, isReady: boolean): readonly ConditionDraft[] => {
  if (scene.conflict !== undefined) return conditions.stalled("NameConflict", scene.conflict);
  if (scene.world.refusal !== undefined) return conditions.stalled("InvalidSpec", scene.world.refusal);
  const kept = keptExtra(scene);
  if (kept) return conditions.stalled("DeletionProtected", leftOut(kept));
  const own = ownObjects(scene);
  if (isReady) {
    const pending = own.find((object) => readyOf(object)?.reason === "ChangesPending");
    return pending ? conditions.changesPending(whyNot(pending)) : conditions.ready();
  }
  if (ahead.at === "failed") return conditions.stalled(ahead.reason, ahead.message);
  const late = own.filter((object) => !isChildReady(object));
  const stalled = late.find((object) => stalledOf(object) !== undefined);
  if (stalled) return conditions.stalled(stalledOf(stalled)?.reason ?? "", whyNot(stalled));
  const silent = late.find((object) => readyOf(object)?.reason === "HostUnreachable");
  if (silent) return conditions.unknownHost(whyNot(silent));
  const [first] = late;
  return conditions.progressing(first ? whyNot(first) : "Objects are being made.");
};

const leftOut = ({ kind, metadata }: Resource): string =>
  `${kind} ${metadata.name} is no part of the deployment any more, but protected: it stays as it is. To remove it, set deletionProtection to false in the deployment, and in the part put back if it has its own; then leave it out.`;

/** A machine with its disks, adapters and guest configuration, as one. It makes objects of the other kinds, and no job of its own. */
export const managedDeployment: Kind<ManagedDeployment> = {
  kind: "ManagedDeployment",
  refs: (deployment) => expand(deployment).map((child) => childKey(deployment, child)),
  decide,
};
