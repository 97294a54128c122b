import type { Resource } from "../../../../src/api/resource.ts";
import type { Draft } from "./draft.svelte.ts";
import type { Json } from "./path.ts";
import { attached } from "./save.ts";

/** An object as its author would write it: without what only the server sets. */
const written = (object: Json): Json => {
  const { name, namespace, labels, annotations } = (object["metadata"] ?? {}) as Record<
    string,
    Json | string | undefined
  >;
  const notes = Object.entries((annotations ?? {}) as Json).filter(([key]) => !key.startsWith("aetherv.io/"));
  const some = (value: Json | undefined): Json | undefined =>
    value && Object.keys(value).length > 0 ? value : undefined;
  const metadata = {
    name,
    namespace,
    labels: some(labels as Json | undefined),
    annotations: some(Object.fromEntries(notes)),
  };
  const { apiVersion, kind, spec } = object;
  return { apiVersion, kind, metadata, spec };
};

/** The documents that saving the draft comes to: the object itself, and the disks that it moves. */
export const documentsOf = (draft: Draft, disks: readonly Resource[]): readonly Json[] => {
  const moved = [...draft.disks].flatMap(([name, way]) => {
    const disk = disks.find(({ metadata }) => metadata.name === name && (metadata.namespace ?? "") === draft.namespace);
    return disk ? [attached(disk as unknown as Json, way === "attach" ? draft.name : undefined)] : [];
  });
  return [draft.object, ...moved].map(written);
};
