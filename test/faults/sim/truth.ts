import { keyOf, keyText } from "../../../src/api/resource.ts";
import type { VirtualDisk } from "../../../src/api/generated/types.ts";
import type { Condition, Resource } from "../../../src/api/resource.ts";

interface Annotated {
  readonly values: string[];
  /** Index of the value that the store was last told to have. */
  least: number;
}

/** Somebody must hear of what must never happen; the first is what counts. */
export type Alarm = (what: string) => void;

/**
 * What really was asked for and really lies in the store, past every cache and every lost answer. It tells whether a deletion was meant.
 */
export class Truth {
  readonly #alarm: Alarm;
  readonly #objects = new Map<string, Resource>();
  /** Keys that the user's documents name now. */
  readonly #wanted = new Set<string>();
  /** Uids whose document the user took away at some time of their life. */
  readonly #givenUp = new Set<string>();
  /** Uids that the store had, and has no more or deletes. */
  readonly #going = new Set<string>();
  readonly #born = new Set<string>();
  /** Annotations that the user set, by uid: nobody else may lose them. */
  readonly #annotated = new Map<string, Map<string, Annotated>>();
  /** Objects written or removed in the store by anybody but the user. */
  writes = 0;

  /** When each uid's spec became what it is. */
  readonly #changedAt = new Map<string, number>();
  readonly #now: () => number;

  constructor(alarm: Alarm, now: () => number) {
    this.#alarm = alarm;
    this.#now = now;
  }

  /** The machine that a disk is meant for, and since when that has been so, milliseconds. */
  heldBy(diskUid: string): { readonly vm: string; readonly ms: number } | undefined {
    const objects = this.list();
    const disk = objects.find(({ metadata }) => metadata.uid === diskUid);
    const name = (disk?.spec as VirtualDisk["spec"] | undefined)?.attachment?.virtualMachine;
    const vm = objects.find(({ kind, metadata }) => kind === "VirtualMachine" && metadata.name === name);
    if (!disk || !vm || [disk, vm].some(({ metadata }) => this.isGoing(metadata.uid))) return undefined;
    const since = Math.max(...[disk, vm].map(({ metadata }) => this.#changedAt.get(metadata.uid) ?? Infinity));
    return { vm: vm.metadata.uid, ms: this.#now() - since };
  }

  list(): readonly Resource[] {
    return [...this.#objects.values()];
  }

  get(key: string): Resource | undefined {
    return this.#objects.get(key);
  }

  wants(keys: readonly string[]): void {
    const next = new Set(keys);
    for (const key of this.#wanted) {
      if (next.has(key)) continue;
      this.#wanted.delete(key);
      const uid = this.#objects.get(key)?.metadata.uid;
      if (uid !== undefined) this.#givenUp.add(uid);
    }
    for (const key of next) this.#wanted.add(key);
  }

  /** The user sets an annotation. Once `confirm` was called it must never be lost, nor go back to a value of before. */
  annotates(uid: string, name: string, value: string): { readonly confirm: () => void } {
    const ofUid = this.#annotated.get(uid) ?? new Map<string, Annotated>();
    const one = ofUid.get(name) ?? { values: [], least: -1 };
    one.values.push(value);
    const at = one.values.length - 1;
    this.#annotated.set(uid, ofUid.set(name, one));
    return { confirm: () => void (one.least = Math.max(one.least, at)) };
  }

  /** Whether the object with this uid goes or is gone, by the store itself. */
  isGoing(uid: string): boolean {
    return this.#going.has(uid);
  }

  /** Whether the store ever had it. */
  knows(uid: string): boolean {
    return this.#born.has(uid);
  }

  /** The store lost its last write: this is what it holds again. */
  restored(key: string, object: Resource | undefined): void {
    if (object) this.#objects.set(key, object);
    else this.#objects.delete(key);
  }

  /** The store holds this now. */
  holds(key: string, object: Resource | undefined): void {
    const before = this.#objects.get(key);
    this.writes += 1;
    if (object) this.#objects.set(key, object);
    else this.#objects.delete(key);
    if (before && before.metadata.uid !== object?.metadata.uid) this.#goes(key, before, "is gone");
    if (!object) return;
    this.#born.add(object.metadata.uid);
    if (before?.metadata.uid !== object.metadata.uid || before.metadata.generation !== object.metadata.generation)
      this.#changedAt.set(object.metadata.uid, this.#now());
    if (object.metadata.deletionTimestamp !== undefined) this.#goes(key, object, "is under deletion");
    if (before?.metadata.uid === object.metadata.uid) this.#same(before, object);
  }

  #goes(key: string, { kind, metadata: { name, uid } }: Resource, how: string): void {
    if (this.#going.has(uid)) return;
    this.#going.add(uid);
    if (this.#wanted.has(key) && !this.#givenUp.has(uid))
      this.#alarm(`${kind} ${name} ${how}, and nobody asked for it`);
  }

  #same(before: Resource, now: Resource): void {
    const at = keyText(keyOf(now));
    if (now.metadata.generation < before.metadata.generation) this.#alarm(`${at} went back a generation`);
    if (seen(now) < seen(before))
      this.#alarm(`the status of ${at} went back from generation ${seen(before)} to ${seen(now)}`);
    if (before.metadata.deletionTimestamp !== undefined && now.metadata.deletionTimestamp === undefined) {
      // Nothing is destroyed while it is held: in file mode its document may come back.
      if (isHeld(before)) this.#going.delete(now.metadata.uid);
      else this.#alarm(`${at} is no longer under deletion`);
    }
    for (const [name, { values, least }] of this.#annotated.get(now.metadata.uid) ?? [])
      if (values.lastIndexOf(now.metadata.annotations?.[name] ?? "") < least)
        this.#alarm(`${at} lost the user's annotation ${name}`);
  }
}

const held: readonly string[] = ["MassDeleteGuard", "InUse", "DiskHasChildren", "DeletionProtected"];

const isHeld = ({ status }: Resource): boolean =>
  ((status as { conditions?: readonly Condition[] } | undefined)?.conditions ?? []).some(
    ({ type, reason }) => type === "Stalled" && held.includes(reason),
  );

const seen = ({ status }: Resource): number =>
  (status as { observedGeneration?: number } | undefined)?.observedGeneration ?? 0;
