import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MissingReplica } from "../../../src/api/missingReplicas.ts";
import type { Resource } from "../../../src/api/resource.ts";
import type { Logger } from "../../../src/engine/ports.ts";
import { answers, SocketClient } from "../../../src/server/client.ts";
import {
  ControlError,
  type ControlPlane,
  type JobFilter,
  type ObjectChange,
  type PlanRequest,
  type TellMissing,
} from "../../../src/server/control.ts";
import { serveSocket, type ControlServer } from "../../../src/server/server.ts";

const web: Resource = {
  apiVersion: "aetherv.io/v1alpha1",
  kind: "VirtualMachine",
  metadata: { name: "web", namespace: "default", uid: "u", generation: 1, resourceVersion: "1", creationTimestamp: "" },
  spec: {},
};
const key = { kind: "VirtualMachine", namespace: "default", name: "web" };
const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };

let folder: string;
let socket: string;
let server: ControlServer;
let asked: unknown[];
let ended: boolean;

async function* changes(signal: AbortSignal): AsyncGenerator<ObjectChange> {
  yield { type: "changed", key, object: web };
  yield { type: "synced" };
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  ended = true;
}

const unheard: readonly MissingReplica[] = [
  { name: "aetherv-1_0a", why: "it says: “näh”\r\n", hosts: ["hv9"], hostCount: 1 },
  { name: "aetherv-2_0b", why: "no", hosts: [], hostCount: 0 },
];

const control = {
  status: () => Promise.resolve({ version: "1" }),
  list: (kind: string, namespace?: string) => (asked.push([kind, namespace]), Promise.resolve([web])),
  get: ({ name }: { name: string }) => Promise.resolve(name === "web" ? web : undefined),
  watch: (_: readonly string[], signal: AbortSignal) => changes(signal),
  annotate: (of: unknown, set: unknown) => (asked.push([of, set]), Promise.resolve(web)),
  plan: (request: unknown) => (asked.push(request), Promise.reject(new ControlError("Conflict", "not now", "later"))),
  jobs: (filter: JobFilter, missing?: TellMissing) => {
    asked.push(filter);
    if (filter.host === "hv9") for (const one of unheard) missing?.(one);
    return Promise.resolve([]);
  },
  hosts: () => Promise.reject(new Error("broken")),
  job: (id: string) => Promise.resolve({ id }),
  async *jobLog() {
    yield { time: "t", level: "info", text: "done" };
  },
} as unknown as ControlPlane;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "aetherv-socket-"));
  socket = join(folder, "aetherv.sock");
  asked = [];
  ended = false;
  server = await serveSocket(socket, () => control, quiet);
});

afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const client = (): SocketClient => new SocketClient(socket);

describe("the control socket", () => {
  it("is its owner's alone", async () => expect((await stat(socket)).mode & 0o777).toBe(0o600));

  it("takes the place of one that a killed process left", async () => {
    await server.close();
    await writeFile(socket, "");
    server = await serveSocket(socket, () => control, quiet);
    expect(await answers(socket)).toBe(true);
  });

  it("is gone once it is closed, and the client says so", async () => {
    await server.close();
    expect(await answers(socket)).toBe(false);
    await expect(client().status()).rejects.toMatchObject({
      code: "Unavailable",
      hint: "start one with `aetherv run`",
    });
  });

  it("carries objects", async () => {
    expect(await client().list("VirtualMachine", "default")).toEqual([web]);
    expect(asked).toEqual([["VirtualMachine", "default"]]);
    expect(await client().get(key)).toEqual(web);
    expect(await client().get({ ...key, name: "none" })).toBeUndefined();
  });

  it("carries errors with code and hint", async () => {
    await expect(client().plan({})).rejects.toMatchObject({ code: "Conflict", message: "not now", hint: "later" });
    await expect(client().hosts()).rejects.toMatchObject({ code: "Internal", message: "broken" });
    await expect(client().list("Nonsense")).rejects.toMatchObject({ code: "Invalid" });
  });

  it("checks what a plan is asked for before anything walks it", async () => {
    const plan = (body: unknown): Promise<unknown> =>
      client()
        .plan(body as PlanRequest)
        .catch((error: unknown) => error);
    let deep: unknown = {};
    for (let level = 0; level < 200; level += 1) deep = { deep };
    const refused: readonly (readonly [unknown, string])[] = [
      [[], "a plan's request must be an object"],
      [{ documents: {} }, "documents must be a list"],
      [{ documents: [{ object: null }] }, "documents[0].object must be an object with metadata.name"],
      [{ documents: [{ object: { kind: "VirtualMachine" } }] }, "documents[0].object must be"],
      [{ documents: [{ object: { kind: "Pod", metadata: { name: "a" } } }] }, 'unknown kind "Pod"'],
      [{ documents: [{ object: { ...web, spec: deep } }] }, "nested more than 100 levels deep"],
      [{ remove: ["vm/web"] }, "remove[0] must have kind, namespace and name"],
      [{ secrets: [{ name: 1 }] }, "secrets[0] must have namespace and name"],
    ];
    for (const [body, says] of refused)
      expect(await plan(body), says).toMatchObject({
        code: "Invalid",
        message: expect.stringContaining(says) as unknown,
      });
    expect(asked).toEqual([]);
    const place = { file: "a.yaml", line: 3, column: 1 };
    const request = {
      documents: [{ object: web, place }],
      remove: [key],
      secrets: [{ namespace: "default", name: "login" }],
      whole: true,
      live: true,
    };
    await plan({ ...request, more: 1 });
    await plan({ documents: [{ object: { ...web, metadata: { name: "web" } } }] });
    expect(asked).toEqual([
      request,
      { documents: [{ object: { ...web, metadata: { name: "web", namespace: "default" } }, place: { file: "" } }] },
    ]);
  });

  it("carries filters", async () => {
    await client().jobs({ key, host: "hv1", failed: true, limit: 3 });
    expect(asked).toEqual([{ key, host: "hv1", failed: true, limit: 3 }]);
  });

  it("carries which replicas were not heard, beside the list", async () => {
    const missing: MissingReplica[] = [];
    expect(await client().jobs({ host: "hv9" }, (one) => missing.push(one))).toEqual([]);
    expect(missing).toEqual(unheard);
    expect(await client().jobs({ host: "hv1" }, (one) => missing.push(one))).toEqual([]);
    expect(missing).toHaveLength(2);
  });

  it("sets annotations of the group only", async () => {
    await client().annotate(key, { "aetherv.io/paused": "true", "aetherv.io/approve": null });
    expect(asked).toEqual([[key, { "aetherv.io/paused": "true", "aetherv.io/approve": null }]]);
    await expect(client().annotate(key, { "example.org/x": "1" })).rejects.toThrow('annotation "example.org/x"');
    await expect(client().annotate(key, { "aetherv.io/paused": 1 as unknown as string })).rejects.toThrow("string");
  });

  it("streams changes until the reader goes, and then lets go of the source", async () => {
    const reading = new AbortController();
    const seen: string[] = [];
    for await (const { type } of client().watch([], reading.signal)) {
      seen.push(type);
      if (type === "synced") reading.abort();
    }
    expect(seen).toEqual(["changed", "synced"]);
    await expect.poll(() => ended).toBe(true);
  });

  it("ends a stream that ends", async () => {
    const lines: string[] = [];
    for await (const { text } of client().jobLog("1", { follow: true }, new AbortController().signal)) lines.push(text);
    expect(lines).toEqual(["done"]);
  });

  it("refuses a body that is no JSON", async () => {
    const status = await new Promise((resolve) => {
      const sent = request({ socketPath: socket, path: "/v1/plan", method: "POST" }, (response) =>
        resolve(response.statusCode),
      );
      sent.setHeader("content-type", "application/json");
      sent.end("{");
    });
    expect(status).toBe(400);
  });
});
