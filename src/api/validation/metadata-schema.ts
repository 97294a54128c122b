import type { Schema } from "../schema.ts";

const text: Schema = { type: "string" };
const texts: Schema = { type: "object", additionalProperties: text };

const owner: Schema = {
  type: "object",
  required: ["apiVersion", "kind", "name", "uid"],
  properties: {
    apiVersion: text,
    kind: text,
    name: text,
    uid: text,
    controller: { type: "boolean" },
    blockOwnerDeletion: { type: "boolean" },
  },
};

/** ObjectMeta of meta/v1 with the bounds that a CRD sets on name and generateName. */
export const metadataSchema = (bounds: Schema | undefined): Schema => ({
  type: "object",
  properties: {
    name: text,
    generateName: text,
    ...bounds?.properties,
    namespace: text,
    uid: text,
    resourceVersion: text,
    selfLink: text,
    generation: { type: "integer" },
    creationTimestamp: text,
    deletionTimestamp: text,
    deletionGracePeriodSeconds: { type: "integer" },
    labels: texts,
    annotations: texts,
    finalizers: { type: "array", items: text },
    ownerReferences: { type: "array", items: owner },
    managedFields: { type: "array", items: { type: "object" } },
  },
});
