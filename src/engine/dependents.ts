import { keyText } from "../api/resource.ts";
import type { Key } from "./ports.ts";

/** Who refers to whom, both ways, as of the last refs told. */
export class Dependents {
  readonly #refs = new Map<string, readonly Key[]>();
  readonly #referrers = new Map<string, Map<string, Key>>();

  /** The object's refs as of now; an empty list forgets it. */
  set(key: Key, refs: readonly Key[]): void {
    const text = keyText(key);
    for (const ref of this.#refs.get(text) ?? []) this.#unlink(keyText(ref), text);
    if (refs.length === 0) this.#refs.delete(text);
    else this.#refs.set(text, refs);
    for (const ref of refs) this.#link(keyText(ref), text, key);
  }

  refsOf(key: Key): readonly Key[] {
    return this.#refs.get(keyText(key)) ?? [];
  }

  referrersOf(key: Key): readonly Key[] {
    return [...(this.#referrers.get(keyText(key))?.values() ?? [])];
  }

  #link(ref: string, text: string, key: Key): void {
    const present = this.#referrers.get(ref);
    if (present) present.set(text, key);
    else this.#referrers.set(ref, new Map([[text, key]]));
  }

  #unlink(ref: string, text: string): void {
    const present = this.#referrers.get(ref);
    if (present?.delete(text) && present.size === 0) this.#referrers.delete(ref);
  }
}
