import { keyOf, keyText } from "../../api/resource.ts";
import type { Key, Resource } from "../../api/resource.ts";
import { Listing } from "../listing.ts";
import type { Sink } from "./reflector.ts";
import { trimmed } from "./trim.ts";
import { compareVersions } from "./version.ts";

/** Under deletion and held by nothing: the write that took off the last finalizer removed it. */
const isFinished = ({ metadata }: Resource): boolean =>
  metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0;

/**
 * What is known of one collection: what its reflector hears, and what own writes answered, whichever is newer. Old news never replaces
 * newer; what own writes removed does not come back by an event from before.
 */
export class Collection implements Sink {
  readonly #wake: (key: Key) => void;
  readonly #objects = new Listing();
  /** What own writes removed, until the reflector has heard so: by key, with the last version that we know of. */
  readonly #gone = new Map<string, { readonly uid: string; readonly version: string }>();
  /** Everything up to this version was heard. */
  #heard = "";

  constructor(wake: (key: Key) => void) {
    this.#wake = wake;
  }

  get(key: Key): Resource | undefined {
    return this.#objects.get(keyText(key));
  }

  list(): readonly Resource[] {
    return this.#objects.list();
  }

  replaced(objects: readonly Resource[], version: string): void {
    // A list is never older than what was heard, unless the cluster's store was put back to an earlier state.
    const restored = compareVersions(version, this.#heard) < 0;
    this.#heard = version;
    const listed = new Set(objects.map((object) => keyText(keyOf(object))));
    const uids = new Set(objects.map((object) => object.metadata.uid));
    for (const [text, { uid, version: last }] of this.#gone) {
      // A list from before its last version says nothing of its end.
      const heard = !uids.has(uid) && compareVersions(version, last) >= 0;
      if (restored || heard) this.#gone.delete(text);
    }
    for (const [text, object] of this.#objects.entries()) {
      const newer = compareVersions(object.metadata.resourceVersion, version) > 0;
      if (!listed.has(text) && (restored || !newer)) this.#drop(object);
    }
    for (const object of objects) this.#take(object, restored ? "always" : "newer");
  }

  changed(object: Resource): void {
    this.#hear(object.metadata.resourceVersion);
    this.#take(object, "newer");
  }

  removed(object: Resource): void {
    const { uid, resourceVersion } = object.metadata;
    this.#hear(resourceVersion);
    const text = keyText(keyOf(object));
    if (this.#gone.get(text)?.uid === uid) this.#gone.delete(text);
    const known = this.#objects.get(text);
    if (known && (known.metadata.uid === uid || compareVersions(known.metadata.resourceVersion, resourceVersion) < 0))
      this.#drop(known);
  }

  bookmarked(version: string): void {
    this.#hear(version);
  }

  /** Takes an own write's answer, and gives it as everybody sees it now. */
  written(raw: Resource): Resource {
    const object = trimmed(raw);
    if (isFinished(object)) this.deleted(object);
    // What was heard is as new as this answer, and may tell more: that the object is gone, for one.
    else if (compareVersions(object.metadata.resourceVersion, this.#heard) > 0) this.#take(object, "newer");
    return object;
  }

  /** An own write removed the object. */
  deleted(object: Resource): void {
    const { uid, resourceVersion } = object.metadata;
    if (compareVersions(resourceVersion, this.#heard) > 0)
      this.#gone.set(keyText(keyOf(object)), { uid, version: resourceVersion });
    const known = this.get(keyOf(object));
    if (known?.metadata.uid === uid) this.#drop(known);
  }

  #hear(version: string): void {
    if (compareVersions(version, this.#heard) > 0) this.#heard = version;
  }

  #take(raw: Resource, when: "newer" | "always"): void {
    const { uid, resourceVersion } = raw.metadata;
    const key = keyOf(raw);
    const known = this.get(key);
    const gone = this.#gone.get(keyText(key));
    if (gone && (gone.uid === uid || compareVersions(resourceVersion, gone.version) <= 0)) return;
    if (known && when === "newer" && compareVersions(known.metadata.resourceVersion, resourceVersion) >= 0) return;
    this.#objects.set(keyText(key), Object.isFrozen(raw) ? raw : trimmed(raw));
    this.#wake(key);
  }

  #drop(object: Resource): void {
    const key = keyOf(object);
    this.#objects.delete(keyText(key));
    this.#wake(key);
  }
}
