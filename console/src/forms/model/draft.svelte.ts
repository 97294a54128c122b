import { untrack } from "svelte";
import { SvelteMap, SvelteSet } from "svelte/reactivity";
import { deepEqual } from "../../../../src/engine/equal.ts";
import type { ConsoleKind } from "../../lib/kinds.ts";
import { rebased, type Side } from "./changes.ts";
import { placed, type Fault, type Placed } from "./faults.ts";
import { isWithin, valueAt, withValue, type Json } from "./path.ts";

/**
 * An object as somebody edits it. The whole object is kept, so that what no field shows is saved as it was read; fields
 * read and write by their path, which is also how the server names them in its refusals.
 */
export class Draft {
  readonly kind: ConsoleKind;
  /** The object as it was read; of a new one, what the form began with. */
  base: Json = $state.raw({});
  object: Json = $state.raw({});
  isNew: boolean = $state(true);
  /** Why nothing can be changed; the fields show it and take nothing. */
  readonly locked: string | undefined;
  /** Of a machine: disks that it takes or lets go, by name. They are saved after it. */
  readonly disks = new SvelteMap<string, "attach" | "detach">();
  #refused: readonly Fault[] = $state.raw([]);
  #foreseen: readonly Fault[] = $state.raw([]);
  readonly #touched = new SvelteSet<string>();
  readonly #fields = new SvelteMap<string, number>();
  readonly #placed: Placed = $derived(placed(this.#shown, this.#fields.keys()));

  constructor(kind: ConsoleKind, start: Json, how: { readonly isNew: boolean; readonly locked?: string | undefined }) {
    this.kind = kind;
    this.base = start;
    this.object = start;
    this.isNew = how.isNew;
    this.locked = how.locked;
  }

  get name(): string {
    return this.text("metadata.name");
  }

  get namespace(): string {
    return this.text("metadata.namespace");
  }

  /** Whether the object itself is to be saved. */
  get isEdited(): boolean {
    return this.isNew || !deepEqual(this.base, this.object);
  }

  /** Whether something would be lost. */
  get isChanged(): boolean {
    return this.disks.size > 0 || !deepEqual(this.base, this.object);
  }

  at(path: string): unknown {
    return valueAt(this.object, path);
  }

  /** A text or a number as text; "" where nothing is set. */
  text(path: string): string {
    const value = this.at(path);
    return typeof value === "string" || typeof value === "number" ? String(value) : "";
  }

  list(path: string): readonly unknown[] {
    const value = this.at(path);
    return Array.isArray(value) ? value : [];
  }

  /** Sets a field, or takes it off; what the server said of it is answered with that. */
  set(path: string, value: unknown): void {
    this.object = withValue(this.object, path, value);
    const keep = (fault: Fault): boolean => !isWithin(fault.path, path) && !isWithin(path, fault.path);
    this.#refused = this.#refused.filter(keep);
    this.#foreseen = this.#foreseen.filter(keep);
  }

  /** Puts an item at the end of a list. */
  add(path: string, item: unknown): void {
    this.set(path, [...this.list(path), item]);
  }

  /** What the server refused. */
  refuse(faults: readonly Fault[]): void {
    this.#refused = faults;
  }

  /** What the server would refuse, by its plan of the draft: shown at fields that were filled in. */
  foresee(faults: readonly Fault[]): void {
    this.#foreseen = faults;
  }

  touch(path: string): void {
    this.#touched.add(path);
  }

  /** Tells that a field for this path is on the screen. Returns what takes it back. */
  claim(path: string): () => void {
    const count = (by: number): void =>
      untrack(() => {
        const next = (this.#fields.get(path) ?? 0) + by;
        if (next > 0) this.#fields.set(path, next);
        else this.#fields.delete(path);
      });
    count(1);
    return () => count(-1);
  }

  faultsAt(path: string): readonly string[] {
    return this.#placed.at.get(path) ?? [];
  }

  /** Whether something is wrong in a group, so that it has to be open. */
  isFaulty(group: string): boolean {
    return [...this.#placed.at.keys()].some((path) => isWithin(path, group));
  }

  get faults(): Placed {
    return this.#placed;
  }

  get #shown(): readonly Fault[] {
    const refused = this.#refused;
    const touched = [...this.#touched];
    const seen = this.#foreseen.filter(
      ({ path, message }) =>
        touched.some((field) => isWithin(path, field)) &&
        !refused.some((one) => one.path === path && one.message === message),
    );
    return [...refused, ...seen];
  }

  /** The server has this now. */
  stored(object: Json): void {
    this.isNew = false;
    this.base = object;
    this.object = object;
    this.#refused = [];
    this.#foreseen = [];
    this.#touched.clear();
  }

  /** Lets go of what was edited. */
  forget(): void {
    this.object = this.base;
    this.disks.clear();
  }

  /** Goes on over what the server has now, with the draft's edits put onto it. */
  rebase(theirs: Json, choices: ReadonlyMap<string, Side>): void {
    const own = ({ metadata, spec }: Json): Json => ({ metadata: editableMetadata(metadata as Json), spec });
    const merged = rebased(own(this.base), own(this.object), own(theirs), choices);
    const metadata = { ...(theirs["metadata"] as Json), ...(merged["metadata"] as Json) };
    this.base = theirs;
    this.object = { ...theirs, metadata, spec: merged["spec"] };
    this.#refused = [];
  }
}

/** The rest of metadata is the server's. */
const editableMetadata = ({ labels = {}, annotations = {} }: Json): Json => ({ labels, annotations });
