import { annotations as names } from "../../src/api/annotations.ts";
import type { ManagedDeployment } from "../../src/api/generated/types.ts";
import type { Resource } from "../../src/api/resource.ts";
import * as conditions from "../../src/engine/conditions.ts";
import type { ConditionDraft } from "../../src/engine/conditions.ts";
import { annotationOf, compact } from "../shared/objects.ts";
import { isChildReady, machineOf, ownObjects, readyOf, type Scene } from "./scene.ts";
import type { Step } from "./steps.ts";
import { whyNot } from "./steps.ts";

export type Status = NonNullable<ManagedDeployment["status"]>;
export type Phase = NonNullable<Status["phase"]>;

/** What a decision says of the deployment. */
export interface Verdict {
  readonly phase: Phase;
  /** Ready, Reconciling and Stalled, and what else is True. */
  readonly trio: readonly ConditionDraft[];
  readonly steps: readonly Step[];
  /** Set while a roll-out is, or was, undone: why. */
  readonly undone?: ConditionDraft | undefined;
  /** Generation that this answers, if it is not the present one. */
  readonly generation?: number | undefined;
  readonly firstReadyAt?: string | undefined;
}

/** The complete status. */
export const statusOf = (scene: Scene, verdict: Verdict): Status => {
  const { deployment, world } = scene;
  const own = ownObjects(scene);
  const vm = machineOf(scene);
  const drafts = [...verdict.trio, childrenReady(scene), ...(verdict.undone ? [verdict.undone] : [])];
  const generation = verdict.generation ?? deployment.metadata.generation;
  return compact({
    conditions: conditions.merge(deployment.status?.conditions, drafts, { now: world.now, generation }),
    observedGeneration: generation,
    host: vm?.status?.host ?? (vm && annotationOf(vm, names.host)),
    phase: verdict.phase,
    firstReadyAt: verdict.firstReadyAt ?? deployment.status?.firstReadyAt,
    children: own.map(childStatus),
    steps: [...verdict.steps],
    deletionBatch: world.massDelete?.batch,
  }) as Status;
};

type ChildStatus = NonNullable<Status["children"]>[number];

const childStatus = (object: Resource): ChildStatus => {
  const ready = isChildReady(object);
  return compact({
    kind: object.kind as ChildStatus["kind"],
    name: object.metadata.name,
    uid: object.metadata.uid,
    ready,
    message: ready ? undefined : reasonOf(object),
  }) as ChildStatus;
};

const reasonOf = (object: Resource): string => {
  const ready = readyOf(object);
  if (!ready) return "not looked at yet";
  return `${ready.reason}${ready.message === "" ? "" : `: ${ready.message}`}`.slice(0, 1024);
};

const childrenReady = (scene: Scene): ConditionDraft => {
  const missing = scene.found.filter(({ at }) => at !== "own").length;
  const late = ownObjects(scene).filter((object) => !isChildReady(object));
  const [first] = late;
  if (missing === 0 && !first) return conditions.condition("ChildrenReady", "True", "ChildrenReady");
  const message = first ? whyNot(first) : `${missing} of ${scene.found.length} objects are not made.`;
  return conditions.condition("ChildrenReady", "False", "ChildrenNotReady", message);
};
