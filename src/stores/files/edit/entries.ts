import { isCollection, isScalar, type CST, type Pair, type ParsedNode, type YAMLMap, type YAMLSeq } from "yaml";

/** A member of a block map or an item of a block sequence, by where it stands in the text. */
export interface Entry {
  /** Of a map's member; undefined for items, merge keys and keys that are no text. */
  readonly key?: string | undefined;
  readonly value: ParsedNode | null;
  /** Offset of the key, or of the dash. */
  readonly start: number;
  /** Offset behind the colon, or the dash. */
  readonly sign: number;
  /** Offset of the end of the last line that holds something of it. */
  readonly end: number;
}

type Block = YAMLMap.Parsed | YAMLSeq.Parsed;

export const isBlock = (node: ParsedNode | null): node is Block =>
  isCollection(node) && (node.srcToken?.type === "block-map" || node.srcToken?.type === "block-seq");

/** A node that stands for nothing written. */
export const isEmpty = (node: ParsedNode | null): boolean =>
  node === null || (isScalar(node) && node.range[0] === node.range[1]);

/** Something that can't be changed piece by piece; `offset` is where. */
export class Unsplicable extends Error {
  override readonly name = "Unsplicable";
  readonly offset: number;
  constructor(offset: number, why: string) {
    super(why);
    this.offset = offset;
  }
}

/** Where the members of a block collection stand. */
export class Source {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  column(offset: number): number {
    return offset - (this.text.lastIndexOf("\n", offset - 1) + 1);
  }

  lineEnd(offset: number): number {
    const at = this.text.indexOf("\n", offset);
    return at < 0 ? this.text.length : at;
  }

  entries(node: Block): readonly Entry[] {
    const token = node.srcToken as CST.BlockMap | CST.BlockSequence;
    const isMap = token.type === "block-map";
    // What holds comments only stands for no member.
    const tokens = (token.items as readonly Item[]).filter((item) =>
      isMap ? item.key != null || item.sep !== undefined : item.start.some(({ type }) => type === "seq-item-ind"),
    );
    if (tokens.length !== node.items.length) throw new Unsplicable(node.range[0], "is written in an unusual way");
    return tokens.map((item, index) => (isMap ? this.#member(node, item, index) : this.#item(node, item, index)));
  }

  /** Offset behind the last character of a node that says something; of an empty one undefined. */
  contentEnd(node: ParsedNode | null): number | undefined {
    if (node === null || isEmpty(node)) return undefined;
    if (isBlock(node)) return this.entries(node).at(-1)?.end ?? node.range[1];
    // A block scalar's range has the line end that closes it.
    return node.range[0] + this.text.slice(node.range[0], node.range[1]).trimEnd().length;
  }

  #member(node: Block, { start, sep = [] }: Item, index: number): Entry {
    const pair = node.items[index] as Pair<ParsedNode, ParsedNode | null>;
    const colon = sep.find(({ type }) => type === "map-value-ind");
    const key = pair.key as ParsedNode | null;
    if (!colon || key === null || start.some(({ type }) => !quiet.has(type)))
      throw new Unsplicable(node.range[0], "has a key that is written in an unusual way");
    const sign = colon.offset + colon.source.length;
    return { key: keyText(key), value: pair.value, start: key.range[0], sign, end: this.#end(pair.value, sign) };
  }

  #item(node: Block, { start }: Item, index: number): Entry {
    const dash = start.find(({ type }) => type === "seq-item-ind");
    if (!dash) throw new Unsplicable(node.range[0], "has an item that is written in an unusual way");
    const value = node.items[index] as ParsedNode | null;
    const sign = dash.offset + dash.source.length;
    return { value, start: dash.offset, sign, end: this.#end(value, sign) };
  }

  #end(value: ParsedNode | null, sign: number): number {
    return this.lineEnd(this.contentEnd(value) ?? sign);
  }
}

interface Item {
  readonly start: readonly CST.SourceToken[];
  readonly key?: CST.Token | null;
  readonly sep?: readonly CST.SourceToken[];
}

const quiet: ReadonlySet<string> = new Set(["space", "newline", "comment"]);

/** As the reader takes it; undefined for merge keys and what is no text. */
export const keyText = (key: ParsedNode | null): string | undefined =>
  isScalar(key) && ["string", "number", "boolean"].includes(typeof key.value) ? String(key.value) : undefined;
