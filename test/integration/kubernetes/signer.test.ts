import { afterAll, afterEach, describe, expect, it } from "vitest";
import { clusterSigner, rotateClusterSigner } from "../../../src/app/clusterSigner.ts";
import { startKubeApi } from "../../support/kubeApi.ts";

const api = await startKubeApi();
const secrets = "/api/v1/namespaces/default/secrets";
const path = `${secrets}/aetherv-signer`;

const secretOf = (data?: Record<string, string>) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "aetherv-signer" },
  type: "Opaque",
  ...(data && { data }),
});

describe("the signer of a cluster", () => {
  if ("skipped" in api) {
    it("is kept in a Secret", ({ skip }) => skip(api.skipped));
    return;
  }
  const { client } = api;
  afterEach(async () => {
    if ((await client.find(path)) !== undefined) await client.call({ verb: "delete", path });
  });
  afterAll(() => api.stop());

  it("fills the chart's empty Secret once, and reads it from then on", async () => {
    await client.call({ verb: "create", path: secrets, body: secretOf() });
    const made = await clusterSigner(client, "default");
    expect((await clusterSigner(client, "default")).fingerprint).toBe(made.fingerprint);
  });

  it("makes the Secret where there is none; of several at the same time one key stays", async () => {
    const all = await Promise.all([1, 2, 3].map(() => clusterSigner(client, "default")));
    expect(new Set(all.map(({ fingerprint }) => fingerprint)).size).toBe(1);
  });

  it("is followed by a successor that all older keys name, and of two changes at a time none loses a key", async () => {
    await expect(rotateClusterSigner(client, "default")).rejects.toMatchObject({ code: "NotFound" });
    const first = await clusterSigner(client, "default");
    const one = await rotateClusterSigner(client, "default");
    expect(one).toMatchObject({ before: first.fingerprint, handovers: 1 });
    const both = await Promise.allSettled([1, 2].map(() => rotateClusterSigner(client, "default")));
    const done = both.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const last = await clusterSigner(client, "default");
    expect(done.map(({ after }) => after)).toContain(last.fingerprint);
    expect(last.handovers).toHaveLength(1 + done.length);
    expect(last.digestKey).toEqual(first.digestKey);
    const named = last.handovers.map((one) => JSON.parse(Buffer.from(one.split(".")[0] ?? "", "base64url").toString()));
    for (const { key } of named as { key: string }[]) expect(key).toBe(last.fingerprint);
    expect((named as { kid: string }[]).slice(0, 2).map(({ kid }) => kid)).toEqual([first.fingerprint, one.after]);
  });

  it("never makes a damaged one anew", async () => {
    const data = { "signer.json": Buffer.from("{}").toString("base64") };
    await client.call({ verb: "create", path: secrets, body: secretOf(data) });
    await expect(clusterSigner(client, "default")).rejects.toThrow("aetherv-signer: signer.json is damaged");
    expect((await client.find<{ data: object }>(path))?.data).toEqual(data);
  });
});
