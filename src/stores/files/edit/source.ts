import { keyText, type Key } from "../../../api/resource.ts";
import { namespaceOf } from "../../rows.ts";
import { isObject, type JsonObject } from "../part.ts";
import { parseYaml } from "../yaml.ts";
import { EditRefusal } from "./refusal.ts";
import { splicedText } from "./splice.ts";
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
    const { value, line, column } = document;
    if (!isObject(value)) return [];
    const items = value["kind"] === "List" && Array.isArray(value["items"]) ? (value["items"] as unknown[]) : undefined;
    if (!items) return found(value, { index, file, line, column });
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
  const next = splicedText(text, at.index, whole);
  const after = documentsOf(next, at.file);
  if (after.every(({ key }) => keyText(key) !== keyText(at.key)))
    throw new EditRefusal("byHand", at, "cannot be changed here without harm to the rest: change it by hand");
  return next;
};

const withItem = (list: unknown, item: number, value: object): object => {
  const { items = [] } = list as { items?: readonly unknown[] };
  return { ...(list as object), items: items.map((one, index) => (index === item ? value : one)) };
};

/** The text without the object's document; undefined when nothing would be left. */
export const removed = (text: string, at: Found): string | undefined => {
  const { documents } = parseYaml(text);
  const rest = documents.filter((_, index) => index !== at.index).map(({ value }) => value);
  const list = documents[at.index]?.value as { items?: readonly unknown[] } | undefined;
  if (at.item !== undefined && list?.items && list.items.length > 1)
    return splicedText(text, at.index, { ...list, items: list.items.filter((_, index) => index !== at.item) });
  if (rest.every((value) => value === null)) return undefined;
  return rest.map(toText).join("---\n");
};
