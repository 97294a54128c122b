import { namespaceOf } from "../rows.ts";
import { identity } from "./part.ts";
import type { FileContent, Part } from "./part.ts";
import type { Problem } from "./place.ts";

const members = new Set(["apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData"]);

/** Reads a v1 Secret. No value of it appears in a problem. */
export const parseSecret = (part: Part): FileContent => {
  const named = identity(part);
  if ("message" in named) return { objects: [], secrets: [], problems: [named] };
  const problems: Problem[] = Object.keys(part.value)
    .filter((name) => !members.has(name))
    .map((name) => part.problem(name, "is no field of a Secret"));
  const data = entriesOf(part, "data", problems).flatMap(([name, text]) => {
    if (isBase64(text)) return [[name, fromBase64(text)] as const];
    problems.push(part.problem(`data.${name}`, "is not base64 (stringData takes plain text)"));
    return [];
  });
  const plain = entriesOf(part, "stringData", problems).map(
    ([name, text]) => [name, new TextEncoder().encode(text)] as const,
  );
  if (problems.length > 0) return { objects: [], secrets: [], problems };
  const values: Readonly<Record<string, Uint8Array>> = Object.fromEntries([...data, ...plain]);
  const namespace = namespaceOf("Secret", named.namespace);
  const sizes = Object.fromEntries(Object.entries(values).map(([name, bytes]) => [name, bytes.length]));
  return { objects: [], secrets: [{ namespace, name: named.name, place: part.place, sizes, values }], problems: [] };
};

const entriesOf = (part: Part, member: "data" | "stringData", problems: Problem[]): [string, string][] => {
  const map = part.value[member] ?? {};
  if (typeof map !== "object" || Array.isArray(map)) {
    problems.push(part.problem(member, "expected a map of names to text"));
    return [];
  }
  return Object.entries(map as object).flatMap(([name, value]: [string, unknown]) => {
    const fault = nameFault(name) ?? (typeof value === "string" ? undefined : "expected text: use quotes");
    if (fault === undefined) return [[name, value as string] as [string, string]];
    problems.push(part.problem(`${member}.${name}`, fault));
    return [];
  });
};

const nameFault = (name: string): string | undefined =>
  /^[-._a-zA-Z0-9]{1,253}$/.test(name)
    ? undefined
    : "a key of a Secret has letters, digits, '-', '_' and '.', at most 253";

const isBase64 = (text: string): boolean => {
  const packed = text.replace(/[\r\n]/g, "");
  return packed.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(packed);
};

const fromBase64 = (text: string): Uint8Array =>
  Uint8Array.from(atob(text.replace(/[\r\n]/g, "")), (char) => char.charCodeAt(0));
