import { deepEqual } from "./equal.ts";
import type { MetadataChange, Resource } from "./ports.ts";

/** The object with the change in its metadata; undefined when that changes nothing. */
export const mergeMetadata = (resource: Resource, change: MetadataChange | undefined): Resource | undefined => {
  if (!change) return undefined;
  const { metadata } = resource;
  const annotations = Object.fromEntries(
    Object.entries({ ...metadata.annotations, ...change.annotations }).filter(
      (entry): entry is [string, string] => entry[1] !== null,
    ),
  );
  const finalizers = change.finalizers ?? metadata.finalizers ?? [];
  const same = deepEqual(annotations, metadata.annotations ?? {}) && deepEqual(finalizers, metadata.finalizers ?? []);
  return same ? undefined : { ...resource, metadata: { ...metadata, annotations, finalizers } };
};
