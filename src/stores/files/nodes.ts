import { isAlias, isScalar, isSeq } from "yaml";
import type { Document, Pair, ParsedNode, Scalar, YAMLMap } from "yaml";
import { childPath } from "./place.ts";
import { characterName, forbiddenAt } from "./text.ts";

export interface NodeProblem {
  readonly offset: number;
  readonly message: string;
  readonly detail?: string;
}

/** What a document holds: its JSON value and the offset of each field (of its key) and item. */
export interface Found {
  readonly value: unknown;
  readonly offset: number;
  readonly offsets: ReadonlyMap<string, number>;
  readonly problems: readonly NodeProblem[];
}

/** Nodes that aliases may stand for in one document: more is an attack, not a manifest. */
const maxAliased = 10_000;
const maxDepth = 64;

/** The document's value; problems are duplicate keys, bad aliases, keys and values that JSON cannot have. */
export const valueOf = (document: Document.Parsed): Found => {
  const walk = new Walk();
  const value = walk.value(document.contents, "");
  const offset = document.contents?.range[0] ?? document.range[0];
  return { value, offset, offsets: walk.offsets, problems: walk.problems };
};

/** Thrown to leave a document at a problem after which nothing of it makes sense. */
class Stop extends Error {}

class Walk {
  readonly offsets = new Map<string, number>();
  readonly problems: NodeProblem[] = [];
  readonly #anchors = new Map<string, ParsedNode>();
  readonly #open = new Set<ParsedNode>();
  #aliased = 0;
  #inAlias = 0;
  /** Offset of the alias in the text that all of this comes from. */
  #outermost = 0;

  value(node: ParsedNode | null, path: string): unknown {
    try {
      return this.#any(node, path);
    } catch (error) {
      if (error instanceof Stop) return undefined;
      throw error;
    }
  }

  #report(offset: number, message: string, detail?: string): void {
    if (this.problems.length < 20) this.problems.push({ offset, message, ...(detail === undefined ? {} : { detail }) });
  }

  #stop(offset: number, message: string, detail?: string): never {
    this.#report(offset, message, detail);
    throw new Stop();
  }

  #any(node: ParsedNode | null, path: string): unknown {
    if (node === null) return null;
    if (this.#inAlias > 0 && ++this.#aliased > maxAliased)
      this.#stop(this.#outermost, `aliases stand for more than ${maxAliased} values`);
    if (isAlias(node)) return this.#alias(node.source, node.range[0], path);
    if (node.anchor !== undefined && this.#inAlias === 0) this.#anchors.set(node.anchor, node);
    if (isScalar(node)) return this.#scalar(node);
    if (this.#open.size >= maxDepth) this.#stop(node.range[0], `is nested more than ${maxDepth} levels deep`);
    this.#open.add(node);
    const value = isSeq(node)
      ? node.items.map((item, i) => this.#item(item as ParsedNode, childPath(path, i)))
      : this.#map(node, path);
    this.#open.delete(node);
    return value;
  }

  #item(node: ParsedNode | null, path: string): unknown {
    if (node) this.offsets.set(path, node.range[0]);
    return this.#any(node, path);
  }

  #alias(name: string, offset: number, path: string): unknown {
    const target = this.#anchors.get(name);
    if (!target)
      return this.#stop(offset, "an alias refers to no anchor before it", `*${name} refers to no anchor before it`);
    if (this.#open.has(target)) return this.#stop(offset, "an alias refers to what it is part of");
    if (this.#inAlias === 0) this.#outermost = offset;
    this.#inAlias += 1;
    const value = this.#any(target, path);
    this.#inAlias -= 1;
    return value;
  }

  #map(node: ParsedNode, path: string): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    const merged: unknown[] = [];
    for (const pair of (node as YAMLMap.Parsed).items as Pair<ParsedNode, ParsedNode | null>[]) {
      if (isMerge(pair.key)) merged.push(...this.#merge(pair, path));
      else this.#member(pair, path, entries);
    }
    // Own keys win over merged ones, earlier merged ones over later.
    for (const [key, value] of merged.flatMap((from) => Object.entries(from as object)))
      if (!entries.has(key)) entries.set(key, value);
    return Object.fromEntries(entries);
  }

  #member(pair: Pair<ParsedNode, ParsedNode | null>, path: string, entries: Map<string, unknown>): void {
    const { key, value } = pair;
    const name = this.#key(key);
    if (name === undefined) return;
    const child = childPath(path, name);
    const offset = key.range[0];
    if (name === "__proto__") this.#report(offset, 'the key "__proto__" is not allowed');
    if (entries.has(name))
      return this.#report(
        offset,
        "a key stands twice in one map",
        `the key ${JSON.stringify(name)} stands twice in one map`,
      );
    this.offsets.set(child, offset);
    entries.set(name, this.#any(value, child));
  }

  #key(key: ParsedNode): string | undefined {
    if (isScalar(key) && ["string", "number", "boolean"].includes(typeof key.value)) {
      const value = this.#scalar(key);
      return String(value);
    }
    const offset = (key as ParsedNode | null)?.range[0] ?? 0;
    this.#report(offset, "a key must be text");
    return undefined;
  }

  #merge({ key, value }: Pair<ParsedNode, ParsedNode | null>, path: string): unknown[] {
    const found = this.#any(value, path);
    const sources: unknown[] = Array.isArray(found) ? found : [found];
    if (sources.every((source) => typeof source === "object" && source !== null && !Array.isArray(source)))
      return sources;
    this.#report(key.range[0], "<< must name a map or a list of maps");
    return [];
  }

  #scalar({ value, range }: Scalar.Parsed): unknown {
    if (typeof value === "string") {
      const at = forbiddenAt(value);
      if (at >= 0) this.#report(range[0], `the control character ${characterName(value, at)} is not allowed`);
    } else if (typeof value === "number" && !isJsonNumber(value)) {
      this.#report(range[0], "is a number that cannot be kept exactly: use quotes if it is text");
    }
    return value;
  }
}

const isJsonNumber = (value: number): boolean =>
  Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));

/** The library's mark of a merge key is a symbol, which no other key has. */
const isMerge = (key: ParsedNode): boolean => isScalar(key) && typeof key.value === "symbol";
