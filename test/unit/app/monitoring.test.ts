import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Monitoring } from "../../../src/app/monitoring.ts";
import type { Logger } from "../../../src/engine/ports.ts";
import { healthText } from "../../../src/server/health.ts";

const silent = (): void => undefined;
const log: Logger = { debug: silent, info: silent, warn: silent, error: silent };
const key = { kind: "VirtualMachine", namespace: "default", name: "web" };
const minute = 60_000;
const good = { verb: "get", path: "/api/v1/namespaces/a/configmaps/b", code: 200, ms: 1 } as const;

let now = 0;
let ending: AbortController;
let monitoring: Monitoring;

beforeEach(async () => {
  now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  ending = new AbortController();
  monitoring = await Monitoring.start({ traces: false }, log, ending.signal);
});
afterEach(async () => {
  await monitoring.close();
  vi.restoreAllMocks();
});

/** Lets time pass with an answer of the API server every ten seconds. */
const pass = (minutes: number, answers: "good" | "none"): void => {
  for (let passed = 0; passed < minutes * minute; passed += 10_000) {
    now += 10_000;
    monitoring.apiAnswered(answers === "good" ? good : { ...good, code: 0 });
  }
};

const isLive = async (): Promise<boolean> => (await monitoring.health.report("live")).ok;

describe("/livez", () => {
  it("fails when a look hangs though the API server answers", async () => {
    monitoring.follows(Promise.resolve());
    monitoring.observer.reconcileBegan(key, 0);
    pass(9, "good");
    expect(await isLive()).toBe(true);
    pass(2, "good");
    expect(await isLive()).toBe(false);
    monitoring.observer.reconcileEnded(key, "done");
    expect(await isLive()).toBe(true);
  });

  it("holds while the API server is away, and for a while after", async () => {
    monitoring.follows(Promise.resolve());
    pass(1, "good");
    monitoring.observer.reconcileBegan(key, 0);
    pass(60, "none");
    expect(await isLive()).toBe(true);
    pass(4, "good");
    expect(await isLive()).toBe(true);
    pass(2, "good");
    expect(await isLive()).toBe(false);
  });
});

describe("/readyz", () => {
  const text = async (): Promise<string> => healthText("ready", await monitoring.health.report("ready"), true);

  it("tells how far the start is, and that the end has begun", async () => {
    expect(await text()).toContain("[-] control-plane: it is starting\n");
    const caches = Promise.withResolvers<void>();
    monitoring.follows(caches.promise);
    expect(await text()).toContain("[-] caches: being filled\n");
    expect(await text()).toContain("[-] api-server: it was not asked yet\n");
    caches.resolve();
    await caches.promise;
    monitoring.apiAnswered(good);
    expect(await text()).toMatch(/readyz check passed\n$/);
    ending.abort();
    expect(await text()).toMatch(/\[-\] process: it is ending[^]*readyz check failed\n$/);
  });
});
