import { Counts } from "./counts.ts";
import type { Objects, Resource, SnapshotView } from "./ports.ts";

/**
 * What `make` finds out about something that never changes in place: a resource, or a store's list of them (a changed store gives
 * another list). Found out once, and forgotten with it.
 */
export const once = <K extends object, T>(make: (of: K) => T): ((of: K) => T) => {
  const known = new WeakMap<K, { readonly value: T }>();
  return (of) => {
    const found = known.get(of) ?? { value: make(of) };
    known.set(of, found);
    return found.value;
  };
};

/** The same of a snapshot, which changes in place: once for each version of it. */
export const onceAVersion = <T>(make: (snapshot: SnapshotView) => T): ((snapshot: SnapshotView) => T) => {
  const known = new WeakMap<SnapshotView, { readonly version: number; readonly value: T }>();
  return (snapshot) => {
    const found = known.get(snapshot);
    if (found?.version === snapshot.version) return found.value;
    const value = make(snapshot);
    known.set(snapshot, { version: snapshot.version, value });
    return value;
  };
};

/** How an index over the objects of one kind is made and kept. */
export interface Indexing<R extends Resource, T> {
  readonly kind: R["kind"];
  readonly make: () => T;
  /** What changed is both: as it was gone, as it is come. */
  readonly update: (index: T, gone: readonly R[], come: readonly R[]) => void;
}

/**
 * An index over all objects of a kind, kept along what differs between the store's last list and this one: thousands of objects that
 * change one after another must not make it anew each time.
 */
export const indexed = <R extends Resource, T>({ kind, make, update }: Indexing<R, T>): ((objects: Objects) => T) => {
  // An index lives as long as the list that it is of, and keeps what the objects of that list were: the store lets go of both at once.
  const indexes = new WeakMap<readonly R[], T>();
  const last = new WeakMap<Objects, WeakRef<readonly R[]>>();
  return (objects) => {
    const list = objects.list(kind) as readonly R[];
    const known = indexes.get(list);
    if (known !== undefined) return known;
    const before = last.get(objects)?.deref();
    const kept = before && indexes.get(before);
    const index = kept ?? make();
    const { gone, come } = difference((kept && before) ?? [], list);
    if (before) indexes.delete(before);
    update(index, gone, come);
    indexes.set(list, index);
    last.set(objects, new WeakRef(list));
    return index;
  };
};

/** What two lists in the same order do not share; few places differ, so that what is alike is passed over at its ends and place by place. */
const difference = <R>(
  before: readonly R[],
  now: readonly R[],
): { readonly gone: readonly R[]; readonly come: readonly R[] } => {
  let head = 0;
  while (head < before.length && head < now.length && before[head] === now[head]) head += 1;
  let tail = 0;
  while (tail < before.length - head && tail < now.length - head && before.at(-1 - tail) === now.at(-1 - tail))
    tail += 1;
  const [old, fresh] = [before.slice(head, before.length - tail), now.slice(head, now.length - tail)];
  if (old.length !== fresh.length) return { gone: old, come: fresh };
  return { gone: old.filter((one, at) => one !== fresh[at]), come: fresh.filter((one, at) => one !== old[at]) };
};

/** Texts of all objects of a kind, several of which may have the same: whether any has one, by counting. */
export const textsOf = <R extends Resource>(
  kind: R["kind"],
  textOf: (object: R) => string,
): ((objects: Objects) => { has(text: string): boolean }) =>
  indexed<R, Counts>({
    kind,
    make: () => new Counts(),
    update: (counts, gone, come) => {
      for (const text of come.map(textOf)) counts.add(text);
      for (const text of gone.map(textOf)) counts.remove(text);
    },
  });
