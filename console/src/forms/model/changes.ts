import { deepEqual } from "../../../../src/engine/equal.ts";
import type { Json } from "./path.ts";

/** A field that differs between what was read and what is on the server now. */
export interface FieldChange {
  readonly path: string;
  readonly base: unknown;
  readonly mine: unknown;
  readonly theirs: unknown;
  /** The draft changed it too, and differently: somebody has to choose. */
  readonly conflict: boolean;
}

export type Side = "mine" | "theirs";

/** What somebody else changed since `base` was read, field by field. */
export const changesBetween = (base: unknown, mine: unknown, theirs: unknown): readonly FieldChange[] => {
  const found: FieldChange[] = [];
  merge({ base, mine, theirs }, "", (change) => {
    found.push(change);
    return "mine";
  });
  return found;
};

/** The draft's edits put onto what is on the server now; fields that both changed go by the choice, the draft's own unless told. */
export const rebased = (base: Json, mine: Json, theirs: Json, choices: ReadonlyMap<string, Side>): Json =>
  merge({ base, mine, theirs }, "", ({ path }) => choices.get(path) ?? "mine") as Json;

interface Three {
  readonly base: unknown;
  readonly mine: unknown;
  readonly theirs: unknown;
}

type Decide = (change: FieldChange) => Side;

const merge = (three: Three, path: string, decide: Decide): unknown => {
  const { base, mine, theirs } = three;
  if (deepEqual(base, theirs) || deepEqual(mine, theirs)) return mine;
  if (isObject(mine) && isObject(theirs)) return mergeMembers(three, path, decide);
  if (isKeyed(mine) && isKeyed(theirs) && (base === undefined || isKeyed(base))) return mergeItems(three, path, decide);
  const conflict = !deepEqual(base, mine);
  const side = decide({ path, base, mine, theirs, conflict });
  return conflict && side === "mine" ? mine : theirs;
};

const mergeMembers = ({ base, mine, theirs }: Three, path: string, decide: Decide): Json => {
  const [b, m, t] = [members(base), members(mine), members(theirs)];
  const names = [...new Set([...Object.keys(t), ...Object.keys(m)])];
  const merged = names.map((name) => {
    const step = path === "" ? name : `${path}.${name}`;
    return [name, merge({ base: b[name], mine: m[name], theirs: t[name] }, step, decide)] as const;
  });
  return Object.fromEntries(merged.filter(([, value]) => value !== undefined));
};

/** Lists of named things are merged by name, as the API server does; their order is the server's, new ones of the draft last. */
const mergeItems = ({ base, mine, theirs }: Three, path: string, decide: Decide): readonly unknown[] => {
  const [b, m, t] = [byKey(base), byKey(mine), byKey(theirs)];
  return [...new Set([...t.keys(), ...m.keys()])].flatMap((key) => {
    const item = merge({ base: b.get(key), mine: m.get(key), theirs: t.get(key) }, `${path}[${key}]`, decide);
    return item === undefined ? [] : [item];
  });
};

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const members = (value: unknown): Json => (isObject(value) ? value : {});

const keyOfItem = (item: unknown): string | undefined => {
  const { name, path, type } = members(item);
  // Items of boot.order have a type beside their name: their order is what matters, so they are no map.
  const key = type === undefined ? (name ?? path) : undefined;
  return typeof key === "string" ? key : undefined;
};

const isKeyed = (value: unknown): value is readonly unknown[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((item) => keyOfItem(item) !== undefined) &&
  new Set(value.map(keyOfItem)).size === value.length;

const byKey = (value: unknown): ReadonlyMap<string, unknown> =>
  new Map(Array.isArray(value) ? value.map((item: unknown) => [keyOfItem(item) ?? "", item]) : []);

/** What of an object its editors own: a new status or a new resourceVersion alone is nobody's edit. */
export const editable = ({ metadata, spec }: { readonly metadata: unknown; readonly spec?: unknown }): Json => {
  const { labels = {}, annotations = {} } = metadata as { labels?: Json; annotations?: Json };
  return { metadata: { labels, annotations }, spec };
};
