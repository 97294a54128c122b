import { isMap, isScalar, isSeq, type Pair, type ParsedNode } from "yaml";
import { equalJson } from "../../equal.ts";
import { isObject } from "../part.ts";
import { aligned } from "./align.ts";
import { keyText, Unsplicable } from "./entries.ts";
import type { Change } from "./render.ts";
import { flowText, moved, scalarText } from "./text.ts";

/** A collection in brackets with other members; those that stay are copied, and where none comes or goes, what is between them. */
export const flowNode = (text: string, { node, have, want }: Change): string => {
  if (isMap(node) && isObject(have) && isObject(want)) {
    const parts = node.items.map((item): Part => partOf(item as Pair<ParsedNode, ParsedNode | null>));
    const keys = parts.map(({ key }) => key);
    const next = [
      ...keys
        .filter((key) => want[key] !== undefined)
        .map((key) => ({ from: keys.indexOf(key), value: want[key], key })),
      ...Object.keys(want)
        .filter((key) => want[key] !== undefined && !keys.includes(key))
        .map((key) => ({ from: undefined, value: want[key], key })),
    ];
    return members(text, { node, parts, next, have: keys.map((key) => have[key]) });
  }
  if (isSeq(node) && Array.isArray(have) && Array.isArray(want)) {
    const parts = node.items.map((item) => {
      const value = item as ParsedNode;
      return { key: "", start: value.range[0], end: value.range[1], value };
    });
    return members(text, { node, parts, next: aligned(have, want), have });
  }
  return JSON.stringify(want);
};

interface Part {
  readonly key: string;
  readonly start: number;
  readonly end: number;
  readonly value: ParsedNode;
}

const partOf = ({ key, value }: Pair<ParsedNode, ParsedNode | null>): Part => {
  const offset = (key as ParsedNode | null)?.range[0] ?? 0;
  const name = keyText(key as ParsedNode | null);
  if (name === undefined || value === null)
    throw new Unsplicable(offset, "has a key that is written in an unusual way");
  return { key: name, start: offset, end: value.range[1], value };
};

interface Members {
  readonly node: ParsedNode;
  readonly parts: readonly Part[];
  readonly next: readonly { readonly from: number | undefined; readonly value: unknown; readonly key?: string }[];
  readonly have: readonly unknown[];
}

const members = (text: string, { node, parts, next, have }: Members): string => {
  const [start, end] = node.range;
  const [first, second] = parts;
  const last = parts.at(-1);
  if (!first || !last) return JSON.stringify(wholeOf(node, next));
  const written = next.map(({ from, value, key }) => {
    const part = from === undefined ? undefined : parts[from];
    if (part && from !== undefined) return memberText(text, part, { have: have[from], want: value });
    return newMember(text, { first, key, value });
  });
  const isSame = next.length === parts.length && next.every(({ from }, index) => from === index);
  if (isSame) {
    const between = parts.map((part, index) => text.slice(part.end, parts[index + 1]?.start ?? end));
    return text.slice(start, first.start) + written.map((one, index) => one + (between[index] ?? "")).join("");
  }
  if (/(^|\s)#/.test(text.slice(start, end)))
    throw new Unsplicable(start, "holds comments between brackets: change it by hand");
  if (written.length === 0) return isMap(node) ? "{}" : "[]";
  const open = text.slice(start, first.start);
  const separator = second ? text.slice(first.end, second.start) : open.includes("\n") ? `,${open.slice(1)}` : ", ";
  return open + written.join(separator) + text.slice(last.end, end);
};

const wholeOf = (node: ParsedNode, next: Members["next"]): unknown =>
  isMap(node) ? Object.fromEntries(next.map(({ key = "", value }) => [key, value])) : next.map(({ value }) => value);

const memberText = (text: string, { start, end, value }: Part, { have, want }: Omit<Change, "node">): string => {
  const [from] = value.range;
  if (equalJson(have, want)) return text.slice(start, end);
  const head = text.slice(start, from);
  if (isScalar(value) && (typeof want !== "object" || want === null)) {
    const isQuoted = value.type === "QUOTE_DOUBLE" || value.type === "QUOTE_SINGLE";
    return (
      head + (isQuoted && typeof want === "string" ? (scalarText(want, value) ?? JSON.stringify(want)) : flowText(want))
    );
  }
  if (isMap(value) || isSeq(value)) return head + flowNode(text, { node: value, have, want });
  return head + JSON.stringify(want);
};

/** Keys are quoted where those beside are. JSON over several lines stays so. */
const newMember = (
  text: string,
  { first, key, value }: { readonly first: Part; readonly key: string | undefined; readonly value: unknown },
): string => {
  const column = first.start - (text.lastIndexOf("\n", first.start - 1) + 1);
  const isLaidOut = text.slice(first.start - column, first.start).trim() === "";
  const body = isLaidOut ? moved(JSON.stringify(value, null, 2), column) : flowText(value);
  if (key === undefined) return body;
  return `${text[first.start] === '"' ? JSON.stringify(key) : flowText(key)}: ${body}`;
};
