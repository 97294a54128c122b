/** Where a path leads in a spec that has it: names and indices, with the first item or member for "[]" and "{}". */
type Steps = readonly (string | number)[];

const child = (value: unknown, step: string | number): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string | number, unknown>)[step] : undefined;

/** Undefined when the spec has nothing there. */
export const placeIn = (spec: unknown, path: readonly string[]): Steps | undefined => {
  const steps: (string | number)[] = [];
  let at = spec;
  for (const name of path) {
    const step = name === "[]" ? 0 : name === "{}" ? Object.keys(at ?? {})[0] : name;
    if (step === undefined) return undefined;
    at = child(at, step);
    if (at === undefined) return undefined;
    steps.push(step);
  }
  return steps;
};

export const valueAt = (spec: unknown, steps: Steps): unknown => steps.reduce(child, spec);

/** A copy with another value there; undefined takes it out. */
export const withValue = (spec: unknown, steps: Steps, value: unknown): unknown => {
  const copy: unknown = structuredClone(spec);
  const last = steps.at(-1);
  const holder = valueAt(copy, steps.slice(0, -1)) as Record<string | number, unknown>;
  if (last === undefined) throw new Error("a spec itself is no field");
  if (value !== undefined) holder[last] = value;
  else if (Array.isArray(holder)) holder.splice(Number(last), 1);
  else delete holder[last];
  return copy;
};
