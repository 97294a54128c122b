import { deepEqual } from "../../engine/equal.ts";
import type { Change } from "../../engine/ports.ts";

/** Fields that differ, as leaf paths (`spec.cpu.count`); items of lists of objects go by their `name`, other lists whole. */
export const fieldDiff = (from: unknown, to: unknown, path: string): readonly Change[] => {
  if (deepEqual(from, to)) return [];
  if (isObject(from) && isObject(to)) return memberDiff(from, to, path);
  if (isNamedList(from) && isNamedList(to))
    return memberDiff(byName(from), byName(to), path, (name) => `[name=${name}]`);
  return [{ path, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }];
};

type Members = Readonly<Record<string, unknown>>;

const memberDiff = (
  from: Members,
  to: Members,
  path: string,
  step: (name: string) => string = (name) => `.${name}`,
): readonly Change[] =>
  [...new Set([...Object.keys(from), ...Object.keys(to)])].flatMap((name) =>
    fieldDiff(from[name], to[name], `${path}${step(name)}`),
  );

const isObject = (value: unknown): value is Members =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isNamedList = (value: unknown): value is readonly { readonly name: string }[] =>
  Array.isArray(value) && value.length > 0 && value.every((item) => isObject(item) && typeof item["name"] === "string");

const byName = (list: readonly { readonly name: string }[]): Members =>
  Object.fromEntries(list.map((item) => [item.name, item]));
