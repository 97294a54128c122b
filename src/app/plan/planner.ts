import { keyOf, keyText, type Key, type Resource } from "../../api/resource.ts";
import { deepEqual } from "../../engine/equal.ts";
import { fileModeGuard, guardedKinds, holds } from "../../engine/massDelete.ts";
import { mergeMetadata } from "../../engine/metadata.ts";
import type { Decision, Kind, Objects, World } from "../../engine/ports.ts";
import type { DraftDocument, FileProblem, PlannedObject, PlanReport } from "../../server/control.ts";
import { draftOf, Overlay, referrersIn, type Draft } from "./overlay.ts";
import { plannedObject } from "./report.ts";

export interface PlannerInput {
  readonly objects: Objects;
  readonly kinds: readonly Kind[];
  readonly documents: readonly DraftDocument[];
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
export const planObjects = (input: PlannerInput): Pick<PlanReport, "objects" | "summary" | "problems"> => {
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
  for (const resource of input.removed) overlay.put(removed(resource, input.now));
  const decisions = settle(overlay, input);
  const objects = decisions.flatMap(({ key, decision }) => {
    const resource = overlay.get(key);
    const draft = drafts.get(keyText(key));
    const planned = resource && plannedObject({ resource, decision, objects: overlay, ...(draft ? { draft } : {}) });
    return planned ? [planned] : [];
  });
  return { objects, summary: summaryOf(objects), problems };
};

const removed = (resource: Resource, now: Date): Resource => ({
  ...resource,
  metadata: { ...resource.metadata, deletionTimestamp: resource.metadata.deletionTimestamp ?? now.toISOString() },
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
        // A preview seals nothing: what the running control plane knows of guests is of the present objects.
        const over = { objects: overlay, referrers, guests: undefined, ...(massDelete ? { massDelete } : {}) };
        const decision = kind.decide(resource, input.world(resource, over));
        moved = advance(overlay, resource, decision) || moved;
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

const summaryOf = (objects: readonly PlannedObject[]): PlanReport["summary"] => {
  const count = (action: PlannedObject["action"]): number => objects.filter((one) => one.action === action).length;
  return { create: count("create"), adopt: count("adopt"), update: count("update"), delete: count("delete") };
};
