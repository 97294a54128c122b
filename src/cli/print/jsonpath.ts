/**
 * The part of JSONPath that printer columns use: `.a.b`, `[0]` and `[?(@.type=="Ready")]`. Undefined where nothing is.
 */
export const valueAt = (root: unknown, path: string): unknown => {
  let value = root;
  for (const [, field, index, name, wanted] of path.matchAll(step)) {
    if (field !== undefined) value = member(value, field);
    else if (index !== undefined) value = Array.isArray(value) ? (value as unknown[])[Number(index)] : undefined;
    else if (Array.isArray(value)) value = (value as unknown[]).find((item) => member(item, name ?? "") === wanted);
    else value = undefined;
  }
  return value;
};

const step = /\.([A-Za-z0-9_-]+)|\[(\d+)\]|\[\?\(@\.([A-Za-z0-9_-]+)\s*==\s*"([^"]*)"\)\]/g;

const member = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
