import { isWithin } from "./path.ts";

/** What is wrong with a draft, as the server says it. `path` is empty for the object as a whole. */
export interface Fault {
  readonly path: string;
  readonly message: string;
}

export interface Placed {
  /** By the path of the field on the screen. */
  readonly at: ReadonlyMap<string, readonly string[]>;
  /** Those that no field on the screen is for. */
  readonly loose: readonly Fault[];
}

/**
 * Every fault at the field that is nearest to it: its own, the group that it lies in, or the first field of the group that is
 * at fault as a whole ("spec.memory is required").
 */
export const placed = (faults: readonly Fault[], fields: Iterable<string>): Placed => {
  const shown = [...fields];
  const known = shown.toSorted((a, b) => b.length - a.length);
  const at = new Map<string, string[]>();
  const loose: Fault[] = [];
  for (const fault of faults) {
    const field =
      known.find((path) => fault.path !== "" && isWithin(fault.path, path)) ??
      shown.find((path) => fault.path.includes(".") && isWithin(path, fault.path));
    if (field === undefined) loose.push(fault);
    else at.set(field, [...(at.get(field) ?? []), wordsAt(field, fault)]);
  }
  return { at, loose };
};

/** Inside a group the rest of the path says which part is meant. */
const wordsAt = (field: string, { path, message }: Fault): string =>
  path === field || !isWithin(path, field) ? message : `${path.slice(field.length).replace(/^\./, "")}: ${message}`;
