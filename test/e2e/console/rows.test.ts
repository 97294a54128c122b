import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { root } from "../rig.ts";
import { browserPath, buildPage, openBrowser, openPage } from "./rig.ts";

const count = 10_000;

const machine = (index: number, memory = "1Gi"): object => ({
  apiVersion: "aetherv.io/v1alpha1",
  kind: "VirtualMachine",
  metadata: {
    name: `vm-${String(index).padStart(5, "0")}`,
    namespace: "default",
    uid: `uid-${index}`,
    generation: 1,
    resourceVersion: "1",
    creationTimestamp: "2026-01-01T00:00:00Z",
  },
  spec: { cpu: { count: (index % 16) + 1 }, memory: { startup: memory } },
  status: {
    host: `hv${index % 100}`,
    powerState: index % 3 === 0 ? "Stopped" : "Running",
    conditions: [
      { type: "Ready", status: "True", reason: "Converged", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" },
    ],
  },
});

const line = (change: object): string => `data: ${JSON.stringify(change)}\n\n`;

const types: Readonly<Record<string, string>> = {
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".html": "text/html",
};

/** The built page, and a stream of that many machines: what one table is asked to show is all that counts here. */
const serve = async (): Promise<{ server: Server; url: string; tell: (change: object) => void }> => {
  const streams = new Set<{ write(text: string): unknown }>();
  const everything = Array.from({ length: count }, (_, index) => line({ type: "changed", object: machine(index) }));
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://page").pathname;
    if (path === "/v1/watch") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (const part of everything) response.write(part);
      response.write(line({ type: "synced" }));
      streams.add(response);
    } else if (path === "/v1/session") {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ mode: "files", loggedIn: true, role: "viewer", can: {}, version: "0" }));
    } else {
      const file = join(root, "dist/console", extname(path) === "" ? "index.html" : path);
      readFile(file).then(
        (bytes) => response.writeHead(200, { "content-type": types[extname(file)] ?? "text/plain" }).end(bytes),
        () => response.writeHead(404).end(),
      );
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const tell = (change: object): void => streams.forEach((stream) => stream.write(line(change)));
  return { server, url: `http://127.0.0.1:${port}/`, tell };
};

describe("a table of 10,000 rows", { timeout: 120_000 }, () => {
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

  it("holds few of them, and scrolls, sorts, filters and changes all", async () => {
    const { page, faults } = await openPage(browser, served.url);
    await page.goto(`${served.url}vms`);
    await page.getByRole("link", { name: "vm-00000" }).waitFor({ timeout: 60_000 });
    const table = page.getByRole("table");
    expect(await table.getAttribute("aria-rowcount")).toBe(String(count + 1));
    const rows = page.locator("tbody tr:not(.space)");
    const box = `document.querySelector('[role="region"][aria-label="virtual machines"]')`;
    const scroll = (top: string): Promise<unknown> =>
      page.evaluate(`{ const element = ${box}; element.scrollTop = ${top}; }`);

    await scroll("element.scrollHeight");
    const last = page.getByRole("row").filter({ has: page.getByRole("link", { name: "vm-09999" }) });
    await last.waitFor();
    expect(await last.getAttribute("aria-rowindex")).toBe(String(count + 1));
    expect(await rows.count()).toBeLessThan(200);
    // Every place on the way shows its own rows: none is left empty.
    for (const place of [0.13, 0.5, 0.77]) {
      await scroll(`element.scrollHeight * ${place}`);
      const index = Math.floor(count * place);
      await page.getByRole("link", { name: `vm-${String(index + 3).padStart(5, "0")}` }).waitFor();
      expect(await rows.count()).toBeLessThan(200);
    }

    // A change of a row leaves the reader where they are, and is seen there.
    const before = await page.evaluate(`${box}.scrollTop`);
    served.tell({ type: "changed", object: machine(7_704, "5Gi") });
    await page.getByRole("row", { name: /vm-07704.*5Gi/ }).waitFor();
    expect(await page.evaluate(`${box}.scrollTop`)).toBe(before);

    // Down a screen a frame: the browser stays able to draw.
    await scroll("0");
    const frames = await page.evaluate(`new Promise((resolve) => {
      const times = [];
      const step = (time) => {
        times.push(time);
        ${box}.scrollTop += 700;
        if (times.length < 60) requestAnimationFrame(step);
        else resolve(times.length);
      };
      requestAnimationFrame(step);
    })`);
    expect(frames).toBe(60);
    await page.getByRole("link", { name: "vm-01050" }).waitFor();

    await page.getByRole("button", { name: "Name" }).click();
    await page.getByRole("button", { name: "Name" }).click();
    await page.getByRole("link", { name: "vm-09999" }).waitFor();
    await page.getByRole("searchbox").fill("hv42 stopped");
    const matching = Array.from({ length: count }, (_, index) => index).filter((at) => at % 100 === 42 && at % 3 === 0);
    await page.getByText(`${matching.length} of 10,000`).waitFor();
    await page.getByRole("searchbox").fill("");

    served.tell({ type: "changed", object: machine(9_998, "7Gi") });
    await page.getByRole("row", { name: /vm-09998.*7Gi/ }).waitFor();
    served.tell({ type: "removed", key: { kind: "VirtualMachine", namespace: "default", name: "vm-09999" } });
    await page.getByRole("link", { name: "vm-09999" }).waitFor({ state: "detached" });
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Search pages and objects" }).fill("vm-07777");
    await page.getByRole("option", { name: /vm-07777/ }).waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });
});
