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

/** An own, frozen copy of a JSON value, without undefined members. */
export const frozenCopy = <T>(value: T): T => {
  if (value === undefined) return value;
  return JSON.parse(JSON.stringify(value), (_key, member: unknown) => Object.freeze(member)) as T;
};
