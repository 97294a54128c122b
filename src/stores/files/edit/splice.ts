import { isCollection, isMap, isPair, isSeq, Parser, type Document, type ParsedNode } from "yaml";
import { valueOf } from "../nodes.ts";
import { sourceDocuments } from "../yaml.ts";
import { isBlock, Source, Unsplicable } from "./entries.ts";
import { flowNode } from "./flow.ts";
import { Renderer } from "./render.ts";
import type { Layout } from "./text.ts";

/** The text with another value in the place of one document's; everything else stays as it is. Throws Unsplicable. */
export const splicedText = (text: string, index: number, want: unknown): string => {
  // Lines that end as Windows ends them are put back so.
  const isWindows = text.includes("\r\n") && !/[^\r]\n/.test(text);
  const plain = isWindows ? text.replaceAll("\r\n", "\n") : text;
  const document = sourceDocuments(plain)[index];
  const node = document?.contents as ParsedNode | null | undefined;
  if (!document || !node) throw new Unsplicable(0, "the document is not there");
  const source = new Source(plain);
  const have = valueOf(document).value;
  const change = { node, have, want };
  const [start, end] = isBlock(node) ? [node.range[0], source.contentEnd(node) ?? node.range[1]] : node.range;
  const next = isBlock(node) ? new Renderer(source, layoutOf(document, source)).block(change) : flowNode(plain, change);
  if (next === undefined) throw new Unsplicable(start, "would become something else: change it by hand");
  const rest = plain.slice(end);
  const spliced = plain.slice(0, start) + next + (rest.endsWith("\n") ? rest : `${rest}\n`);
  return isWindows ? spliced.replaceAll("\n", "\r\n") : spliced;
};

/** How the document lays out what it nests, by the first place that tells. */
const layoutOf = ({ contents }: Document.Parsed, source: Source): Layout => {
  const found: { step?: number; indentSeq?: boolean } = {};
  const look = (node: unknown, column: number): void => {
    if (!isCollection(node)) return;
    for (const item of node.items) {
      const value = isPair(item) ? item.value : item;
      if (!isBlock(value as ParsedNode | null)) continue;
      const block = value as ParsedNode;
      const at = source.column(block.range[0]);
      if (isPair(item) && isSeq(block)) found.indentSeq ??= at > column;
      if (isPair(item) && isMap(block) && at > column) found.step ??= at - column;
      look(block, at);
    }
  };
  look(contents, 0);
  const { step = 2, indentSeq = true } = found;
  return { step, indentSeq };
};

/**
 * The text without one document: from its `---` to the next one. Comments at a file's head, with an empty line below them, are
 * about the file and stay. Undefined when nothing would be left; documents that are commented out are something.
 */
export const withoutDocument = (text: string, index: number): string | undefined => {
  const starts = documentStarts(text);
  const start = starts[index] ?? 0;
  const end = starts[index + 1] ?? text.length;
  const head = start === 0 ? headOf(text.slice(0, end)) : "";
  const others = text.slice(0, start) + text.slice(end);
  const isSaid = /(^|\s)#/.test(others) || sourceDocuments(others).some(({ contents }) => contents !== null);
  return isSaid ? text.slice(0, start) + head + text.slice(end) : undefined;
};

const headOf = (document: string): string => /^(?:[ \t]*#[^\n]*\n)+(?=[ \t]*\r?\n)\s*?\n/.exec(document)?.[0] ?? "";

/** Offset of each document's `---`; of the first, the beginning of the text. */
const documentStarts = (text: string): readonly number[] => {
  const starts: number[] = [];
  for (const token of new Parser().parse(text)) {
    if (token.type !== "document") continue;
    const marker = token.start.find(({ type }) => type === "doc-start");
    starts.push(starts.length === 0 ? 0 : (marker?.offset ?? token.offset));
  }
  return starts;
};
