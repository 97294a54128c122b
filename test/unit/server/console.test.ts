import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { afterEach, describe, expect, it } from "vitest";
import type { Logger } from "../../../src/engine/ports.ts";
import { abilitiesOf, type ConsoleDoor, type ConsoleUser, type Role } from "../../../src/server/console/access.ts";
import { consoleApp, type ConsoleOptions } from "../../../src/server/console/app.ts";
import type { ControlPlane, ObjectChange } from "../../../src/server/control.ts";
import { ConsoleClient } from "../../support/consoleClient.ts";

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const minute = 60_000;

/** A console over a control plane that says what the test wants, at a time that the test sets. */
class Rig {
  now = Date.parse("2026-01-01T00:00:00Z");
  readonly tokens = new Map<string, { readonly role: Role; readonly expires?: Date }>([["good", { role: "admin" }]]);
  /** Changes that the watch was asked for so far. */
  asked = 0;
  ended = false;
  /** What the watch gives before it waits. */
  changes = 0;
  app: FastifyInstance | undefined;

  readonly #control = {
    hosts: () => Promise.resolve([]),
    status: () => Promise.reject(new Error("secret of a defect")),
    watch: (_: readonly string[], signal: AbortSignal) => this.#watch(signal),
  } as unknown as ControlPlane;

  async *#watch(signal: AbortSignal): AsyncGenerator<ObjectChange> {
    try {
      while (!signal.aborted && this.asked < this.changes) {
        this.asked += 1;
        yield { type: "removed", key: { kind: "VirtualDisk", namespace: "x".repeat(10_000), name: `${this.asked}` } };
      }
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    } finally {
      this.ended = true;
    }
  }

  readonly #door: ConsoleDoor = {
    mode: "files",
    user: (token) => {
      const known = this.tokens.get(token);
      if (!known) return Promise.resolve(undefined);
      const user = {
        name: token,
        ...known,
        objects: {},
        control: this.#control,
        can: () => Promise.resolve(abilitiesOf(known.role)),
      };
      return Promise.resolve(user as unknown as ConsoleUser);
    },
  };

  async open(more: Partial<ConsoleOptions> = {}): Promise<ConsoleClient> {
    const options = {
      door: this.#door,
      version: "1",
      page: join(tmpdir(), "no-such-page"),
      hosts: [],
      now: () => new Date(this.now),
    };
    const parts = { ...options, render: () => "", log: quiet, ...more };
    this.app = await consoleApp(parts);
    await this.app.listen({ host: "127.0.0.1", port: 0 });
    const address = this.app.server.address();
    return new ConsoleClient(`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`);
  }

  async cookie(client: ConsoleClient): Promise<string> {
    const reply = await client.ask("/v1/login", { method: "POST", body: { token: "good" } });
    return String((reply.headers["set-cookie"] as readonly string[])[0]).split(";")[0] ?? "";
  }
}

let rig = new Rig();

afterEach(async () => {
  await rig.app?.close();
  rig = new Rig();
});

describe("a session of the console", () => {
  const times = { idleMs: 10 * minute, absoluteMs: 30 * minute };

  it("ends when nobody uses it, and however it is used after its longest time", async () => {
    const client = await rig.open({ sessions: times });
    const cookie = await rig.cookie(client);
    const status = async (): Promise<number> => (await client.ask("/v1/hosts", { headers: { cookie } })).status;
    for (let i = 0; i < 3; i += 1) {
      rig.now += 9 * minute;
      expect(await status()).toBe(200);
    }
    rig.now += 4 * minute;
    expect(await status()).toBe(401);
    const second = await rig.cookie(client);
    rig.now += 11 * minute;
    expect((await client.ask("/v1/hosts", { headers: { cookie: second } })).status).toBe(401);
  });

  it("ends with its token, and with its token's time", async () => {
    const client = await rig.open();
    const cookie = await rig.cookie(client);
    const asked = (): Promise<{ status: number }> => client.ask("/v1/hosts", { headers: { cookie } });
    rig.tokens.set("good", { role: "admin", expires: new Date(rig.now + minute) });
    expect((await asked()).status).toBe(200);
    rig.now += minute;
    expect((await asked()).status).toBe(401);
    rig.tokens.delete("good");
    expect((await client.ask("/v1/hosts", { token: "good" })).json()).toMatchObject({ kind: "Status", code: 401 });
  });

  it("is another one after each login: one that was known before is worth nothing", async () => {
    const client = await rig.open();
    const first = await rig.cookie(client);
    const again = await client.ask("/v1/login", {
      method: "POST",
      body: { token: "good" },
      headers: { cookie: first },
    });
    expect(again.status).toBe(204);
    expect((await client.ask("/v1/hosts", { headers: { cookie: first } })).status).toBe(401);
  });
});

describe("the console's limits", () => {
  it("tokens are guessed slowly", async () => {
    const client = await rig.open({ limits: { api: 100, login: 3 } });
    const login = (token: string) => client.ask("/v1/login", { method: "POST", body: { token } });
    for (let i = 0; i < 3; i += 1) expect((await login(`wrong${i}`)).status).toBe(401);
    const refused = await login("good");
    expect(refused.json()).toMatchObject({ kind: "Status", reason: "TooManyRequests", code: 429 });
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
  });

  it("guesses in the header count together, whatever they say; who is known counts for themselves", async () => {
    const client = await rig.open({ limits: { api: 4, login: 3 } });
    const asked = async (token: string): Promise<number> => (await client.ask("/v1/hosts", { token })).status;
    expect([await asked("good"), await asked("a"), await asked("b"), await asked("c"), await asked("d")]).toEqual([
      200, 401, 401, 401, 429,
    ]);
    expect(await asked("good")).toBe(200);
  });

  it("bodies are bounded and have to be JSON; a defect tells nothing of itself", async () => {
    const client = await rig.open();
    const post = (body: string) => client.ask("/v1/restore", { method: "POST", token: "good", body });
    expect((await post("{")).json()).toMatchObject({ kind: "Status", reason: "BadRequest", code: 400 });
    expect((await post(`{"a":"${"x".repeat(2 * 1024 * 1024)}"}`)).json()).toMatchObject({
      reason: "RequestEntityTooLarge",
    });
    expect((await post(`${'{"a":['.repeat(5000)}${"]}".repeat(5000)}`)).json()).toMatchObject({
      reason: "BadRequest",
      message: "the body is nested more than 100 levels deep",
    });
    const defect = await client.ask("/v1/status", { token: "good" });
    expect(defect.json()).toMatchObject({ reason: "InternalError", code: 500 });
    expect(defect.text).not.toContain("secret");
  });

  it("nobody's body is read", async () => {
    const client = await rig.open();
    const refused = await client.ask("/v1/restore", { method: "POST", token: "wrong", body: "{" });
    expect(refused.json()).toMatchObject({ reason: "Unauthorized", code: 401 });
    expect(rig.app?.server.requestTimeout).toBeGreaterThan(0);
  });

  it("connections do not use up what the process needs for its hosts", async () => {
    const client = await rig.open();
    const { port } = new URL(client.url);
    const sockets = Array.from({ length: 513 }, () => connect(Number(port), "127.0.0.1").on("error", () => {}));
    await new Promise((resolve) => sockets.forEach((socket) => socket.once("close", resolve)));
    for (const socket of sockets) socket.destroy();
    const answer = (): Promise<number> => client.ask("/v1/hosts", { token: "good" }).then(({ status }) => status);
    await expect.poll(() => answer().catch(String), { timeout: 30_000 }).toBe(200);
  });

  it("parameters that nobody knows are refused: a dryRun misspelt would be done", async () => {
    const client = await rig.open();
    const refused = await client.ask("/v1/hosts?dryrun=All", { token: "good" });
    expect(refused.json()).toMatchObject({ code: 400, message: "unknown parameter dryrun" });
  });

  it("paths that cannot be read are answered as all others", async () => {
    const client = await rig.open();
    const refused = await client.ask("/%", { token: "good" });
    expect(refused.json()).toMatchObject({ kind: "Status", code: 400 });
    expect(refused.headers["x-content-type-options"]).toBe("nosniff");
  });

  it("a plan is of a thousand at most", async () => {
    const client = await rig.open();
    const remove = Array.from({ length: 1001 }, (_, i) => ({ kind: "VMHost", namespace: "", name: `hv${i}` }));
    const refused = await client.ask("/v1/plan", { method: "POST", token: "good", body: { remove } });
    expect(refused.json()).toMatchObject({ reason: "RequestEntityTooLarge", code: 413 });
  });

  it("says how the page is built when it is not", async () => {
    const client = await rig.open();
    const page = await client.ask("/vms/default/web", { headers: { accept: "text/html" } });
    expect([page.status, page.text]).toEqual([503, expect.stringContaining("npm run build")]);
    expect(page.headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'/);
    expect((await client.ask("/v1/none", { headers: { accept: "text/html" } })).json()).toMatchObject({ code: 404 });
  });
});

describe("a stream of the console", () => {
  it("asks for no more than its reader takes, and lets go of one that takes nothing", async () => {
    rig.changes = 1_000_000;
    const client = await rig.open({ streams: { heartbeatMs: 20, patienceMs: 500 } });
    const { port } = new URL(client.url);
    const socket = connect(Number(port), "127.0.0.1");
    socket.pause();
    socket.on("error", () => undefined);
    socket.write("GET /v1/watch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer good\r\n\r\n");
    try {
      for (let end = Date.now() + 20_000; !rig.ended && Date.now() < end;) await sleep(20);
      expect(rig.ended).toBe(true);
      // What the sockets of both ends hold, and one write of this end: some megabytes of the ten gigabytes.
      expect(rig.asked).toBeGreaterThan(0);
      expect(rig.asked).toBeLessThan(5_000);
    } finally {
      socket.destroy();
    }
  });

  it("ends with an error once its reader may no longer read", async () => {
    const client = await rig.open({ streams: { heartbeatMs: 20, patienceMs: 5_000 } });
    const events: unknown[] = [];
    const reading = (async () => {
      for await (const event of client.events("/v1/watch", { token: "good" })) events.push(event);
    })();
    await sleep(100);
    expect(events).toEqual([]);
    rig.tokens.clear();
    await reading;
    expect(events).toEqual([
      { event: "error", data: expect.objectContaining({ kind: "Status", code: 401 }) as unknown },
    ]);
    expect(rig.ended).toBe(true);
  });
});

describe("the OpenAPI document", () => {
  it("has every route that is served", async () => {
    const client = await rig.open();
    const { paths } = (await client.ask("/v1/openapi.json")).json<{ paths: Record<string, Record<string, unknown>> }>();
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`),
    );
    expect(served(rig.app)).toEqual(described.toSorted());
  });
});

/** Routes as fastify prints its tree: one line a path, its indentation telling its parent. */
const served = (app: FastifyInstance | undefined): readonly string[] => {
  const parents: string[] = [];
  const found: string[] = [];
  for (const line of (app?.printRoutes() ?? "").split("\n")) {
    const [, indent = "", part = "", methods = ""] = /^([│ ]*)[├└]── (\S*)(?: \(([A-Z, ]+)\))?$/.exec(line) ?? [];
    if (part === "" && methods === "") continue;
    const depth = indent.length / 4;
    parents.length = depth;
    parents[depth] = part;
    const path = parents.join("");
    for (const method of methods.split(", ").filter((one) => !["", "HEAD", "OPTIONS"].includes(one)))
      found.push(`${method} ${path}`);
  }
  return found.toSorted();
};
