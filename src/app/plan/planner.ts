import { completeSpec } from "../../api/defaults.ts";
import type { VirtualMachine } from "../../api/generated/types.ts";
import { apiVersion, isKind } from "../../api/kinds.ts";
import { keyOf, keyText, type Key, type Resource } from "../../api/resource.ts";
import { deepEqual } from "../../engine/equal.ts";
import { fileModeGuard, guardedKinds, holds } from "../../engine/massDelete.ts";
import { mergeMetadata } from "../../engine/metadata.ts";
import { makerOf } from "../../engine/objectWrites.ts";
import type { Decision, Kind, Objects, ObjectWrite, World } from "../../engine/ports.ts";
import type { DraftDocument, FileProblem, PlannedObject, PlanReport, SecretName } from "../../server/control.ts";
import { fedBy, groundOf, planGuest, type Ground, type GuestPlan } from "./guest.ts";
import { draftOf, Overlay, referrersIn, type Draft } from "./overlay.ts";
import { plannedObject } from "./report.ts";

export interface PlannerInput {
  readonly objects: Objects;
  readonly kinds: readonly Kind[];
  readonly documents: readonly DraftDocument[];
  /** Secrets given along with them, by name. */
  readonly secrets?: readonly SecretName[];
  /** Stored objects to be deleted. */
  readonly removed: readonly Resource[];
  readonly now: Date;
  readonly uuid: () => string;
  /** The world for one object, with what is overlaid. */
  readonly world: (resource: Resource, over: Partial<World>) => World;
}

/** Passes after which the decisions must have settled; each may place an object that the next one's depends on. */
const mostPasses = 8;

/**
 * What the loop would do, object by object: every kind decides over the objects as they would be, again and again until no
 * decision changes another one's ground (a placement, a status), as the running loop does over time. Pure.
 */
export const planObjects = (input: PlannerInput): Pick<PlanReport, "objects" | "summary" | "problems" | "untold"> => {
  const overlay = new Overlay(input.objects);
  const problems: FileProblem[] = [];
  const drafts = new Map<string, Draft>();
  for (const document of input.documents) {
    const draft = draftOf(document, input.objects, { uid: input.uuid(), now: input.now });
    if ("problems" in draft) {
      problems.push(...draft.problems);
      continue;
    }
    drafts.set(keyText(keyOf(draft.resource)), draft);
    overlay.put(draft.resource);
  }
  for (const resource of withChildren(input)) overlay.put(removed(resource, input.now));
  const decisions = settle(overlay, input);
  for (const child of childDrafts(overlay, input.objects, drafts)) drafts.set(keyText(keyOf(child.resource)), child);
  const ground = groundOf(overlay);
  const guestOf = guests(ground, input);
  const objects = decisions.flatMap(({ key, decision }) => {
    const resource = overlay.get(key);
    if (!resource) return [];
    const draft = drafts.get(keyText(key));
    const guest = guestOf(resource, decision);
    return (
      plannedObject({ resource, decision, objects: overlay, ...(draft && { draft }), ...(guest && { guest }) }) ?? []
    );
  });
  const untold = untoldOf(ground, input);
  return { objects, summary: summaryOf(objects), problems, ...(untold.length > 0 && { untold }) };
};

const removed = (resource: Resource, now: Date): Resource => ({
  ...resource,
  metadata: { ...resource.metadata, deletionTimestamp: resource.metadata.deletionTimestamp ?? now.toISOString() },
});

/** Objects to be deleted, with what they made: a deployment's children go one after the other, but all of them go. */
const withChildren = ({ removed: going, objects }: PlannerInput): readonly Resource[] => {
  const uids = new Set(going.filter(takesChildren).map(({ metadata }) => metadata.uid));
  if (uids.size === 0) return going;
  const known = new Set(going.map((one) => keyText(keyOf(one))));
  const children = guardedKinds
    .flatMap((kind) => objects.list(kind))
    .filter((one) => uids.has(makerOf(one)?.uid ?? ""));
  return [...going, ...children.filter((one) => !known.has(keyText(keyOf(one))))];
};

const takesChildren = ({ spec }: Resource): boolean => {
  const { deletionPolicy, managementPolicy } = (spec ?? {}) as { deletionPolicy?: string; managementPolicy?: string };
  return deletionPolicy !== "Orphan" && managementPolicy !== "Observe";
};

/** What the edits come to inside a machine's guest; undefined of other kinds, and where nothing changes. */
const guests = (drafts: Ground, { objects }: PlannerInput) => {
  const stored = groundOf(objects);
  return (resource: Resource, decision: Decision): GuestPlan | undefined => {
    if (resource.kind !== "VirtualMachine") return undefined;
    const known = objects.get(keyOf(resource));
    const before = known?.metadata.uid === resource.metadata.uid ? (known as VirtualMachine) : undefined;
    return planGuest({ vm: resource as VirtualMachine, before, decision, drafts, stored });
  };
};

/** Machines that are there, and to which the given Secrets belong. */
const untoldOf = (drafts: Ground, { secrets = [], objects }: PlannerInput): NonNullable<PlanReport["untold"]> => {
  if (secrets.length === 0) return [];
  return (drafts.objects.list("VirtualMachine") as readonly VirtualMachine[])
    .filter((vm) => objects.get(keyOf(vm)) && vm.metadata.deletionTimestamp === undefined)
    .flatMap((vm) => {
      const here = secrets.filter(({ namespace }) => namespace === (vm.metadata.namespace ?? ""));
      const found = fedBy(vm, drafts, new Set(here.map(({ name }) => name)));
      return found.settings.length > 0 ? [{ key: keyOf(vm), ...found }] : [];
    });
};

/** Children that their deployment makes or changes, shown as edits at its place. */
const childDrafts = (overlay: Overlay, stored: Objects, drafts: ReadonlyMap<string, Draft>): readonly Draft[] =>
  guardedKinds
    .flatMap((kind) => overlay.list(kind))
    .flatMap((resource): readonly Draft[] => {
      const maker = makerOf(resource);
      const before = stored.get(keyOf(resource));
      if (!maker || (before && deepEqual(before.spec, resource.spec))) return [];
      const place = drafts.get(keyText(maker))?.place;
      return [{ resource, ...(before && { before }), ...(place && { place }) }];
    });

interface Decided {
  readonly key: Key;
  readonly decision: Decision;
}

const settle = (overlay: Overlay, input: PlannerInput): readonly Decided[] => {
  const kinds = new Map(input.kinds.map((kind) => [kind.kind, kind]));
  for (let pass = 1; ; pass += 1) {
    const referrers = referrersIn(overlay, kinds);
    const held = holds(
      guardedKinds.flatMap((kind) => overlay.list(kind)),
      [],
      { now: input.now, settings: fileModeGuard },
    );
    let moved = false;
    const decided = [...kinds.values()].flatMap((kind) =>
      overlay.list(kind.kind).map((resource): Decided => {
        const massDelete = held.get(resource.metadata.uid);
        // A preview seals nothing: what the running control plane knows of guests is of the present objects. See guest.ts here.
        const over = { objects: overlay, referrers, guests: undefined, ...(massDelete ? { massDelete } : {}) };
        const decision = kind.decide(resource, input.world(resource, over));
        moved = advance(overlay, resource, decision) || moved;
        if (decision.act.do === "objects") moved = write(overlay, decision.act.writes, input) || moved;
        return { key: keyOf(resource), decision };
      }),
    );
    if (!moved || pass === mostPasses) return decided;
  }
};

/** Puts what the decision writes into the overlay; true when that changed anything. */
const advance = (overlay: Overlay, resource: Resource, decision: Decision): boolean => {
  const merged = mergeMetadata(resource, decision.metadata);
  const next = merged ?? resource;
  const status = decision.status ?? resource.status;
  if (!merged && deepEqual(status, resource.status)) return false;
  overlay.put(status === undefined ? next : { ...next, status });
  return true;
};

/** Puts objects that a decision writes into the overlay; true when that changed anything. */
const write = (overlay: Overlay, writes: readonly ObjectWrite[], { uuid, now }: PlannerInput): boolean =>
  writes.map((one) => written(overlay, one, { uid: uuid(), now })).some(Boolean);

const written = (overlay: Overlay, one: ObjectWrite, birth: { readonly uid: string; readonly now: Date }): boolean => {
  switch (one.write) {
    case "create": {
      const { kind, metadata, spec } = one.draft;
      const given = { uid: birth.uid, generation: 1, resourceVersion: "0", creationTimestamp: birth.now.toISOString() };
      const complete = isKind(kind) ? completeSpec(kind, spec as object) : spec;
      overlay.put({ apiVersion, kind, metadata: { ...metadata, ...given }, spec: complete });
      return true;
    }
    case "put": {
      const { metadata } = one.object;
      overlay.put({ ...one.object, metadata: { ...metadata, generation: metadata.generation + 1 } });
      return true;
    }
    case "delete": {
      const present = overlay.get(one.key);
      if (!present || present.metadata.deletionTimestamp !== undefined) return false;
      overlay.put(removed(present, birth.now));
      return true;
    }
    default:
      return one satisfies never;
  }
};

const summaryOf = (objects: readonly PlannedObject[]): PlanReport["summary"] => {
  const count = (action: PlannedObject["action"]): number => objects.filter((one) => one.action === action).length;
  return { create: count("create"), adopt: count("adopt"), update: count("update"), delete: count("delete") };
};
