import type { SnapshotView } from "./ports.ts";

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
