type Found = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Found =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Where `actual` does not fit `expected`; undefined when it does. Objects fit when they have the members named; arrays
 * when they have as many items and each fits. {"$absent": true}, {"$not": value}, {"$matches": "regular expression"}, {"$atLeast": number}, {"$has": [items]}
 * (each fits some item) and {"$lacks": item} (it fits none) say it otherwise.
 */
export const mismatch = (expected: unknown, actual: unknown, at = "$"): string | undefined => {
  if (Array.isArray(expected)) return arrayMismatch(expected, actual, at);
  if (!isObject(expected))
    return Object.is(expected, actual) ? undefined : `${at}: expected ${show(expected)}, got ${show(actual)}`;
  if ("$absent" in expected) return actual === undefined ? undefined : `${at}: expected nothing, got ${show(actual)}`;
  if ("$not" in expected)
    return Object.is(expected["$not"], actual) ? `${at}: expected anything but ${show(actual)}` : undefined;
  if ("$matches" in expected) return textMismatch(String(expected["$matches"]), actual, at);
  if ("$atLeast" in expected)
    return typeof actual === "number" && actual >= Number(expected["$atLeast"])
      ? undefined
      : `${at}: expected at least ${show(expected["$atLeast"])}, got ${show(actual)}`;
  if ("$has" in expected) return memberMismatch(expected["$has"] as readonly unknown[], actual, at);
  if ("$lacks" in expected) return lacksMismatch(expected["$lacks"], actual, at);
  if (!isObject(actual)) return `${at}: expected an object, got ${show(actual)}`;
  for (const [key, value] of Object.entries(expected)) {
    const problem = mismatch(value, actual[key], `${at}.${key}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
};

const show = (value: unknown): string => JSON.stringify(value)?.slice(0, 400) ?? "nothing";

const arrayMismatch = (expected: readonly unknown[], actual: unknown, at: string): string | undefined => {
  if (!Array.isArray(actual) || actual.length !== expected.length)
    return `${at}: expected ${expected.length} items, got ${show(actual)}`;
  for (const [index, item] of expected.entries()) {
    const problem = mismatch(item, actual[index], `${at}[${index}]`);
    if (problem !== undefined) return problem;
  }
  return undefined;
};

const textMismatch = (pattern: string, actual: unknown, at: string): string | undefined =>
  typeof actual === "string" && new RegExp(pattern, "i").test(actual)
    ? undefined
    : `${at}: expected text like ${pattern}, got ${show(actual)}`;

const memberMismatch = (items: readonly unknown[], actual: unknown, at: string): string | undefined => {
  const list: readonly unknown[] = Array.isArray(actual) ? actual : [];
  const missing = items.find((item) => !list.some((one) => mismatch(item, one) === undefined));
  return missing === undefined ? undefined : `${at}: expected an item like ${show(missing)}, got ${show(actual)}`;
};

const lacksMismatch = (item: unknown, actual: unknown, at: string): string | undefined =>
  Array.isArray(actual) && actual.some((one) => mismatch(item, one) === undefined)
    ? `${at}: expected no item like ${show(item)}, got ${show(actual)}`
    : undefined;
