import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { openConnection } from "../../../src/stores/kubernetes/connection.ts";
import { list, plain, scripted, status } from "../../unit/stores/kubernetes/apiServer.ts";

const kubeconfig = async (text: object): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "aetherv-kubeconfig-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, "config"), JSON.stringify(text));
  return join(folder, "config");
};

const config = {
  apiVersion: "v1",
  kind: "Config",
  clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1/", "insecure-skip-tls-verify": true } }],
  users: [{ name: "u", user: { token: "secret-token" } }],
  contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace: "infra" } }],
  "current-context": "x",
};

it("uses one set of connections for all requests, and the kubeconfig's address, namespace and token", async () => {
  const connection = await openConnection({ kubeconfig: await kubeconfig(config) });
  onTestFinished(() => connection.close());
  expect([connection.server, connection.namespace]).toEqual(["https://127.0.0.1:1", "infra"]);
  const [first, second] = [await connection.authorize(), await connection.authorize()];
  expect(first.dispatcher).toBe(second.dispatcher);
  expect(first.headers["Authorization"]).toBe("Bearer secret-token");
});

it("refuses a kubeconfig without a cluster by its name", async () => {
  const path = await kubeconfig({ ...config, "current-context": "other" });
  await expect(openConnection({ kubeconfig: path })).rejects.toThrow(`${path} has no current context with a cluster`);
});

it("sends again what a busy server did not take, and counts requests by verb", async () => {
  const { client, asked } = await scripted([status(429, "TooManyRequests", { "retry-after": "0" }), list(1, [])]);
  await client.call({ verb: "create", path: "/apis/x", body: {} });
  expect([asked.length, client.counts.get("create")]).toEqual([2, 2]);
});

it("gives up on a server that stays busy", async () => {
  const { client, asked } = await scripted([status(503, "ServiceUnavailable", { "retry-after": "0" })]);
  await expect(client.call({ verb: "get", path: "/apis/x" })).rejects.toMatchObject({
    code: 503,
    reason: "ServiceUnavailable",
  });
  expect(asked.length).toBe(5);
});

it("does not send a write again when the answer was lost: whether it was done is not known", async () => {
  const { client, asked } = await scripted([(request) => void request.socket.destroy()]);
  await expect(client.call({ verb: "create", path: "/apis/x", body: {} })).rejects.toMatchObject({ code: 0 });
  expect(asked.length).toBe(1);
});

it.each([
  { why: "no such object", answer: status(404, "NotFound", {}, { name: "web" }), absent: true },
  { why: "the kind is not served (yet)", answer: plain(404, "404 page not found"), absent: false },
  { why: "a proxy between knows no such path", answer: status(404, "NotFound"), absent: false },
])("an answer 404 is absence only when it says so: $why", async ({ answer, absent }) => {
  const { client } = await scripted([answer]);
  const found = client.find("/apis/x/web");
  if (absent) expect(await found).toBeUndefined();
  else await expect(found).rejects.toMatchObject({ code: 404 });
});
