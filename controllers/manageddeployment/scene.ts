import type { ManagedDeployment, VirtualMachine } from "../../src/api/generated/types.ts";
import { keyOf, keyText } from "../../src/api/resource.ts";
import type { Condition, Resource } from "../../src/api/resource.ts";
import { findCondition, hasStatus } from "../../src/engine/conditions.ts";
import { madeBy, makerOf } from "../../src/engine/objectWrites.ts";
import type { World } from "../../src/engine/ports.ts";
import { isDeleting } from "../shared/objects.ts";
import { childKey, expand, nameProblem } from "./expand.ts";
import type { Child } from "./expand.ts";

/** A child as declared, and what is there under its name. foreign: an object that this deployment did not make. */
export type Found =
  | { readonly at: "missing"; readonly child: Child }
  | { readonly at: "foreign" | "own"; readonly child: Child; readonly object: Resource };

/** All that a decision on a deployment looks at. */
export interface Scene {
  readonly deployment: ManagedDeployment;
  readonly world: World;
  readonly found: readonly Found[];
  /** Made by the deployment, and no part of it any more. */
  readonly extra: readonly Resource[];
  /** Why nothing can be made: names that are too long or taken. */
  readonly conflict?: string;
}

export const sceneOf = (deployment: ManagedDeployment, world: World): Scene => {
  const children = expand(deployment);
  const found = children.map((child): Found => {
    const object = world.objects.get(childKey(deployment, child));
    if (!object) return { at: "missing", child };
    return { at: makerOf(object)?.uid === deployment.metadata.uid ? "own" : "foreign", child, object };
  });
  const wanted = new Set(children.map((child) => keyText(childKey(deployment, child))));
  const made = madeBy(deployment, world.referrers(keyOf(deployment)));
  const extra = made.filter((one) => !wanted.has(keyText(keyOf(one))));
  const conflict = nameProblem(children) ?? taken(found, world);
  return { deployment, world, found, extra, ...(conflict !== undefined && { conflict }) };
};

const taken = (found: readonly Found[], world: World): string | undefined => {
  const foreign = found.find((one) => one.at === "foreign");
  if (foreign?.at !== "foreign") return undefined;
  const { kind, metadata } = foreign.object;
  const maker = makerOf(foreign.object);
  const place = world.placeOf?.(keyOf(foreign.object));
  const whose = maker
    ? `made by ${maker.kind} ${maker.name}`
    : place === undefined
      ? "not made by this deployment"
      : place;
  return `${kind} ${metadata.name} exists already (${whose}) and is left alone: rename it or the deployment, or remove it.`;
};

/** Objects that the deployment made, its machine first. */
export const ownObjects = ({ found, extra }: Scene): readonly Resource[] => [
  ...found.flatMap((one) => (one.at === "own" ? one.object : [])),
  ...extra,
];

/** A part that is left out stays as it is while it, or the deployment as a whole, is protected: both may come in one edit. */
export const isKept = ({ deployment }: Scene, object: Resource): boolean =>
  !isDeleting(object) &&
  (deployment.spec.deletionProtection === true ||
    (object.spec as { readonly deletionProtection?: boolean }).deletionProtection === true);

export const keptExtra = (scene: Scene): Resource | undefined => scene.extra.find((object) => isKept(scene, object));

export const machineOf = ({ found }: Scene): VirtualMachine | undefined => {
  const machine = found.find((one) => one.child.kind === "VirtualMachine");
  return machine?.at === "own" ? (machine.object as VirtualMachine) : undefined;
};

const conditionsOf = ({ status }: Resource): readonly Condition[] =>
  (status as { readonly conditions?: readonly Condition[] } | undefined)?.conditions ?? [];

/** Its status answers its present spec. */
const isAnswered = (object: Resource): boolean =>
  (object.status as { readonly observedGeneration?: number } | undefined)?.observedGeneration ===
  object.metadata.generation;

export const isChildReady = (object: Resource): boolean =>
  !isDeleting(object) && isAnswered(object) && hasStatus(conditionsOf(object), "Ready", "True");

export const readyOf = (object: Resource): Condition | undefined => findCondition(conditionsOf(object), "Ready");

export const conditionOf = (object: Resource, type: string): Condition | undefined =>
  findCondition(conditionsOf(object), type);

/** The child waits for a person, as its status says of its present spec. */
export const stalledOf = (object: Resource): Condition | undefined => {
  const stalled = conditionOf(object, "Stalled");
  return isAnswered(object) && stalled?.status === "True" ? stalled : undefined;
};
