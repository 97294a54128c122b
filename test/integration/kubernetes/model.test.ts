import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Resource } from "../../../src/api/resource.ts";
import { keyOf } from "../../../src/api/resource.ts";
import { collectionPath, objectPath } from "../../../src/stores/kubernetes/paths.ts";
import { KubeError } from "../../../src/stores/kubernetes/error.ts";
import { modelCases, type ModelCase } from "../../fixtures/model/load.ts";
import { removeAll, startKubeApi, type KubeApi } from "../../support/kubeApi.ts";

const api = await startKubeApi();

type Issues = readonly { readonly path: string; readonly message: string }[];

const strict = { fieldValidation: "Strict" };

/** What the server has against an object, in the form of the table. Nothing: it took it. */
const issuesOf = async (work: () => Promise<unknown>): Promise<Issues> => {
  try {
    await work();
    return [];
  } catch (error) {
    if (!(error instanceof KubeError) || error.code === 0) throw error;
    const unknown = [...error.message.matchAll(/unknown field "([^"]+)"/g)].map(([message, path = ""]) => ({
      path,
      message,
    }));
    if (/strict decoding error/.test(error.message)) return unknown;
    return (error.details?.causes ?? []).map(({ field = "", message = "" }) => ({ path: field, message }));
  }
};

const inDefault = (object: Record<string, unknown>): Resource => {
  const resource = object as unknown as Resource;
  if (resource.kind === "VMHost") return resource;
  return { ...resource, metadata: { ...resource.metadata, namespace: resource.metadata.namespace ?? "default" } };
};

/** Sends a case as a user would: a creation, or an edit of an object that exists with its status. */
const verdictOf = async ({ client }: KubeApi, { object, old }: ModelCase): Promise<Issues> => {
  const next = inDefault(object);
  const before = old && inDefault(old);
  const path = collectionPath(next.kind, next.metadata.namespace);
  if (!before) return issuesOf(() => client.call({ verb: "create", path, query: strict, body: next }));
  let made = await client.call<Resource>({ verb: "create", path, query: strict, body: before });
  const at = objectPath(keyOf(made));
  if (before.status !== undefined)
    made = await client.call<Resource>({
      verb: "update",
      path: `${at}/status`,
      body: { ...made, status: before.status },
    });
  const { resourceVersion } = made.metadata;
  const body = { ...next, metadata: { ...next.metadata, resourceVersion } };
  return issuesOf(() => client.call({ verb: "update", path: at, query: strict, body }));
};

const sorted = (issues: Issues): readonly string[] =>
  [...new Set(issues.map(({ path, message }) => `${path}: ${message}`))].toSorted();

describe("the model on an API server", () => {
  if ("skipped" in api) {
    it("gives the verdicts of the table", ({ skip }) => skip(api.skipped));
    return;
  }
  beforeAll(() => removeAll(api.client));
  afterAll(() => api.stop());

  it.each(modelCases().map((entry) => [entry.name, entry] as const))("%s", async (_, entry) => {
    try {
      expect(sorted(await verdictOf(api, entry))).toEqual(entry.verdict === "valid" ? [] : sorted(entry.verdict));
    } finally {
      await removeAll(api.client);
    }
  });
});
