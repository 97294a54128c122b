import { finalizer } from "../../src/api/annotations.ts";
import type { Resource } from "../../src/api/resource.ts";
import { keyOf } from "../../src/api/resource.ts";
import * as conditions from "../../src/engine/conditions.ts";
import { makerOf } from "../../src/engine/objectWrites.ts";
import type { Decision, ObjectWrite } from "../../src/engine/ports.ts";
import { compact, isDeleting, isPaused } from "../shared/objects.ts";
import { ownObjects, type Scene } from "./scene.ts";
import { statusOf } from "./status.ts";
import { timed, whyNot, type StepNow } from "./steps.ts";
import { changed, detached, markedAs, tellingWrites } from "./writes.ts";

const childKinds = ["VirtualMachine", "VirtualDisk", "NetworkAdapter"] as const;

/** The finalizer by which a Kubernetes client asks that the children stay (propagationPolicy Orphan). */
const orphanFinalizer = "orphan";

/** What a deployment under deletion does: its machine goes first, then its adapters and disks; then it goes itself. */
export const remove = (scene: Scene): Decision => {
  const { deployment, world } = scene;
  const { metadata, spec } = deployment;
  if (metadata.finalizers?.includes(finalizer) !== true) return { plan: [], act: { do: "nothing" } };
  if (spec.deletionProtection) return held(scene, "DeletionProtected", "spec.deletionProtection is true.");
  if (world.massDelete) return held(scene, "MassDeleteGuard", world.massDelete.message);
  if (metadata.finalizers.includes(orphanFinalizer)) return { plan: [], act: { do: "release" } };
  if (isPaused(deployment)) return paused(scene);
  if (spec.deletionPolicy === "Orphan" || spec.managementPolicy === "Observe") return letGo(scene);
  const shielded = ownObjects(scene).find((object) => isShielded(scene, object));
  if (shielded) {
    const { kind, metadata: of } = shielded;
    return held(scene, "DeletionProtected", `${kind} ${of.name} has spec.deletionProtection: nothing is removed.`);
  }
  const { writes, left, message } = removals(scene, ownObjects(scene), {});
  if (left === 0 && !hasOwnAnywhere(scene)) return { plan: [], act: { do: "release" } };
  const decision = told(scene, refusedTrio(scene) ?? conditions.deleting(message));
  return writes.length > 0 ? { ...decision, act: { do: "objects", writes } } : decision;
};

/** Children whose deletion has begun hold back too. */
const paused = (scene: Scene): Decision => {
  const decision = told(scene, conditions.deleting("The annotation aetherv.io/paused holds it back."));
  const writes = ownObjects(scene).flatMap((object) => tellingWrites(scene, object));
  return writes.length > 0 ? { ...decision, act: { do: "objects", writes } } : decision;
};

/** The children stay, owned by nobody. */
const letGo = (scene: Scene): Decision => {
  const writes = allOwn(scene).flatMap(detached);
  if (writes.length === 0) {
    const note = { type: "Normal", reason: "Orphaned", message: "The children stay." } as const;
    return { plan: [], act: { do: "release" }, events: [note] };
  }
  return { ...told(scene, conditions.deleting("The children are let go.")), act: { do: "objects", writes } };
};

/** Every object that carries the deployment's mark, by a look at all: what is overlooked would stay for ever. */
const allOwn = ({ deployment, world }: Scene): readonly Resource[] =>
  childKinds
    .flatMap((kind) => world.objects.list(kind))
    .filter((object) => makerOf(object)?.uid === deployment.metadata.uid);

const hasOwnAnywhere = (scene: Scene): boolean => allOwn(scene).length > 0;

const held = (scene: Scene, reason: string, message: string): Decision =>
  told(scene, conditions.stalled(reason, message), 30_000);

const told = (scene: Scene, trio: Parameters<typeof statusOf>[1]["trio"], wakeAfterMs: number = 10_000): Decision => {
  const before = scene.deployment.status?.phase === "Deleting" ? (scene.deployment.status.steps ?? []) : [];
  const steps = timed(removalSteps(scene, ownObjects(scene)), before, scene.world.now);
  return {
    plan: [],
    act: { do: "nothing" },
    status: statusOf(scene, { phase: "Deleting", trio, steps }),
    wakeAfterMs,
  };
};

const refusedTrio = ({ world }: Scene): ReturnType<typeof conditions.stalled> | undefined =>
  world.refusal === undefined ? undefined : conditions.stalled("InvalidSpec", world.refusal);

// One after the other ------------------------------------------------------------------------------------------------

interface Removals {
  readonly writes: readonly ObjectWrite[];
  /** Objects that are not gone yet. */
  readonly left: number;
  readonly message: string;
}

/** The writes by which these children go, the machine first; `over`: fields of their specs to set before. */
export const removals = (scene: Scene, targets: readonly Resource[], over: object): Removals => {
  const machines = targets.filter(({ kind }) => kind === "VirtualMachine");
  const now = machines.length > 0 ? machines : targets;
  const [first] = now;
  return {
    writes: now.flatMap((object) => (isDeleting(object) ? tellingWrites(scene, object) : removal(scene, object, over))),
    left: targets.length,
    message: first ? `${whyNot(first)}` : "Nothing is left.",
  };
};

/** Protection that the deployment gave is taken off first, and what its spec says last of the child's end holds; then the object goes. */
const removal = (scene: Scene, object: Resource, over: object): readonly ObjectWrite[] => {
  const child = scene.found.find((one) => one.at === "own" && one.object === object)?.child;
  const present = object.spec as Endings;
  const { deletionPolicy } = child ? (child.spec as Endings) : present;
  const spec = compact({ ...present, deletionPolicy, deletionProtection: false, ...over });
  const prepared = changed(object, spec, markedAs(scene, object));
  return prepared.length > 0 ? prepared : [{ write: "delete", key: keyOf(object), uid: object.metadata.uid }];
};

interface Endings {
  readonly deletionPolicy?: "Delete" | "Orphan";
  readonly deletionProtection?: boolean;
}

/** Its author protects this child itself, or nobody knows any more who did. */
export const isShielded = (scene: Scene, object: Resource): boolean => {
  if ((object.spec as { readonly deletionProtection?: boolean }).deletionProtection !== true) return false;
  const child = scene.found.find((one) => one.at === "own" && one.object === object)?.child;
  if (!child) return true;
  const { virtualMachine, disks = [], networkAdapters = [] } = scene.deployment.spec;
  if (child.kind === "VirtualMachine") return virtualMachine.deletionProtection === true;
  const parts = child.kind === "VirtualDisk" ? disks : networkAdapters;
  const part = parts.find(({ name }) => child.name === `${scene.deployment.metadata.name}-${name}`);
  return part?.spec.deletionProtection === true;
};

export const removalSteps = (scene: Scene, targets: readonly Resource[]): readonly StepNow[] => {
  const vm = targets.find(({ kind }) => kind === "VirtualMachine");
  const others = targets.filter(({ kind }) => kind !== "VirtualMachine");
  const [first] = others;
  return [
    vm
      ? { name: "Remove VirtualMachine", state: "Active", message: whyNot(vm) }
      : { name: "Remove VirtualMachine", state: "Done" },
    first
      ? { name: "Remove disks and adapters", state: vm ? "Pending" : "Active", ...(!vm && { message: whyNot(first) }) }
      : { name: "Remove disks and adapters", state: "Done" },
  ];
};
