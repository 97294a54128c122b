import type { Resource } from "../api/resource.ts";

/** Objects of one kind by key text, and their list in that order: another list after each change, the order found again only after a coming or going. */
export class Listing {
  readonly #objects = new Map<string, Resource>();
  #order: readonly string[] | undefined;
  #list: readonly Resource[] | undefined;

  get(text: string): Resource | undefined {
    return this.#objects.get(text);
  }

  set(text: string, object: Resource): void {
    if (!this.#objects.has(text)) this.#order = undefined;
    this.#list = undefined;
    this.#objects.set(text, object);
  }

  delete(text: string): void {
    if (!this.#objects.delete(text)) return;
    this.#order = undefined;
    this.#list = undefined;
  }

  entries(): IterableIterator<[string, Resource]> {
    return this.#objects.entries();
  }

  list(): readonly Resource[] {
    this.#order ??= [...this.#objects.keys()].sort();
    this.#list ??= this.#order.flatMap((text) => this.#objects.get(text) ?? []);
    return this.#list;
  }
}
