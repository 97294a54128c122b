import { keyText } from "../api/resource.ts";
import type { Key } from "./ports.ts";

/** One object: what it refers to, and who refers to it. There need be no object: what is referred to may not exist yet. */
interface Node {
  readonly key: Key;
  readonly text: string;
  refs: readonly Node[];
  /** Most have none or one: only several make a set. */
  referrers: undefined | Node | Set<Node>;
}

const none: readonly Node[] = [];

/** Who refers to whom, both ways, as of the last refs told. */
export class Dependents {
  /** Those that refer to something, or that something refers to. */
  readonly #nodes = new Map<string, Node>();

  /** The object's refs as of now; an empty list forgets it. */
  set(key: Key, refs: readonly Key[]): void {
    const from = this.#node(key);
    const before = from.refs;
    const now = refs.map((ref) => this.#node(ref));
    from.refs = now.length === 0 ? none : now;
    for (const ref of now) addReferrer(ref, from);
    for (const ref of before) {
      if (!now.includes(ref)) removeReferrer(ref, from);
      this.#tidy(ref);
    }
    this.#tidy(from);
  }

  refsOf(key: Key): readonly Key[] {
    return (this.#nodes.get(keyText(key))?.refs ?? none).map((node) => node.key);
  }

  referrersOf(key: Key): readonly Key[] {
    const referrers = this.#nodes.get(keyText(key))?.referrers;
    if (referrers === undefined) return [];
    return referrers instanceof Set ? Array.from(referrers, (node) => node.key) : [referrers.key];
  }

  #node(key: Key): Node {
    const text = keyText(key);
    const present = this.#nodes.get(text);
    if (present) return present;
    const fresh: Node = { key, text, refs: none, referrers: undefined };
    this.#nodes.set(text, fresh);
    return fresh;
  }

  #tidy({ text, refs, referrers }: Node): void {
    if (refs.length === 0 && referrers === undefined) this.#nodes.delete(text);
  }
}

const addReferrer = (to: Node, from: Node): void => {
  const { referrers } = to;
  if (referrers instanceof Set) referrers.add(from);
  else if (referrers === undefined) to.referrers = from;
  else if (referrers !== from) to.referrers = new Set([referrers, from]);
};

const removeReferrer = (to: Node, from: Node): void => {
  const { referrers } = to;
  if (referrers === from) to.referrers = undefined;
  else if (referrers instanceof Set && referrers.delete(from) && referrers.size === 0) to.referrers = undefined;
};
