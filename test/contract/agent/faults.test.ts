import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runAdmin } from "./admin.ts";
import { newHostFolder } from "./inProcess.ts";
import { oneShot, Session, spawnAgent } from "./realProcess.ts";

let folder = "";
beforeEach(() => {
  folder = newHostFolder();
});
afterEach(() => rmSync(folder, { recursive: true }));

const layout = {
  virtualMachinePath: "D:\\VMs",
  storageClasses: [{ name: "fast", path: "D:\\Fast" }],
  imagePaths: ["D:\\Images"],
  trashRetentionSeconds: 3600,
};
const owner = {
  kind: "VirtualMachine",
  namespace: "default",
  name: "web",
  uid: "aaaaaaaa-0000-4000-8000-000000000001",
};
let ids = 0;

const request = (operation: string, resource_spec: object): object => ({
  operation,
  resource_spec,
  correlation_id: String((ids += 1)).padStart(26, "0"),
  metadata: {
    timestamp: "2026-01-01T00:00:00Z",
    host: "host-1",
    control_plane: "plane-1",
    epoch: 1,
    deadline_seconds: 30,
    debug: true,
    dry_run: false,
    locks: [],
  },
});
const create = (): object => request("vm.create", { owner, layout, generation: 2, config: { name: "web" } });

/** All that the process writes for one request, and how it ends. */
const raw = (document: object, ...options: string[]): Promise<{ out: string; err: string; code: number | null }> =>
  new Promise((resolve) => {
    const child = spawnAgent(folder, ...options);
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString("utf8")));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString("utf8")));
    child.on("close", (code) => resolve({ out, err, code }));
    child.stdin.end(`${JSON.stringify(document)}\n`);
  });

const machines = async (): Promise<number> => {
  const result = await oneShot(folder, request("host.inventory", { layout }));
  const observed = result?.data["observed"] as { vms: { upsert: unknown[] } } | undefined;
  return observed?.vms.upsert.length ?? -1;
};

describe("faults of the real process", () => {
  test("one-shot: logs as JSON lines on STDERR, the result alone on STDOUT, exit 0", async () => {
    const { out, err, code } = await raw(create());
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ status: "success" });
    expect(
      err
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).text),
    ).toContain("done: stamped");
  });

  test("one-shot: an error result is exit 0 too; no JSON is InvalidRequest", async () => {
    const { out, code } = await raw(request("vm.explode", {}));
    expect({ code, result: JSON.parse(out) }).toMatchObject({ code: 0, result: { code: "InvalidRequest" } });
  });

  test.each([
    { fault: "cut", shape: /^\{[^\n]*[^}\n]$/, code: 1 },
    { fault: "garbage", shape: /^\?\? /, code: 0 },
    { fault: "lost", shape: /^$/, code: 0 },
    { fault: "duplicate", shape: /^(\{.*\})\n\1\n$/, code: 0 },
  ])("$fault: the work is done, the answer is not whole", async ({ fault, shape, code }) => {
    await runAdmin(folder, ["fault", "add", fault, "operation=vm.create", "count=1"]);
    const document = create();
    const { out, code: exit } = await raw(document);
    expect(out).toMatch(shape);
    expect(exit).toBe(code);
    expect(await machines()).toBe(1);
    expect(await oneShot(folder, document)).toMatchObject({ status: "success" });
  });

  test("crash: the process ends at the point, what was done stays", async () => {
    await runAdmin(folder, ["fault", "add", "crash=before:stamped", "count=1"]);
    const { out, code } = await raw(create(), "--session");
    expect({ out, code }).toEqual({ out: expect.not.stringContaining('"result"'), code: 137 });
    expect(await machines()).toBe(1);
    expect(await oneShot(folder, create())).toMatchObject({ status: "success" });
    expect(await machines()).toBe(1);
  });

  test("offline: no process starts, running ones end", async () => {
    const session = new Session(folder);
    expect(await session.send(request("agent.hello", {}))).toMatchObject({
      status: "success",
      data: { pid: session.pid },
    });
    await runAdmin(folder, ["fault", "add", "hang", "operation=vm.create"]);
    const hanging = session.send(create());
    await runAdmin(folder, ["offline"]);
    expect(await hanging).toBeUndefined();
    expect(await raw(request("agent.hello", {}))).toMatchObject({ out: "", code: 69 });
    await runAdmin(folder, ["online"]);
    expect(await session.send(request("agent.hello", {}))).toMatchObject({ status: "success" });
    await session.close();
  });

  test("locks hold across processes, and not beyond the life of one", async () => {
    const session = new Session(folder);
    await runAdmin(folder, ["fault", "add", "hang", "operation=vm.create", "count=1"]);
    const document = create() as { correlation_id: string };
    const hanging = session.send(document);
    await expect
      .poll(async () => (await oneShot(folder, request("agent.hello", {})))?.data["running"], { timeout: 10_000 })
      .toMatchObject([{ correlation_id: document.correlation_id }]);
    const busy = await oneShot(folder, create());
    expect(busy).toMatchObject({ code: "Busy", message: expect.stringContaining(document.correlation_id) });
    session.kill();
    expect(await hanging).toBeUndefined();
    expect(await oneShot(folder, create())).toMatchObject({ status: "success" });
  });

  test("a session ends with STDIN", async () => {
    const session = new Session(folder);
    await session.send(request("agent.hello", {}));
    expect(await session.close()).toBe(0);
  });
});
