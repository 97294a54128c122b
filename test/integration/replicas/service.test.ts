import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Agent } from "undici";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Cluster } from "../../../src/app/cluster/open.ts";
import { serviceSender } from "../../../src/app/cluster/service.ts";
import { HttpClient } from "../../../src/server/client.ts";

const ours = (code: string): string => JSON.stringify({ error: { code, message: `said ${code}` } });
const status = JSON.stringify({ kind: "Status", reason: "ServiceUnavailable", message: "no endpoints", code: 503 });
const found = JSON.stringify({ id: "A" });

let answers: { readonly statusCode: number; readonly body: string }[];
let asked: number;
let server: Server;
let dispatcher: Agent;

beforeEach(async () => {
  asked = 0;
  dispatcher = new Agent();
  server = createServer((_, response) => {
    const { statusCode, body } = answers[asked] ?? { statusCode: 500, body: "" };
    asked += 1;
    response.writeHead(statusCode).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  await dispatcher.destroy();
  await new Promise((resolve) => server.close(resolve));
});

/** The control plane behind this API server's proxy. */
const client = (): HttpClient => {
  const { port } = server.address() as AddressInfo;
  const service = { metadata: { name: "aetherv", namespace: "default" }, spec: { ports: [{ name: "api", port: 80 }] } };
  const cluster = {
    connection: {
      server: `http://127.0.0.1:${port}`,
      namespace: "default",
      authorize: () => Promise.resolve({ headers: {}, dispatcher }),
    },
    client: {
      find: () => Promise.resolve(service),
      call: () => Promise.resolve({ status: { token: "t" } }),
    },
  } as unknown as Cluster;
  return new HttpClient(serviceSender(cluster, "default/aetherv"));
};

describe("a control plane asked through its Service", () => {
  it.each([
    { why: "a replica only waits", body: ours("Standby") },
    { why: "the Service has no endpoint yet", body: status },
    { why: "a proxy has a page of its own", body: "<html>503</html>" },
    { why: "a replica ends", body: JSON.stringify({ error: "Service Unavailable", statusCode: 503 }) },
  ])("is asked again while $why", async ({ body }) => {
    answers = [
      { statusCode: 503, body },
      { statusCode: 503, body },
      { statusCode: 200, body: found },
    ];
    expect(await client().job("A")).toEqual({ id: "A" });
    expect(asked).toBe(3);
  });

  it("is taken at its word when it says that a replica was not heard", async () => {
    answers = [
      { statusCode: 503, body: ours("Unavailable") },
      { statusCode: 200, body: found },
    ];
    await expect(client().job("A")).rejects.toMatchObject({ code: "Unavailable", message: "said Unavailable" });
    expect(asked).toBe(1);
  });
});
