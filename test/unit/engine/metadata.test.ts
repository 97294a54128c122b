import { describe, expect, it } from "vitest";
import { mergeMetadata } from "../../../src/engine/metadata.ts";
import type { MetadataChange, Resource } from "../../../src/engine/ports.ts";

const object: Resource = {
  apiVersion: "aetherv.io/v1alpha1",
  kind: "VirtualMachine",
  metadata: {
    name: "web",
    namespace: "default",
    uid: "u",
    generation: 1,
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    annotations: { a: "1", b: "2" },
    finalizers: ["f"],
  },
  spec: {},
};

describe("mergeMetadata", () => {
  const cases: { why: string; change?: MetadataChange; result?: object }[] = [
    { why: "no change asked for" },
    { why: "what is there already", change: { finalizers: ["f"], annotations: { a: "1" } } },
    { why: "removal of what is not there", change: { annotations: { c: null } } },
    {
      why: "one annotation",
      change: { annotations: { a: "9" } },
      result: { annotations: { a: "9", b: "2" }, finalizers: ["f"] },
    },
    { why: "a removal", change: { annotations: { a: null } }, result: { annotations: { b: "2" }, finalizers: ["f"] } },
    {
      why: "finalizers replace",
      change: { finalizers: [] },
      result: { annotations: { a: "1", b: "2" }, finalizers: [] },
    },
  ];
  it.each(cases)("$why", ({ change, result }) => {
    const next = mergeMetadata(object, change);
    if (result) expect(next?.metadata).toMatchObject(result);
    else expect(next).toBeUndefined();
    if (result) expect(next?.metadata.annotations).toEqual((result as { annotations: object }).annotations);
  });
});
