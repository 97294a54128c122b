/** Objects as the form edits them: JSON, of which it knows only a part. */
export type Json = Readonly<Record<string, unknown>>;

type Step = string | number;

/** The steps of a field path as the server names fields: `spec.disks[0].spec.size`, `metadata.labels[a.b/c]`. */
export const stepsOf = (path: string): readonly Step[] =>
  [...path.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(([, key, name]) => {
    if (name !== undefined) return name;
    return key !== undefined && /^\d+$/.test(key) ? Number(key) : (key ?? "");
  });

/** The value at a path; undefined where any part of it is absent. */
export const valueAt = (object: unknown, path: string): unknown =>
  stepsOf(path).reduce<unknown>((value, step) => (isContainer(value) ? value[step] : undefined), object);

/**
 * A copy with the value at the path; everything beside it is the same. Undefined takes the field off, and with it the groups
 * that this leaves empty: an empty group is not the same as none to the model. Items of lists stay, and spec and metadata.
 */
export const withValue = (object: Json, path: string, value: unknown): Json => {
  const [top = "spec", ...rest] = stepsOf(path);
  return inOrder(object, String(top), put(object[top], rest, value) ?? {});
};

const put = (container: unknown, [step, ...rest]: readonly Step[], value: unknown): unknown => {
  if (step === undefined) return value;
  if (typeof step === "number") return putItem(Array.isArray(container) ? container : [], [step, rest], value);
  const { [step]: present, ...others } = (isContainer(container) ? container : {}) as Record<string, unknown>;
  const next = put(present, rest, value) ?? (step === "spec" && rest.length > 0 ? {} : undefined);
  if (next !== undefined) return inOrder(container, step, next);
  return Object.keys(others).length === 0 ? undefined : others;
};

const putItem = (
  list: readonly unknown[],
  [index, rest]: readonly [number, readonly Step[]],
  value: unknown,
): unknown => {
  const next = put(list[index], rest, value);
  if (next === undefined && rest.length === 0) {
    const left = list.filter((_, at) => at !== index);
    return left.length === 0 ? undefined : left;
  }
  const copy = [...list];
  copy[index] = next ?? {};
  return copy;
};

/** A changed member keeps its place among the others: the YAML preview does not jump. */
const inOrder = (container: unknown, step: string, next: unknown): Json => ({
  ...(isContainer(container) ? container : {}),
  [step]: next,
});

const isContainer = (value: unknown): value is Record<Step, unknown> => typeof value === "object" && value !== null;

/** Whether a path is the other one or lies below it. */
export const isWithin = (path: string, group: string): boolean =>
  path === group || path.startsWith(`${group}.`) || path.startsWith(`${group}[`);
