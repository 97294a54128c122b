/**
 * Deep equality of JSON-like values. A member that is undefined equals an absent one; the order of members does not
 * matter, the order of array elements does.
 */
export const deepEqual = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && equalArrays(a, b);
  return !Array.isArray(b) && equalObjects(a as Members, b as Members);
};

type Members = Readonly<Record<string, unknown>>;

const equalArrays = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, index) => deepEqual(item, b[index]));

const equalObjects = (a: Members, b: Members): boolean =>
  Object.keys(a).every((name) => deepEqual(a[name], b[name])) &&
  Object.keys(b).every((name) => b[name] === undefined || a[name] !== undefined);
