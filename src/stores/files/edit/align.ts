import { isObject } from "../part.ts";

/** An item of the wanted list: what becomes of one that is there (by its index), or a new one. */
export interface Aligned {
  readonly from: number | undefined;
  readonly value: unknown;
}

/** What an item is called by: lists of the model are maps by name or path; else it is what it says. */
const identity = (value: unknown): string => {
  if (!isObject(value)) return JSON.stringify(value);
  const { name, path, kind, metadata } = value;
  const named = name ?? path ?? (isObject(metadata) ? metadata["name"] : undefined);
  return typeof named === "string" ? `${typeof kind === "string" ? kind : ""}/${named}` : JSON.stringify(value);
};

/** The second of the same name is another item. */
const unique = (names: readonly string[]): string[] => {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return `${count} ${name}`;
  });
};

/** Which item of a list becomes which of the wanted one; those of the same name first, then in order. */
export const aligned = (have: readonly unknown[], want: readonly unknown[]): readonly Aligned[] => {
  const names = unique(have.map(identity));
  const wanted = unique(want.map(identity));
  const kept = new Set(wanted);
  const free = names.flatMap((name, index) => (kept.has(name) ? [] : [index]));
  return want.map((value, index) => {
    const same = names.indexOf(wanted[index] ?? "");
    return { from: same >= 0 ? same : free.shift(), value };
  });
};
