import { withSharedTexts } from "../api/sharedText.ts";

/** Deep equality of JSON values: the order of keys does not count, an undefined member is an absent one. */
export const equalJson = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) || Array.isArray(b)) return Array.isArray(a) && Array.isArray(b) && equalLists(a, b);
  return isRecord(a) && isRecord(b) && equalRecords(a, b);
};

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

const equalLists = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, index) => equalJson(item, b[index]));

const equalRecords = (a: Record<string, unknown>, b: Record<string, unknown>): boolean => {
  const present = (of: Record<string, unknown>): string[] => Object.keys(of).filter((key) => of[key] !== undefined);
  const keys = present(a);
  return keys.length === present(b).length && keys.every((key) => Object.hasOwn(b, key) && equalJson(a[key], b[key]));
};

/**
 * An own copy of a JSON value, frozen in depth, without undefined members. What is frozen already is shared, not copied: whoever freezes
 * here freezes in depth, and an object's spec is the same while only its status changes.
 */
export const frozenCopy = <T>(value: T): T => frozen(value) as T;

const frozen = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  const shares = Object.values(value).some((member) => typeof member === "object" && member && Object.isFrozen(member));
  if (!shares || Array.isArray(value)) return frozenInDepth(JSON.parse(JSON.stringify(value)));
  const present = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.freeze(Object.fromEntries(present.map(([name, member]) => [name, frozen(member)])));
};

/** Freezes what the caller alone has. What was just parsed lies in memory more tightly than what was put together member by member. */
export const frozenInDepth = <T>(value: T): T => {
  freeze(withSharedTexts(value));
  return value;
};

const freeze = (value: unknown): void => {
  if (typeof value !== "object" || value === null) return;
  for (const member of Object.values(value)) freeze(member);
  Object.freeze(value);
};
