import { afterEach, describe, expect, it } from "vitest";
import { Health, healthText } from "../../../src/server/health.ts";
import { serveMonitor, type MonitorServer } from "../../../src/server/monitor.ts";

const local = { host: "127.0.0.1", port: 0 };
const metrics = { contentType: "text/plain; version=0.0.4", text: () => Promise.resolve("up 1\n") };
let server: MonitorServer | undefined;
afterEach(() => server?.close());

const get = async (path: string): Promise<{ readonly status: number; readonly text: string }> => {
  const answer = await fetch(`${server?.url}${path}`);
  return { status: answer.status, text: await answer.text() };
};

describe("/livez, /readyz, /metrics", () => {
  it("answer 200, and 503 with what failed", async () => {
    const health = new Health();
    let journal = true;
    health.set("live", "workers", () => ({ ok: true, text: "at work" }));
    health.set("ready", "journal", () => ({ ok: journal, text: journal ? "writable" : "the disk is full" }));
    health.set("ready", "caches", async () => Promise.resolve({ ok: true, text: "filled" }));
    server = await serveMonitor(local, { health, metrics });
    expect(await get("/readyz")).toEqual({ status: 200, text: "ok\n" });
    expect((await get("/readyz?verbose")).text).toBe(
      "[+] journal: writable\n[+] caches: filled\nreadyz check passed\n",
    );
    journal = false;
    expect(await get("/readyz")).toEqual({
      status: 503,
      text: "[-] journal: the disk is full\n[+] caches: filled\nreadyz check failed\n",
    });
    expect(await get("/livez")).toEqual({ status: 200, text: "ok\n" });
    expect(await get("/metrics")).toEqual({ status: 200, text: "up 1\n" });
    expect((await get("/")).status).toBe(404);
  });

  it("an address that is taken is told with the option's name", async () => {
    server = await serveMonitor(local, { health: new Health(), metrics });
    const port = Number(new URL(server.url).port);
    await expect(serveMonitor({ ...local, port }, { health: new Health(), metrics })).rejects.toThrow(
      `--metrics-address 127.0.0.1:${port}`,
    );
  });
});

describe("checks", () => {
  it("that throw or hang have failed", async () => {
    const health = new Health();
    health.set("ready", "throws", () => {
      throw new Error("broken");
    });
    health.set("ready", "hangs", () => new Promise(() => undefined));
    const report = await health.report("ready");
    expect(healthText("ready", report, false)).toBe(
      "[-] throws: broken\n[-] hangs: no answer in 2 s\nreadyz check failed\n",
    );
  });
});
