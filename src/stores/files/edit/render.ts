import { isAlias, isMap, isScalar, isSeq, type ParsedNode } from "yaml";
import { equalJson } from "../../equal.ts";
import { isObject, type JsonObject } from "../part.ts";
import { aligned } from "./align.ts";
import { isBlock, isEmpty, Unsplicable, type Entry, type Source } from "./entries.ts";
import { flowNode } from "./flow.ts";
import { itemText, pairText, scalarText, type Layout } from "./text.ts";

/** One change: a node, what it says, what it is to say. */
export interface Change {
  readonly node: ParsedNode;
  readonly have: unknown;
  readonly want: unknown;
}

/** A piece of a block collection as it is to be written: the full lines above it, and its own text without indentation. */
interface Piece {
  readonly above: string;
  readonly text: string;
}

/** Writes nodes anew; what does not change is copied from the text, with its comments. */
export class Renderer {
  readonly #source: Source;
  readonly #layout: Layout;

  constructor(source: Source, layout: Layout) {
    this.#source = source;
    this.#layout = layout;
  }

  /**
   * A block collection from its first character to the end of the last line that holds something of it; undefined when it can't
   * stay a block (another type, or empty).
   */
  block({ node, have, want }: Change): string | undefined {
    if (!isBlock(node)) return undefined;
    if (isMap(node) && isObject(have) && isObject(want)) return this.#map({ node, have, want });
    if (isSeq(node) && Array.isArray(have) && Array.isArray(want)) return this.#seq({ node, have, want });
    return undefined;
  }

  #map({ node, have, want }: Change & { readonly have: JsonObject; readonly want: JsonObject }): string | undefined {
    if (Object.keys(want).length === 0 || !isBlock(node)) return undefined;
    const entries = this.#source.entries(node);
    const column = this.#source.column(node.range[0]);
    const own = new Set(entries.map(({ key }) => key));
    const kept = entries.map((entry): Piece | string => {
      const above = this.#above(entry, entries);
      const { key } = entry;
      if (key !== undefined && want[key] === undefined) return above;
      if (key === undefined) return { above, text: this.#copy(entry) };
      const text = this.#entry(entry, { have: have[key], want: want[key] }, (value) =>
        pairText(key, value, column, this.#layout),
      );
      return { above, text };
    });
    // What a merge key brings is there already.
    const added = Object.entries(want)
      .filter(([key, value]) => value !== undefined && !own.has(key) && !equalJson(have[key], value))
      .map(([key, value]) => ({ above: "", text: pairText(key, value, column, this.#layout) }));
    return joined([...kept, ...added], column);
  }

  #seq({
    node,
    have,
    want,
  }: Change & { readonly have: readonly unknown[]; readonly want: readonly unknown[] }): string | undefined {
    if (want.length === 0 || !isBlock(node)) return undefined;
    const entries = this.#source.entries(node);
    const column = this.#source.column(node.range[0]);
    const plan = aligned(have, want);
    const used = new Set(plan.map(({ from }) => from));
    const lost = entries.filter((_, index) => !used.has(index)).map((entry) => this.#above(entry, entries));
    const pieces = plan.map(({ from, value }): Piece => {
      const entry = from === undefined ? undefined : entries[from];
      if (!entry || from === undefined) return { above: "", text: itemText(value, column, this.#layout) };
      const text = this.#entry(entry, { have: have[from], want: value }, (whole) =>
        itemText(whole, column, this.#layout),
      );
      return { above: this.#above(entry, entries), text };
    });
    return joined([...pieces, ...lost], column);
  }

  /** Comments and empty lines above an entry; of the first they stand before the collection. */
  #above(entry: Entry, entries: readonly Entry[]): string {
    const before = entries[entries.indexOf(entry) - 1];
    if (!before) return "";
    const lineStart = entry.start - this.#source.column(entry.start);
    return this.#source.text.slice(before.end + 1, lineStart);
  }

  #copy({ start, end }: Entry): string {
    return this.#source.text.slice(start, end);
  }

  /** A member with another value; `anew` writes it whole. */
  #entry(entry: Entry, { have, want }: Omit<Change, "node">, anew: (value: unknown) => string): string {
    const { value, start, sign, end } = entry;
    const { text } = this.#source;
    if (equalJson(have, want)) return this.#copy(entry);
    if (isAlias(value)) throw new Unsplicable(value.range[0], "is written as an alias: change it by hand");
    if (value === null || isEmpty(value)) return withTail(anew(want), text.slice(sign, end));
    if (isBlock(value)) {
      const block = this.block({ node: value, have, want });
      if (block !== undefined) return text.slice(start, value.range[0]) + block;
      return withTail(anew(want), comments(text.slice(sign, value.range[0])));
    }
    const stop = this.#source.contentEnd(value) ?? sign;
    const leaf = this.#leaf({ node: value, have, want });
    if (leaf !== undefined) return text.slice(start, value.range[0]) + leaf + text.slice(stop, end);
    return withTail(anew(want), text.slice(stop, end));
  }

  /** What stands on the line of its key, and stays there. */
  #leaf({ node, have, want }: Change): string | undefined {
    if (isScalar(node) && (typeof want !== "object" || want === null)) {
      if (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED") return undefined;
      return scalarText(want, node);
    }
    if (isScalar(node) || typeof want !== "object" || want === null) return undefined;
    return flowNode(this.#source.text, { node, have, want });
  }
}

/** The comment of a line that is written anew: behind what stands on its first line. */
const withTail = (text: string, tail: string): string => {
  const comment = comments(tail);
  if (comment === "") return text;
  const [first = "", ...rest] = text.split("\n");
  return [`${first} ${comment}`, ...rest].join("\n");
};

const comments = (text: string): string => /#[^\n]*/.exec(text)?.[0].trimEnd() ?? "";

/** Pieces one below the other; the lines above those that go stay where they are. */
const joined = (pieces: readonly (Piece | string)[], column: number): string => {
  const indent = " ".repeat(column);
  let out = "";
  let waiting = "";
  for (const piece of pieces) {
    if (typeof piece === "string") {
      waiting += piece;
      continue;
    }
    const above = waiting + piece.above;
    waiting = "";
    // The first one stands where the collection begins, its column is written already.
    if (out === "") out = above.trim() === "" ? piece.text : `${above.trimStart()}${indent}${piece.text}`;
    else out += `\n${above}${indent}${piece.text}`;
  }
  return waiting.trim() === "" ? out : `${out}\n${waiting.replace(/\n$/, "")}`;
};
