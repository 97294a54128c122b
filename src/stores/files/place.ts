/** Where in a file something stands; line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Something wrong in a folder of manifests, with its place. */
export interface Problem extends Place {
  /** Field, as spec.disks[0].name. */
  readonly path?: string;
  readonly message: string;
  /** Object it concerns, as kind/namespace/name. */
  readonly key?: string;
}

export const placeText = ({ file, line, column }: Place): string => `${file}:${line}:${column}`;

/** The line people read: `web.yaml:12:5: spec.size: ...`. */
export const problemText = (problem: Problem): string => {
  const path = problem.path === undefined || problem.path === "" ? "" : `${problem.path}: `;
  return `${placeText(problem)}: ${path}${problem.message}`;
};

/** Child of a field path: `.name` for a property, `[0]` for an item. */
export const childPath = (path: string, step: string | number): string => {
  if (typeof step === "number") return `${path}[${step}]`;
  return path === "" ? step : `${path}.${step}`;
};

/** The field path without its last step; "" at the root. */
export const parentPath = (path: string): string =>
  path.slice(0, Math.max(path.lastIndexOf("."), path.lastIndexOf("["), 0));
