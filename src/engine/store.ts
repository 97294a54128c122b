import type { Key, Metadata, Resource } from "../api/resource.ts";

/** A write lost the race against another one: read again, decide again. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
}

/** A write that the store does not accept, and would not accept again: not valid, protected, not allowed. The message is for people. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** The synchronous, always answering view of the objects; as of the last event delivered, own writes included. */
export interface Objects {
  get(key: Key): Resource | undefined;
  list(kind: string): readonly Resource[];
}

/**
 * Where resources live. Implementations: memory, files, kubernetes; all pass test/contract/store.ts.
 * Writes use optimistic concurrency on metadata.resourceVersion and throw ConflictError. A write that changes nothing
 * is no write: it returns the present object, and neither resourceVersion nor watchers move.
 */
export interface Store {
  readonly cache: Objects;
  /** A live read, never the cache. */
  get(key: Key): Promise<Resource | undefined>;
  /** Writes annotations and finalizers only. An object under deletion without finalizers is removed by this write. */
  putMetadata(next: Resource): Promise<Resource>;
  /** Writes status only. */
  putStatus(next: Resource): Promise<Resource>;
  /** Makes a new object (a deployment's child). uid, generation, resourceVersion and creationTimestamp are given by the store. Throws ConflictError when it exists, RefusedError. */
  create(draft: Draft): Promise<Resource>;
  /** Writes spec, labels, annotations and ownerReferences of an object that a controller made. Throws RefusedError too. */
  putDesired(next: Resource): Promise<Resource>;
  /** Asks for deletion, if the object still has that uid; finalizers hold it. Throws RefusedError while it is protected. */
  delete(key: Key, uid: string): Promise<void>;
  /** Calls `wake` for every object once the cache holds it, then at each change and removal. Resolves when the first listing was delivered. */
  watch(wake: (key: Key) => void, signal: AbortSignal): Promise<void>;
}

export interface Draft {
  readonly kind: string;
  readonly metadata: Pick<Metadata, "name"> &
    Partial<Pick<Metadata, "namespace" | "labels" | "annotations" | "finalizers" | "ownerReferences">>;
  readonly spec: unknown;
}

/** What a kind asks for of an object that it made. */
export type ObjectWrite =
  | { readonly write: "create"; readonly draft: Draft }
  /** See Store.putDesired. */
  | { readonly write: "put"; readonly object: Resource }
  | { readonly write: "delete"; readonly key: Key; readonly uid: string };
