import type { Resource } from "../api/resource.ts";

/** Objects of one kind by key text, and their list in that order: another list after each change, most of it taken over from the last. */
export class Listing {
  /** With the place in the order that was found last, if that still holds. */
  readonly #objects = new Map<string, { object: Resource; at: number }>();
  /** Whether objects came or went since the order was found. */
  #reordered = false;
  #list: readonly Resource[] = [];
  /** Changed since the list was made. */
  readonly #changed = new Set<{ readonly object: Resource; readonly at: number }>();

  get(text: string): Resource | undefined {
    return this.#objects.get(text)?.object;
  }

  set(text: string, object: Resource): void {
    const present = this.#objects.get(text);
    if (present) {
      present.object = object;
      this.#changed.add(present);
    } else {
      this.#objects.set(text, { object, at: -1 });
      this.#reordered = true;
    }
  }

  delete(text: string): void {
    if (this.#objects.delete(text)) this.#reordered = true;
  }

  *entries(): Generator<[string, Resource]> {
    for (const [text, { object }] of this.#objects) yield [text, object];
  }

  list(): readonly Resource[] {
    if (this.#reordered) this.#list = this.#sorted();
    else if (this.#changed.size > 0) this.#list = this.#updated();
    this.#reordered = false;
    this.#changed.clear();
    return this.#list;
  }

  #sorted(): readonly Resource[] {
    const sorted = [...this.#objects].sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([, entry], at) => {
      entry.at = at;
      return entry.object;
    });
  }

  #updated(): readonly Resource[] {
    const list = this.#list.slice();
    for (const { object, at } of this.#changed) list[at] = object;
    return list;
  }
}
