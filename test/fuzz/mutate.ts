import type { Random } from "../../src/engine/ports.ts";

/** Values that readers stumble over. */
const values: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  1,
  -1,
  0.5,
  1e21,
  Number.NEGATIVE_INFINITY,
  2 ** 31,
  2 ** 53,
  2 ** 53 + 2,
  9007199254740991,
  "",
  " ",
  "\u0000",
  "\ud800",
  "\u{1F600}",
  "\u2028",
  "\u0663",
  "__proto__",
  "constructor",
  "$ref",
  "../x",
  "a\nb",
  "2026-01-01T00:00:00Z",
  "/Date(0)/",
  "NaN",
  "1e3",
  "x".repeat(300),
  [],
  {},
  [[]],
  { a: null },
  [null],
];

/** Bytes that begin or end something in the formats read here. */
const tokens = [
  "{",
  "}",
  "[",
  "]",
  '"',
  "'",
  ":",
  ",",
  "\n",
  "\r\n",
  "\t",
  "---\n",
  "...\n",
  "- ",
  "? ",
  "&a ",
  "*a",
  "!!str ",
  "!x ",
  "|\n",
  ">-\n",
  "<<: ",
  "#",
  "%YAML 1.1\n",
  "\\u0000",
  "\\ud800",
  "\u0000",
  "\ufeff",
  "null",
  "true",
  "0x1F",
  "1_000",
  "1e999",
  "-0",
  ".inf",
  "~",
  "__proto__",
  "\u2028",
  "\u0663",
  "\u00a0",
  "\u0085",
  "\\",
  "apiVersion: ",
  "kind: ",
  "spec:",
  "metadata:",
  "aetherv1 ",
  "=",
  "correlation_id",
];

export const pick = <T>(random: Random, items: readonly T[]): T => {
  const item = items[Math.floor(random.next() * items.length)];
  if (item === undefined && items.length === 0) throw new Error("nothing to pick from");
  return item as T;
};

const upTo = (random: Random, most: number): number => Math.floor(random.next() * (most + 1));

type ByteMutator = (random: Random, bytes: Buffer, other: Buffer) => Buffer;

const cut = (random: Random, bytes: Buffer): readonly [number, number] => {
  const from = upTo(random, bytes.length);
  return [from, Math.min(bytes.length, from + 1 + upTo(random, random.next() < 0.8 ? 8 : bytes.length))];
};

const byteMutators: readonly ByteMutator[] = [
  (random, bytes) => {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) {
      const at = upTo(random, copy.length - 1);
      copy[at] = (copy[at] ?? 0) ^ (1 << upTo(random, 7));
    }
    return copy;
  },
  (random, bytes) => {
    const at = upTo(random, bytes.length);
    return Buffer.concat([bytes.subarray(0, at), Buffer.from([upTo(random, 255)]), bytes.subarray(at)]);
  },
  (random, bytes) => {
    const [from, to] = cut(random, bytes);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  },
  (random, bytes) => {
    const [from, to] = cut(random, bytes);
    const piece = bytes.subarray(from, to);
    return Buffer.concat([
      bytes.subarray(0, to),
      ...Array.from({ length: 1 + upTo(random, 40) }, () => piece),
      bytes.subarray(to),
    ]);
  },
  (random, bytes) => {
    const at = upTo(random, bytes.length);
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(random, tokens)), bytes.subarray(at)]);
  },
  (random, bytes) => {
    const [from, to] = cut(random, bytes);
    return Buffer.concat([bytes.subarray(0, from), Buffer.from(pick(random, tokens)), bytes.subarray(to)]);
  },
  (random, bytes, other) => {
    const [from, to] = cut(random, other);
    const at = upTo(random, bytes.length);
    return Buffer.concat([bytes.subarray(0, at), other.subarray(from, to), bytes.subarray(at)]);
  },
];

/** Longer ones reach nothing new, and cost time. */
const LONGEST = 64 * 1024;

/** Some changes of the bytes; `other`: another input to take pieces of. */
export const mutateBytes = (random: Random, bytes: Buffer, other: Buffer): Buffer => {
  let made = bytes;
  for (let count = 1 + upTo(random, 4); count > 0; count -= 1) made = pick(random, byteMutators)(random, made, other);
  return made.subarray(0, LONGEST);
};

/** One change of a JSON value somewhere in it: a member gone, twice, renamed, or with another value. */
export const mutateJson = (random: Random, value: unknown): unknown => {
  if (typeof value !== "object" || value === null || random.next() < 0.05) return mutateLeaf(random, value);
  if (Array.isArray(value)) return mutateList(random, value);
  const entries = Object.entries(value);
  if (entries.length === 0) return { [pick(random, ["a", "__proto__", "uid"])]: pick(random, values) };
  const at = upTo(random, entries.length - 1);
  const [name = "", inner] = entries[at] ?? [];
  switch (upTo(random, 9)) {
    case 0:
      return Object.fromEntries(entries.filter((_, index) => index !== at));
    case 1:
      return Object.fromEntries([
        ...entries,
        [`${name}${pick(random, ["", "x", " ", "\u0000"])}`, pick(random, values)],
      ]);
    default:
      return Object.fromEntries(
        entries.map(([key, member]) => [key, key === name ? mutateJson(random, inner) : member]),
      );
  }
};

const mutateList = (random: Random, list: readonly unknown[]): unknown => {
  if (list.length === 0) return [pick(random, values)];
  const at = upTo(random, list.length - 1);
  switch (upTo(random, 5)) {
    case 0:
      return list.filter((_, index) => index !== at);
    case 1:
      return [...list, list[at]];
    case 2:
      return Array.from({ length: 1 + upTo(random, 300) }, () => list[at]);
    default:
      return list.map((item, index) => (index === at ? mutateJson(random, item) : item));
  }
};

const mutateLeaf = (random: Random, value: unknown): unknown => {
  if (typeof value === "number" && random.next() < 0.5) return value + pick(random, [1, -1, 0.5, 2 ** 31, -(2 ** 40)]);
  if (typeof value === "string" && random.next() < 0.5) {
    const at = upTo(random, value.length);
    return value.slice(0, at) + pick(random, tokens) + value.slice(at + upTo(random, 2));
  }
  return pick(random, values);
};
