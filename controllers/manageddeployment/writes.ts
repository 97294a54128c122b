import { annotations as names } from "../../src/api/annotations.ts";
import { completeSpec } from "../../src/api/defaults.ts";
import { apiVersion } from "../../src/api/kinds.ts";
import type { Metadata, OwnerReference, Resource } from "../../src/api/resource.ts";
import { keyOf } from "../../src/api/resource.ts";
import type { ManagedDeployment } from "../../src/api/generated/types.ts";
import { deepEqual } from "../../src/engine/equal.ts";
import { makerOf } from "../../src/engine/objectWrites.ts";
import type { ObjectWrite } from "../../src/engine/ports.ts";
import { annotationOf, compact, isDeleting, isPaused, namespaceOf } from "../shared/objects.ts";
import type { Child } from "./expand.ts";
import { isKept, type Found, type Scene } from "./scene.ts";

/** The writes that make the children as declared, and those that are no part of the deployment any more go. */
export const pendingWrites = (scene: Scene): readonly ObjectWrite[] => [
  ...declaredWrites(scene),
  ...scene.extra.flatMap((object) => removalOf(scene, object)),
];

/** The machine last: it is placed where its disks and adapters can be. */
const declaredWrites = (scene: Scene): readonly ObjectWrite[] =>
  scene.found.toReversed().flatMap((one) => writeOf(scene, one));

/** Writes of children that are there, while none is made and none goes: one that is left out keeps its attachment, too. */
export const writesInPlace = (scene: Scene): readonly ObjectWrite[] => [
  ...declaredWrites(scene).filter(({ write }) => write === "put"),
  ...scene.extra.flatMap((object) => tellingWrites(scene, object)),
];

const writeOf = (scene: Scene, found: Found): readonly ObjectWrite[] => {
  if (found.at === "missing") return [creation(scene.deployment, found.child)];
  if (found.at === "foreign") return [];
  if (isDeleting(found.object)) return tellingWrites(scene, found.object);
  return asDeclared(scene.deployment, found.child, found.object);
};

/** The write that only tells a child what its deployment passes on, whatever becomes of it: one under deletion can be paused, too. */
export const tellingWrites = (scene: Scene, object: Resource): readonly ObjectWrite[] =>
  changed(object, object.spec, markedAs(scene, object));

/** Labels and annotations of an object that the deployment made, whether it is still a part or not. */
export const markedAs = ({ deployment, found }: Scene, object: Resource): Marked => {
  const child = found.find((one) => one.at === "own" && one.object === object)?.child;
  return marked(deployment, child ?? lastGiven(object.metadata), object.metadata);
};

const creation = (deployment: ManagedDeployment, child: Child): ObjectWrite => ({
  write: "create",
  draft: {
    kind: child.kind,
    metadata: {
      name: child.name,
      namespace: namespaceOf(deployment),
      ownerReferences: [ownerReference(deployment)],
      ...marked(deployment, child, undefined),
    },
    spec: child.spec,
  },
});

const ownerReference = ({ kind, metadata }: ManagedDeployment): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});

/** The write that takes back what differs from the declaration; none when nothing does. */
const asDeclared = (deployment: ManagedDeployment, child: Child, object: Resource): readonly ObjectWrite[] => {
  const { host } = object.spec as { readonly host?: string };
  const spec = completeSpec(child.kind, { ...child.spec, ...(host !== undefined && { host }) });
  return changed(object, spec, marked(deployment, child, object.metadata));
};

/** A write of the object with this spec and these labels and annotations; none when it has them. */
export const changed = (
  object: Resource,
  spec: unknown,
  metadata: Pick<Metadata, "labels" | "annotations" | "ownerReferences">,
): readonly ObjectWrite[] => {
  const next = { ...object, spec, metadata: { ...object.metadata, ...metadata } };
  const same =
    deepEqual(object.spec, spec) &&
    deepEqual(object.metadata.labels ?? {}, next.metadata.labels ?? {}) &&
    deepEqual(object.metadata.annotations ?? {}, next.metadata.annotations ?? {}) &&
    deepEqual(object.metadata.ownerReferences ?? [], next.metadata.ownerReferences ?? []);
  return same ? [] : [{ write: "put", object: next }];
};

/** A disk is detached before it goes: one that its machine still has would stay. What is protected is not even detached. */
const removalOf = (scene: Scene, object: Resource): readonly ObjectWrite[] => {
  if (isDeleting(object) || isKept(scene, object)) return tellingWrites(scene, object);
  const { attachment: _, ...rest } = object.spec as {
    readonly attachment?: unknown;
    readonly deletionPolicy?: "Delete" | "Orphan";
  };
  // What the deployment says now holds for a part that says nothing itself, also when both come in one edit.
  const deletionPolicy = rest.deletionPolicy ?? scene.deployment.spec.deletionPolicy;
  const prepared = changed(object, compact({ ...rest, deletionPolicy }), markedAs(scene, object));
  if (prepared.length > 0) return prepared;
  const { attachedTo } = (object.status ?? {}) as { readonly attachedTo?: unknown };
  return attachedTo === undefined ? [{ write: "delete", key: keyOf(object), uid: object.metadata.uid }] : [];
};

/** The object without the mark that the deployment made it. */
export const detached = (object: Resource): readonly ObjectWrite[] => {
  const uid = makerOf(object)?.uid;
  const { [names.fromDeployment]: _, ...annotations } = object.metadata.annotations ?? {};
  const ownerReferences = (object.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid);
  return changed(object, object.spec, { annotations, ownerReferences });
};

// Labels and annotations ---------------------------------------------------------------------------------------------

type Texts = Readonly<Record<string, string>>;
type Marked = Required<Pick<Metadata, "labels" | "annotations">>;

/** Names that the deployment gave a child before, kept with it: what others gave it stays. */
interface Given {
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
}

/** Labels and annotations of a child: those that its deployment gives it, and those that others gave it. */
const marked = (
  deployment: ManagedDeployment,
  child: Pick<Child, "labels" | "annotations">,
  present: Metadata | undefined,
): Marked => {
  const before = givenBefore(present?.annotations?.[names.fromDeployment]);
  const otherLabels = without(present?.labels, before.labels);
  const { [names.fromDeployment]: _, ...otherAnnotations } = without(present?.annotations, before.annotations);
  const annotations = { ...child.annotations, ...passedOn(deployment, otherAnnotations) };
  const given: Given = { labels: Object.keys(child.labels).sort(), annotations: Object.keys(annotations).sort() };
  const any = given.labels.length + given.annotations.length > 0;
  return {
    labels: { ...otherLabels, ...child.labels },
    annotations: {
      ...otherAnnotations,
      ...annotations,
      ...(any && { [names.fromDeployment]: JSON.stringify(given) }),
    },
  };
};

/** What the deployment gave an object last, but for what it passes on. */
const lastGiven = ({ labels, annotations }: Metadata): Pick<Child, "labels" | "annotations"> => {
  const before = givenBefore(annotations?.[names.fromDeployment]);
  return {
    labels: only(labels, before.labels),
    annotations: only(
      annotations,
      before.annotations.filter((name) => name !== names.paused && name !== names.forceOrphan),
    ),
  };
};

/** A paused deployment pauses its children; one that gives up the host's things makes its children do so. */
const passedOn = (deployment: ManagedDeployment, others: Texts): Texts => ({
  ...(isPaused(deployment) && others[names.paused] !== "true" && { [names.paused]: "true" }),
  ...(isDeleting(deployment) &&
    annotationOf(deployment, names.forceOrphan) === "true" && { [names.forceOrphan]: "true" }),
});

const without = (texts: Texts | undefined, gone: readonly string[]): Texts =>
  Object.fromEntries(Object.entries(texts ?? {}).filter(([name]) => !gone.includes(name)));

const only = (texts: Texts | undefined, wanted: readonly string[]): Texts =>
  Object.fromEntries(Object.entries(texts ?? {}).filter(([name]) => wanted.includes(name)));

const givenBefore = (text: string | undefined): Given => {
  const nothing: Given = { labels: [], annotations: [] };
  if (text === undefined) return nothing;
  try {
    return { ...nothing, ...(JSON.parse(text) as Partial<Given>) };
  } catch {
    // Somebody wrote something else there: then nothing is known to be ours.
    return nothing;
  }
};
