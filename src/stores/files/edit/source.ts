import type { Key } from "../../../api/resource.ts";
import { namespaceOf } from "../../rows.ts";
import { isObject, type JsonObject } from "../part.ts";
import { equalJson } from "../../equal.ts";
import { positionsIn } from "../text.ts";
import { parseYaml } from "../yaml.ts";
import { EditRefusal } from "./refusal.ts";
import { Unsplicable } from "./entries.ts";
import { splicedText, withoutDocument } from "./splice.ts";
import { toText } from "./text.ts";

/** An object's document in a file's text. */
export interface Found {
  readonly key: Key;
  readonly value: JsonObject;
  /** Of the documents of the text. */
  readonly index: number;
  /** Of the items of a List; absent when the document is the object. */
  readonly item?: number;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** All objects that a text declares. */
export const documentsOf = (text: string, file: string): readonly Found[] =>
  parseYaml(text).documents.flatMap((document, index): Found[] => {
    const { value } = document;
    if (!isObject(value)) return [];
    const items = value["kind"] === "List" && Array.isArray(value["items"]) ? (value["items"] as unknown[]) : undefined;
    if (!items) return found(value, { index, file, ...document.position("") });
    return items.flatMap((item, at) =>
      isObject(item) ? found(item, { index, item: at, file, ...document.position(`items[${at}]`) }) : [],
    );
  });

const found = (value: JsonObject, where: Omit<Found, "key" | "value">): Found[] => {
  const { kind, metadata } = value;
  if (typeof kind !== "string" || !isObject(metadata) || typeof metadata["name"] !== "string") return [];
  const { name, namespace } = metadata as { name: string; namespace?: string };
  return [{ key: { kind, namespace: namespaceOf(kind, namespace), name }, value, ...where }];
};

/** The text with one more document at its end. */
export const appended = (text: string, value: unknown): string => {
  if (text.trim() === "") return toText(value);
  return `${text.endsWith("\n") ? text : `${text}\n`}---\n${toText(value)}`;
};

/** The text with the object's document saying `value`. Refuses where only a person could write it well. */
export const replaced = (text: string, at: Found, value: object): string => {
  const { documents } = parseYaml(text);
  const whole = at.item === undefined ? value : withItem(documents[at.index]?.value, at.item, value);
  const next = spliced(text, at, whole);
  const wanted = documents.map((document, index) => (index === at.index ? whole : document.value));
  // Never is anything else written than what was meant, whatever the file looks like.
  if (!equalJson(valuesOf(next), wanted))
    throw new EditRefusal("byHand", at, "is written so that a change here would change more: change it by hand");
  return next;
};

const valuesOf = (text: string): readonly unknown[] => {
  const { documents, problems } = parseYaml(text);
  return problems.length > 0 ? [] : documents.map(({ value }) => value);
};

const spliced = (text: string, at: Found, value: unknown): string => {
  try {
    return splicedText(text, at.index, value);
  } catch (error) {
    if (!(error instanceof Unsplicable)) throw error;
    throw new EditRefusal("byHand", { file: at.file, ...positionsIn(text)(error.offset) }, error.message);
  }
};

const withItem = (list: unknown, item: number, value: object): object => {
  const { items = [] } = list as { items?: readonly unknown[] };
  return { ...(list as object), items: items.map((one, index) => (index === item ? value : one)) };
};

/** The text without the object's document; undefined when nothing would be left. */
export const removed = (text: string, at: Found): string | undefined => {
  const { documents } = parseYaml(text);
  const list = documents[at.index]?.value as { items?: readonly unknown[] } | undefined;
  if (at.item !== undefined && list?.items && list.items.length > 1)
    return spliced(text, at, { ...list, items: list.items.filter((_, index) => index !== at.item) });
  const next = withoutDocument(text, at.index);
  const wanted = documents.filter((_, index) => index !== at.index).map(({ value }) => value);
  const isRight = equalJson(next === undefined ? [] : valuesOf(next).filter(notNull), wanted.filter(notNull));
  if (!isRight) throw new EditRefusal("byHand", at, "cannot be taken out without harm to the rest: do it by hand");
  return next;
};

const notNull = (value: unknown): boolean => value !== null;
