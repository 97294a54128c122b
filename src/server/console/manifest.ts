import { annotations } from "../../api/annotations.ts";

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Of metadata, what an author writes; all else a store gives. */
const authored = ["name", "namespace", "labels", "annotations"] as const;

/** Written by controllers and by commands, for the moment: in Git they would be done again and again. */
const momentary: ReadonlySet<string> = new Set(Object.values(annotations));

/** An object as a document to be kept in Git: without status, and without what a store and the controllers gave it. */
export const manifestOf = (object: unknown): unknown => {
  if (!isObject(object)) return object;
  const { status: _, ...rest } = object;
  if (!isObject(rest["metadata"])) return rest;
  const metadata: Record<string, unknown> = {};
  for (const name of authored) if (rest["metadata"][name] !== undefined) metadata[name] = rest["metadata"][name];
  if (isObject(metadata["annotations"])) {
    const kept = Object.entries(metadata["annotations"]).filter(([name]) => !momentary.has(name));
    if (kept.length > 0) metadata["annotations"] = Object.fromEntries(kept);
    else delete metadata["annotations"];
  }
  return { ...rest, metadata };
};
