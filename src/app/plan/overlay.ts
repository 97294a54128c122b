import { apiVersion } from "../../api/kinds.ts";
import { keyOf, keyText, type Key, type Metadata, type Resource } from "../../api/resource.ts";
import { deepEqual } from "../../engine/equal.ts";
import { withMaker } from "../../engine/objectWrites.ts";
import type { Kind, Objects } from "../../engine/ports.ts";
import { validate, validateUpdate } from "../../api/validate.ts";
import type { DraftDocument, FileProblem, Place } from "../../server/control.ts";

/** A document's object as it would be stored: new, changed or as it is. */
export interface Draft {
  readonly resource: Resource;
  /** The stored object of the same key. */
  readonly before?: Resource;
  readonly place?: Place;
}

/** Objects as they would be, over those that are; nothing of it is stored. */
export class Overlay implements Objects {
  readonly #base: Objects;
  readonly #changed = new Map<string, Resource>();

  constructor(base: Objects) {
    this.#base = base;
  }

  get(key: Key): Resource | undefined {
    return this.#changed.get(keyText(key)) ?? this.#base.get(key);
  }

  list(kind: string): readonly Resource[] {
    const changed = [...this.#changed.values()].filter((one) => one.kind === kind);
    const kept = this.#base.list(kind).filter((one) => !this.#changed.has(keyText(keyOf(one))));
    return [...kept, ...changed];
  }

  put(resource: Resource): void {
    this.#changed.set(keyText(keyOf(resource)), resource);
  }
}

/** Who refers to whom among the objects, by the kinds' own refs. */
export const referrersIn = (
  objects: Objects,
  kinds: ReadonlyMap<string, Kind>,
): ((key: Key) => readonly Resource[]) => {
  const found = new Map<string, Resource[]>();
  for (const kind of kinds.values())
    for (const resource of objects.list(kind.kind))
      for (const ref of withMaker(resource, kind.refs(resource))) {
        const text = keyText(ref);
        found.set(text, [...(found.get(text) ?? []), resource]);
      }
  return (key) => found.get(keyText(key)) ?? [];
};

/**
 * A document as the object it would become, defaults filled in; what the model refuses (a value, an immutable field, a smaller
 * disk) becomes problems.
 */
export const draftOf = (
  { object, place }: DraftDocument,
  objects: Objects,
  birth: { readonly uid: string; readonly now: Date },
): Draft | { readonly problems: readonly FileProblem[] } => {
  const stored = storedOf(object, objects);
  const before = stored?.metadata.deletionTimestamp === undefined ? stored : undefined;
  const verdict = before ? validateUpdate(before, object) : validate(object);
  if (!verdict.valid) return { problems: verdict.issues.map(({ path, message }) => ({ ...place, path, message })) };
  const { metadata: written, kind, spec } = verdict.object;
  const document: Resource = { apiVersion, kind, metadata: written as Metadata, spec };
  return before ? edited(before, document, place) : { resource: born(document, birth), place };
};

const storedOf = (object: unknown, objects: Objects): Resource | undefined => {
  const { kind, metadata } = (object ?? {}) as Partial<Resource>;
  return kind === undefined || metadata === undefined ? undefined : objects.get(keyOf(object as Resource));
};

const born = (document: Resource, { uid, now }: { readonly uid: string; readonly now: Date }): Resource => ({
  ...document,
  metadata: {
    ...document.metadata,
    uid,
    generation: 1,
    resourceVersion: "0",
    creationTimestamp: now.toISOString(),
  },
});

const edited = (before: Resource, document: Resource, place: Place): Draft => {
  const changed = !deepEqual(before.spec, document.spec);
  const { generation, annotations } = before.metadata;
  const metadata = {
    ...before.metadata,
    generation: changed ? generation + 1 : generation,
    annotations: { ...annotations, ...document.metadata.annotations },
    labels: document.metadata.labels ?? {},
  };
  return { resource: { ...before, metadata, spec: document.spec }, before, place };
};
