import type { JobRecord } from "../engine/ports.ts";

/** Longer texts of a request are told by their length only: sealed guest configuration, above all. */
const LONGEST = 256;
/** Names of members whose value is never kept, whatever it holds. */
const SECRET = /password|passphrase|secret|token|credential|private_?key/i;
/** Members whose values are for the guest: kept by name and length. */
const SEALED = new Set(["items"]);

/** The record without anything secret: what the journal writes and people read. */
export const redacted = (record: JobRecord): JobRecord => ({
  ...record,
  request: { ...record.request, resource_spec: clean(record.request.resource_spec) as Record<string, unknown> },
  ...(record.result !== undefined && { result: clean(record.result) }),
});

const clean = (value: unknown): unknown => {
  if (typeof value === "string") return value.length > LONGEST ? lengthOf(value) : value;
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, member(name, inner)]));
};

const member = (name: string, value: unknown): unknown => {
  if (SEALED.has(name) && typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([item, text]) => [item, lengthOf(String(text))]));
  return SECRET.test(name) && typeof value !== "boolean" ? "(secret)" : clean(value);
};

const lengthOf = (text: string): string => `(${text.length} characters)`;
