import type { Resource } from "../../src/api/resource.ts";

/** An object as a store holds it, of its first generation: its uid is `uid-` and its name. */
export const storedObject = (
  kind: string,
  name: string,
  {
    metadata,
    ...parts
  }: { readonly metadata?: Partial<Resource["metadata"]>; readonly spec: object; readonly status?: object },
): Resource => ({
  apiVersion: "aetherv.io/v1alpha1",
  kind,
  metadata: {
    name,
    namespace: "default",
    uid: `uid-${name}`,
    generation: 1,
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00.000Z",
    ...metadata,
  },
  ...parts,
});
