import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { missingHeader, missingValue, type MissingReplica } from "../../../src/api/missingReplicas.ts";
import { root } from "../rig.ts";
import { browserPath, buildPage, openBrowser, openPage, violations } from "./rig.ts";

const silent: MissingReplica = {
  name: "aetherv-2_0b1c2d3e",
  why: "it does not answer at 10.0.0.3:8444",
  hosts: ["hv2", "hv5"],
  hostCount: 12,
};

const job = (id: string, host: string): object => ({
  id,
  key: { kind: "VirtualMachine", namespace: "default", name: `on-${host}` },
  uid: "u",
  host,
  operation: "vm.create",
  request: { operation: "vm.create", resource_spec: {}, correlation_id: id, metadata: { epoch: 1 } },
  attempt: 1,
  queuedAt: "2026-01-01T00:00:00Z",
  finishedAt: "2026-01-01T00:00:01Z",
  durationMs: 1000,
  status: "success",
});

const types: Readonly<Record<string, string>> = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html" };

/** The built page over one replica of two; the other is heard or not. */
const serve = async (): Promise<{ server: Server; url: string; hear: () => void }> => {
  let heard = false;
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://page").pathname;
    const json = (value: unknown, headers = {}): void =>
      void response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
    if (path === "/v1/watch" || path === "/v1/jobs/watch") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(path === "/v1/watch" ? 'data: {"type":"synced"}\n\n' : ": there\n\n");
    } else if (path === "/v1/session") json({ mode: "files", loggedIn: true, role: "viewer", can: {}, version: "0" });
    else if (path === "/v1/jobs" && heard) json([job("02", "hv2"), job("01", "hv1")]);
    else if (path === "/v1/jobs") json([job("01", "hv1")], { [missingHeader]: missingValue([silent]) });
    else {
      const file = join(root, "dist/console", extname(path) === "" ? "index.html" : path);
      readFile(file).then(
        (bytes) => response.writeHead(200, { "content-type": types[extname(file)] ?? "image/svg+xml" }).end(bytes),
        () => response.writeHead(404).end(),
      );
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${port}/`, hear: () => void (heard = true) };
};

describe("the jobs of several replicas", { timeout: 120_000 }, () => {
  let browser: Browser;
  let served: Awaited<ReturnType<typeof serve>>;

  beforeAll(async () => {
    if (browserPath === undefined) return;
    await buildPage();
    served = await serve();
    browser = await openBrowser();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    served?.server.closeAllConnections();
    served?.server.close();
  });
  beforeEach((context) => {
    if (browserPath === undefined) context.skip("no chromium on this machine");
  });

  it("say whose are missing, until that one is heard: then they are there", async () => {
    const { page, faults } = await openPage(browser, served.url);
    await page.goto(`${served.url}jobs`);
    await page.getByRole("link", { name: "on-hv1" }).waitFor({ timeout: 60_000 });
    const note = page.getByText("The jobs of replica aetherv-2_0b1c2d3e on hv2, hv5 and 10 more are missing");
    await note.waitFor();
    expect(await note.innerText()).toContain("it does not answer at 10.0.0.3:8444");
    expect(await violations(page)).toEqual([]);
    served.hear();
    await page.getByRole("link", { name: "on-hv2" }).waitFor({ timeout: 60_000 });
    await note.waitFor({ state: "detached" });
    expect(faults).toEqual([]);
  });
});
