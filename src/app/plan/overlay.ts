import { keyOf, keyText, type Key, type Resource } from "../../api/resource.ts";
import { deepEqual } from "../../engine/equal.ts";
import { withMaker } from "../../engine/objectWrites.ts";
import type { Kind, Objects } from "../../engine/ports.ts";
import { validateUpdate } from "../../api/validate.ts";
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

/** A document as the object it would become; a refused edit (an immutable field, a smaller disk) becomes problems. */
export const draftOf = (
  { object, place }: DraftDocument,
  objects: Objects,
  birth: { readonly uid: string; readonly now: Date },
): Draft | { readonly problems: readonly FileProblem[] } => {
  const document = object as Resource;
  const before = objects.get(keyOf(document));
  if (before === undefined || before.metadata.deletionTimestamp !== undefined) {
    const metadata = {
      ...document.metadata,
      uid: birth.uid,
      generation: 1,
      resourceVersion: "0",
      creationTimestamp: birth.now.toISOString(),
    };
    return { resource: { ...document, metadata }, place };
  }
  const verdict = validateUpdate(before, document);
  if (!verdict.valid) return { problems: verdict.issues.map(({ path, message }) => ({ ...place, path, message })) };
  const edited = !deepEqual(before.spec, document.spec);
  const { generation, annotations } = before.metadata;
  const metadata = {
    ...before.metadata,
    generation: edited ? generation + 1 : generation,
    annotations: { ...annotations, ...document.metadata.annotations },
    labels: document.metadata.labels ?? {},
  };
  return { resource: { ...before, metadata, spec: document.spec }, before, place };
};
