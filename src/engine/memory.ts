import { keyText } from "../api/resource.ts";
import { annotations as names } from "../api/annotations.ts";
import { noDrift, type Drift } from "./drift.ts";
import type { EventNote, FinishedJob, Key, LastFault, Objects, Resource } from "./ports.ts";

/** What the engine remembers of one object between looks. Lost at a restart: correctness never depends on it. */
export interface Remembered {
  readonly uid: string;
  /** What the last fault was got under; another one makes the fault moot. */
  faultCause: string | undefined;
  lastFault: LastFault | undefined;
  lastJob: FinishedJob | undefined;
  /** Writes of other objects that the store refused, and what it said. */
  refused:
    | { readonly message: string; readonly attempts: number; readonly retryAt: number; readonly cause: string }
    | undefined;
  /** Host of the last job. */
  lastHost: string | undefined;
  /** Milliseconds since 1970; of the last status write by this process. */
  statusWrittenAt: number | undefined;
  /** A status that is not yet written, by throttling; decisions go on from it. */
  deferredStatus: unknown;
  /** Looks asked for in a row. */
  looks: number;
  events: readonly EventNote[];
  /** What differs though it was as declared before. */
  drift: Drift;
}

/** All members from the start: objects that lose members are kept as tables, which take five times the memory. */
const nothingOf = (uid: string): Remembered => ({
  uid,
  faultCause: undefined,
  lastFault: undefined,
  lastJob: undefined,
  refused: undefined,
  lastHost: undefined,
  statusWrittenAt: undefined,
  deferredStatus: undefined,
  looks: 0,
  events: [],
  drift: noDrift,
});

/** Annotations that this program itself writes: their change is no wish of anybody. */
const ownAnnotations: ReadonlySet<string> = new Set([names.host, names.guestGeneration, names.guestDigest]);

const sorted = (entries: readonly [string, string][]): readonly [string, string][] =>
  entries.toSorted(([a], [b]) => (a < b ? -1 : 1));

const wishes = ({ metadata }: Resource): string =>
  JSON.stringify(sorted(Object.entries(metadata.annotations ?? {}).filter(([name]) => !ownAnnotations.has(name))));

/** Changes when somebody changed what is wanted of the object: its spec, annotations, deletion. Not by its status. */
export const wantedVersion = (resource: Resource): string => {
  const { uid, generation, deletionTimestamp = "", labels = {} } = resource.metadata;
  return JSON.stringify([uid, generation, deletionTimestamp, sorted(Object.entries(labels)), wishes(resource)]);
};

/** Whether wantedVersion is the same. A store shares what did not change, so that nearly all need no closer look. */
export const sameWishes = (one: Resource, other: Resource): boolean => {
  const [a, b] = [one.metadata, other.metadata];
  if (a.uid !== b.uid || a.generation !== b.generation || a.deletionTimestamp !== b.deletionTimestamp) return false;
  const shared = a.labels === b.labels && a.annotations === b.annotations;
  return shared || wantedVersion(one) === wantedVersion(other);
};

/** What a fault depends on besides the host: the object as wanted, and the specs of all it refers to. */
export const faultCause = (resource: Resource, refs: readonly Key[], objects: Objects): string => {
  const referred = refs.map((ref) => {
    const found = objects.get(ref);
    return [keyText(ref), found?.metadata.uid, found?.metadata.generation];
  });
  return JSON.stringify([wantedVersion(resource), referred]);
};

/** Memories by key; one of another uid is another object's, and begins empty. */
export class Memory {
  readonly #byKey = new Map<string, Remembered>();

  /** Objects remembered. */
  get size(): number {
    return this.#byKey.size;
  }

  of(key: Key, uid: string): Remembered {
    const text = keyText(key);
    const present = this.#byKey.get(text);
    if (present?.uid === uid) return present;
    const fresh = nothingOf(uid);
    this.#byKey.set(text, fresh);
    return fresh;
  }

  peek(key: Key): Remembered | undefined {
    return this.#byKey.get(keyText(key));
  }

  forget(key: Key): void {
    this.#byKey.delete(keyText(key));
  }
}
