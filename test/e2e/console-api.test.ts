import { execFile } from "node:child_process";
import { chmod, lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Ajv2020 } from "ajv/dist/2020.js";
import { parse } from "yaml";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { VirtualMachine } from "../../src/api/generated/types.ts";
import type { Resource } from "../../src/api/resource.ts";
import type { PlannedObject, PlanReport } from "../../src/server/control.ts";
import { ConsoleClient, type Asking, type Reply } from "../support/consoleClient.ts";
import { Rig, root, small, until } from "./rig.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const group = "/apis/aetherv.io/v1alpha1";
const disks = `${group}/namespaces/default/virtualdisks`;
const vms = `${group}/namespaces/default/virtualmachines`;

let rig: Rig;
let client: ConsoleClient;
let admin: string;
let viewer: string;
let operator: string;

const asAdmin = (path: string, asking: Asking = {}): Promise<Reply> => client.ask(path, { token: admin, ...asking });
const file = (name: string): Promise<string> => readFile(rig.path(name), "utf8");

const blank = (name: string, more = ""): string => `# The disk ${name}.
apiVersion: aetherv.io/v1alpha1
kind: VirtualDisk
metadata:
  name: ${name} # its name
spec:
  source: { type: Blank }
  # Grows only.
  size: 4Gi # four${more}
`;

const disk = (name: string, size: string): object => ({
  apiVersion: "aetherv.io/v1alpha1",
  kind: "VirtualDisk",
  metadata: { name },
  spec: { source: { type: "Blank" }, size },
});

/** Reads, changes and writes an object until nobody else wrote in between. */
const edit = async (path: string, change: (spec: Record<string, unknown>) => void): Promise<Reply> => {
  for (let tries = 1; ; tries += 1) {
    const object = (await asAdmin(path)).json<{ spec: Record<string, unknown> }>();
    change(object.spec);
    const reply = await asAdmin(path, { method: "PUT", body: object });
    if (reply.json()["message"]?.toString().includes("has been modified") !== true || tries > 20) return reply;
  }
};

const token = async (name: string, role: string): Promise<string> => {
  const { out, err, code } = await rig.cli("token", "create", name, "--role", role);
  expect(code, err).toBe(0);
  return out.trim();
};

const start = async (): Promise<void> => {
  await rig.start("--console-address", "127.0.0.1:0");
  await until("the console is told", () => Promise.resolve(/^console: (\S+)/m.test(rig.said)));
  client = new ConsoleClient([...rig.said.matchAll(/^console: (\S+)/gm)].at(-1)?.[1] ?? "");
  admin = (await readFile(join(rig.data, "console-token"), "utf8")).trim();
};

beforeAll(async () => {
  const files = { ...small("web"), "one.yaml": blank("one"), "two.yaml": `${blank("two")}---\n${blank("three")}` };
  rig = await Rig.make({ manifests: files, hosts: ["hv1"] });
  viewer = await token("wall", "viewer");
  operator = await token("night", "operator");
  await start();
});

afterAll(() => rig.dispose());

const loggedIn = async (): Promise<{ readonly cookie: string; readonly csrf: string }> => {
  const reply = await client.ask("/v1/login", { method: "POST", body: { token: admin } });
  expect(reply.status).toBe(204);
  const [set = ""] = reply.headers["set-cookie"] as readonly string[];
  expect(set).toMatch(/; HttpOnly; SameSite=Strict$/);
  const cookie = set.split(";")[0] ?? "";
  const { csrf } = (await client.ask("/v1/session", { headers: { cookie } })).json<{ csrf: string }>();
  return { cookie, csrf };
};

describe("who may come in", () => {
  it("nobody without a token; every path answers with a Status", async () => {
    const { paths } = (await client.ask("/v1/openapi.json")).json<{
      paths: Record<string, Record<string, { security?: unknown[] }>>;
    }>();
    for (const [path, operations] of Object.entries(paths))
      for (const [method, { security }] of Object.entries(operations)) {
        if (security) continue;
        const url = path.replace(/\{\w+\}/g, "x");
        const reply = await client.ask(url, {
          method: method.toUpperCase(),
          ...(method === "get" ? {} : { body: {} }),
        });
        expect([reply.status, reply.json()["reason"]], `${method} ${url}`).toEqual([401, "Unauthorized"]);
      }
  });

  it("not with a wrong token, nor with one that was revoked", async () => {
    const { status } = await client.ask("/v1/login", { method: "POST", body: { token: "aev_wrong" } });
    expect(status).toBe(401);
    const brief = await token("brief", "viewer");
    expect((await client.ask("/v1/hosts", { token: brief })).status).toBe(200);
    await rig.cli("token", "revoke", "brief");
    expect((await client.ask("/v1/hosts", { token: brief })).status).toBe(401);
  });

  it("a browser by a cookie, whose changes need the session's word and this origin", async () => {
    const { cookie, csrf } = await loggedIn();
    expect((await client.ask("/v1/hosts", { headers: { cookie } })).status).toBe(200);
    const change = (headers: Record<string, string>): Promise<Reply> =>
      client.ask(`${disks}?dryRun=All`, { method: "POST", body: disk("x", "1Gi"), headers: { cookie, ...headers } });
    expect((await change({})).status).toBe(403);
    expect((await change({ "x-aetherv-csrf": "wrong" })).status).toBe(403);
    expect((await change({ "x-aetherv-csrf": csrf, origin: "http://evil.example" })).status).toBe(403);
    expect((await change({ "x-aetherv-csrf": csrf, "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await change({ "x-aetherv-csrf": csrf, origin: client.url })).status).toBe(201);
    const out = await client.ask("/v1/logout", { method: "POST", headers: { cookie, "x-aetherv-csrf": csrf } });
    expect(out.status).toBe(204);
    expect((await client.ask("/v1/hosts", { headers: { cookie } })).status).toBe(401);
  });

  it("only by names of this machine: a page whose name leads here is another origin's", async () => {
    for (const host of [
      "evil.example",
      "evil.example:80",
      "127.0.0.1.evil.example",
      "localhost.evil.example",
      "169.254.1.1",
    ])
      expect((await asAdmin("/v1/hosts", { headers: { host } })).status, host).toBe(421);
    for (const host of ["localhost", "localhost:1", "127.0.0.1", "[::1]:8480", "LOCALHOST"])
      expect((await asAdmin("/v1/hosts", { headers: { host } })).status, host).toBe(200);
  });

  it("a viewer looks and an operator works the power; the rest is told no, with the role that it needs", async () => {
    const act = (name: string, action: string): Promise<Reply> =>
      client.ask("/v1/objects/VirtualMachine/default/web/actions", { method: "POST", token: name, body: { action } });
    expect((await client.ask(vms, { token: viewer })).status).toBe(200);
    expect((await act(viewer, "pause")).json()["message"]).toBe(
      "wall has the role viewer; this needs the role operator",
    );
    expect((await act(operator, "pause")).status).toBe(200);
    expect((await act(operator, "resume")).status).toBe(200);
    expect((await act(operator, "orphan")).status).toBe(403);
    for (const who of [viewer, operator]) {
      const made = await client.ask(disks, { method: "POST", token: who, body: disk("x", "1Gi") });
      expect(made.status).toBe(403);
      expect((await client.ask(`${disks}/one`, { method: "DELETE", token: who })).status).toBe(403);
      expect((await client.ask(`${disks}/one`, { method: "PUT", token: who, body: disk("one", "1Gi") })).status).toBe(
        403,
      );
    }
    const session = (await client.ask("/v1/session", { token: viewer })).json<{
      can: object;
      readOnlyReason: string;
    }>();
    expect(Object.values(session.can).every((one) => one === false)).toBe(true);
    expect(session.readOnlyReason).toContain("role viewer");
  });

  it("the files of tokens are their owner's, and no token is in a log or an argument", async () => {
    for (const name of ["console-token", "console-tokens.json"])
      expect((await stat(join(rig.data, name))).mode & 0o777, name).toBe(0o600);
    const log = await readFile(join(rig.data, "aetherv.log"), "utf8");
    for (const secret of [admin, viewer, operator]) {
      expect(log).not.toContain(secret);
      expect(rig.said).not.toContain(secret);
      expect(await readFile(join(rig.data, "console-tokens.json"), "utf8")).not.toContain(secret);
    }
    expect((await rig.cli("console")).out.trim()).toBe(`${client.url}/login#token=${admin}`);
  });
});

describe("where it listens", () => {
  const run = (...words: readonly string[]): Promise<{ code: number; err: string }> =>
    rig.cli("run", "--files", rig.files, ...words);

  it("is not beyond this machine without TLS, nor where it can't be", async () => {
    const other = { data: join(rig.folder, "other") };
    const args = ["run", "--files", rig.files, "--data", other.data, "--console-address"];
    const open = await rig.execute([...args, "0.0.0.0:0"]);
    expect([open.code, open.err]).toEqual([1, expect.stringContaining("give --console-tls-dir")]);
    const taken = await rig.execute([...args, new URL(client.url).host]);
    expect([taken.code, taken.err]).toEqual([1, expect.stringContaining("EADDRINUSE")]);
    const alone = await run("--console-host", "x");
    expect([alone.code, alone.err]).toEqual([1, expect.stringContaining("go with --console-address")]);
  });

  it("speaks TLS with the keys that it is given; its cookie is for TLS alone then", async ({ skip }) => {
    const keys = join(rig.folder, "tls");
    await mkdir(keys);
    const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"];
    const code = await new Promise<number>((resolve) =>
      execFile("openssl", [...words, "-keyout", join(keys, "tls.key"), "-out", join(keys, "tls.crt")], (error) =>
        resolve(error ? 1 : 0),
      ),
    );
    if (code !== 0) skip("openssl is missing");
    const second = await Rig.make({ manifests: small("web"), hosts: ["hv1"] });
    try {
      await second.start("--console-address", "127.0.0.1:0", "--console-tls-dir", keys);
      const url = /^console: (https:\S+)/m.exec(second.said)?.[1] ?? "";
      const own = (await readFile(join(second.data, "console-token"), "utf8")).trim();
      const { port } = new URL(url);
      const trusting = ["--silent", "--include", "--cacert", join(keys, "tls.crt")];
      const { stdout } = await promisify(execFile)("curl", [
        ...trusting,
        "--resolve",
        `localhost:${port}:127.0.0.1`,
        "--json",
        JSON.stringify({ token: own }),
        `https://localhost:${port}/v1/login`,
      ]);
      expect(stdout).toMatch(/^HTTP\/1.1 204/);
      expect(stdout).toMatch(/^set-cookie: .*; HttpOnly; Secure; SameSite=Strict/im);
      expect(stdout).toMatch(/^strict-transport-security: max-age/im);
    } finally {
      await second.dispose();
    }
  });
});

describe("objects of files", () => {
  it("are made in a file of their own, as they were sent", async () => {
    expect((await asAdmin(`${disks}?dryRun=All`, { method: "POST", body: disk("made", "1Gi") })).status).toBe(201);
    expect(await readdir(rig.files)).not.toContain("virtualdisk-made.yaml");
    const reply = await asAdmin(disks, { method: "POST", body: disk("made", "1Gi") });
    expect(reply.status, reply.text).toBe(201);
    expect(reply.json<Resource>().metadata).toMatchObject({ name: "made", namespace: "default", generation: 1 });
    expect(await file("virtualdisk-made.yaml")).toBe(
      "apiVersion: aetherv.io/v1alpha1\nkind: VirtualDisk\nmetadata:\n  name: made\nspec:\n  source:\n    type: Blank\n  size: 1Gi\n",
    );
    expect((await asAdmin(disks, { method: "POST", body: disk("made", "1Gi") })).json()["reason"]).toBe(
      "AlreadyExists",
    );
    const other = { ...disk("made", "1Gi"), metadata: { name: "made", namespace: "team-a" } };
    const there = await asAdmin(`${group}/namespaces/team-a/virtualdisks`, { method: "POST", body: other });
    expect(there.status, there.text).toBe(201);
    expect(await file("team-a/virtualdisk-made.yaml")).toContain("namespace: team-a");
  });

  it("are changed where they stand; comments, order and the other documents stay", async () => {
    const before = await file("two.yaml");
    const reply = await edit(`${disks}/three`, (spec) => (spec["size"] = "8Gi"));
    expect(reply.status, reply.text).toBe(200);
    expect(reply.json<Resource>().spec).toMatchObject({ size: "8Gi" });
    const [two, three] = before.split("---\n");
    expect(await file("two.yaml")).toBe(`${two}---\n${three?.replace("4Gi", "8Gi")}`);
  });

  it("keep their defaults unwritten, and lose what the wish leaves out", async () => {
    const path = `${disks}/one`;
    expect((await edit(path, (spec) => Object.assign(spec, { deletionProtection: true }))).status).toBe(200);
    expect(await file("one.yaml")).toBe(blank("one", "\n  deletionProtection: true"));
    const refused = await asAdmin(path, { method: "DELETE" });
    expect([refused.status, refused.json()["message"]]).toEqual([403, expect.stringContaining("deletionProtection")]);
    expect((await edit(path, (spec) => delete spec["deletionProtection"])).status).toBe(200);
    expect(await file("one.yaml")).toBe(blank("one"));
  });

  it("are refused field by field, and nothing is written", async () => {
    const before = await file("one.yaml");
    const small = await edit(`${disks}/one`, (spec) => (spec["size"] = "1Gi"));
    expect(small.status).toBe(422);
    expect(small.json()["details"]).toMatchObject({
      name: "one",
      causes: [{ field: expect.stringContaining("spec") as string }],
    });
    const wrong = await asAdmin(disks, { method: "POST", body: disk("bad", "4G") });
    expect(wrong.json()["details"]).toMatchObject({ causes: [{ reason: "FieldValueInvalid", field: "spec.size" }] });
    const unknown = await edit(`${disks}/one`, (spec) => (spec["sizes"] = "1Gi"));
    expect(unknown.json()["details"]).toMatchObject({ causes: [{ field: "spec.sizes" }] });
    expect(await file("one.yaml")).toBe(before);
  });

  it("are guarded by their version: 409 with the object's, 412 with If-Match, 422 without any", async () => {
    const path = `${disks}/two`;
    const object = (await asAdmin(path)).json<Resource>();
    const put = (metadata: object, headers: Record<string, string> = {}): Promise<Reply> =>
      asAdmin(path, { method: "PUT", headers, body: { ...object, metadata: { name: "two", ...metadata } } });
    expect((await put({ resourceVersion: "1" })).json()["reason"]).toBe("Conflict");
    expect((await put({}, { "if-match": '"1"' })).json()["reason"]).toBe("PreconditionFailed");
    expect((await put({})).json()["details"]).toMatchObject({ causes: [{ field: "metadata.resourceVersion" }] });
    expect((await put({ uid: "another" }, { "if-match": "*" })).status).toBe(409);
    expect((await put({}, { "if-match": "*" })).status).toBe(200);
    expect((await asAdmin(path, { method: "DELETE", headers: { "if-match": "1" } })).status).toBe(412);
    expect((await put({ name: "other" }, { "if-match": "*" })).status).toBe(400);
    expect((await asAdmin(`${disks}/none`)).json()["reason"]).toBe("NotFound");
  });

  it("are deleted with their document; the deletion waits as for one removed by hand, and a PUT brings it back", async () => {
    const path = `${disks}/three`;
    const object = (await asAdmin(path)).json<Resource>();
    const two = (await file("two.yaml")).split("---\n")[0];
    expect((await asAdmin(path, { method: "DELETE" })).status).toBe(200);
    expect(await file("two.yaml")).toBe(two);
    const { missing } = (await asAdmin("/v1/problems")).json<{ missing: { key: { name: string } }[] }>();
    expect(missing.map(({ key }) => key.name)).toContain("three");
    const back = await asAdmin(path, { method: "PUT", headers: { "if-match": "*" }, body: object });
    expect(back.status, back.text).toBe(200);
    expect(back.json<Resource>().metadata.uid).toBe(object.metadata.uid);
    expect((await asAdmin("/v1/problems")).json<{ missing: unknown[] }>().missing).toEqual([]);
    expect((await asAdmin(path, { method: "DELETE" })).status).toBe(200);
    expect(await readdir(rig.files)).not.toContain("virtualdisk-three.yaml");
    await until("it is gone", async () => (await asAdmin(path)).status === 404);
  });

  it("are not deleted where the deletion was to be tried only, or meant otherwise", async () => {
    await writeFile(rig.path("kept.yaml"), blank("kept"));
    await until("it is there", async () => (await asAdmin(`${disks}/kept`)).status === 200);
    const remove = async (body: unknown): Promise<number> =>
      (await asAdmin(`${disks}/kept`, { method: "DELETE", body })).status;
    expect(await remove({ dryRun: ["All"] })).toBe(200);
    for (const body of [{ dryRun: ["all"] }, { dryRun: "All" }, { propagationPolicy: "Orphan" }, [], "x"])
      expect(await remove(body), JSON.stringify(body)).toBe(400);
    expect(await remove({ preconditions: { uid: "another" } })).toBe(409);
    expect(await file("kept.yaml")).toBe(blank("kept"));
    expect(await remove({ preconditions: null })).toBe(200);
    expect(await readdir(rig.files)).not.toContain("kept.yaml");
  });

  it("that are declared twice are not deleted: the other document would stay, and hold", async () => {
    await writeFile(rig.path("double-a.yaml"), blank("double"));
    await until("it is there", async () => (await asAdmin(`${disks}/double`)).status === 200);
    await writeFile(rig.path("double-b.yaml"), blank("double"));
    await until("it is seen", async () => (await asAdmin("/v1/problems")).text.includes("declared here and at"));
    const reply = await asAdmin(`${disks}/double`, { method: "DELETE" });
    expect([reply.status, reply.json()["message"]]).toEqual([409, expect.stringContaining("double-b.yaml")]);
    expect(await file("double-a.yaml")).toBe(blank("double"));
    for (const name of ["double-a.yaml", "double-b.yaml"]) await rm(rig.path(name));
  });

  it("of a deployment are changed there: power goes to its deployment's document", async () => {
    const shop = `# The shop.
apiVersion: aetherv.io/v1alpha1
kind: ManagedDeployment
metadata: { name: shop }
spec:
  virtualMachine:
    osFamily: Linux
    cpu: { count: 1 } # one
    memory: { startup: 1Gi }
    boot: { order: [{ type: Disk, name: system }] }
  disks:
    - name: system
      spec: { source: { type: Image, image: debian-12 } }
`;
    await writeFile(rig.path("shop.yaml"), shop);
    await until("the machine is there", async () => (await asAdmin(`${vms}/shop`)).status === 200);
    const refused = await edit(`${vms}/shop`, (spec) => (spec["notes"] = "mine"));
    expect(refused.json()["message"]).toMatch(/ManagedDeployment shop made it: change it there \(.*shop\.yaml:2:1\)/);
    const stopped = await asAdmin("/v1/objects/VirtualMachine/default/shop/actions", {
      method: "POST",
      body: { action: "shutdown" },
    });
    expect(stopped.status, stopped.text).toBe(200);
    const after = shop.replace("  disks:\n", "    powerState: Stopped\n  disks:\n");
    expect(await file("shop.yaml")).toBe(after);
  });

  it("are refused in files that are read-only, broken, made by a program, or lead elsewhere", async () => {
    await writeFile(rig.path("readonly.yaml"), blank("readonly"));
    await chmod(rig.path("readonly.yaml"), 0o444);
    await writeFile(rig.path("made.yaml"), `# Source: shop/templates/disk.yaml\n${blank("templated")}`);
    await mkdir(join(rig.folder, "else"));
    await writeFile(join(rig.folder, "else/far.yaml"), blank("far"));
    await symlink(join(rig.folder, "else/far.yaml"), rig.path("far.yaml"));
    await writeFile(rig.path("broken.yaml"), blank("broken"));
    const there = ["readonly", "templated", "far", "broken"];
    await until("all are there", async () => {
      const all = await Promise.all(there.map((name) => asAdmin(`${disks}/${name}`)));
      return all.every(({ status }) => status === 200);
    });
    await writeFile(rig.path("broken.yaml"), blank("broken", "\n  wrong: 1"));
    await until("the problem is told", async () => (await asAdmin("/v1/problems")).text.includes("spec.wrong"));
    const refusals = new Map<string, readonly [number, string]>();
    for (const name of there) {
      const reply = await edit(`${disks}/${name}`, (spec) => (spec["size"] = "9Gi"));
      refusals.set(name, [reply.status, String(reply.json()["message"])]);
      expect((await asAdmin(`${disks}/${name}`, { method: "DELETE" })).status, name).toBe(reply.status);
    }
    expect(refusals.get("readonly")).toEqual([403, expect.stringMatching(/readonly\.yaml: the file is read-only$/)]);
    expect(refusals.get("templated")).toEqual([403, expect.stringMatching(/made\.yaml:1:1: is written by a program/)]);
    expect(refusals.get("far")).toEqual([
      403,
      expect.stringMatching(/far\.yaml: is a link to .*else\/far\.yaml, outside/),
    ]);
    expect(refusals.get("broken")).toEqual([409, expect.stringMatching(/broken\.yaml:10:3: .*mended/)]);
    expect(await readFile(join(rig.folder, "else/far.yaml"), "utf8")).toBe(blank("far"));
    for (const name of ["readonly", "made", "far", "broken"]) await rm(rig.path(`${name}.yaml`));
  });

  it("keep the file's mode, and a link within the folder", async () => {
    // As a volume of Kubernetes lays it out: what is hidden is read by the link's name only.
    await mkdir(rig.path("..data"));
    await writeFile(rig.path("..data/real.yaml"), blank("linked"), { mode: 0o640 });
    await symlink(join("..data", "real.yaml"), rig.path("linked.yaml"));
    await until("it is there", async () => (await asAdmin(`${disks}/linked`)).status === 200);
    expect((await edit(`${disks}/linked`, (spec) => (spec["size"] = "6Gi"))).status).toBe(200);
    expect((await lstat(rig.path("linked.yaml"))).isSymbolicLink()).toBe(true);
    expect((await stat(rig.path("..data/real.yaml"))).mode & 0o777).toBe(0o640);
    expect(await file("..data/real.yaml")).toBe(blank("linked").replace("4Gi", "6Gi"));
  });

  it("that were changed by hand a moment ago are taken up first: nobody's edit is lost", async () => {
    const path = `${disks}/two`;
    const object = (await asAdmin(path)).json<Resource>();
    const { resourceVersion } = object.metadata;
    const text = await file("two.yaml");
    await writeFile(rig.path("two.yaml"), text.replace("size: 4Gi", "size: 5Gi"));
    const reply = await asAdmin(path, {
      method: "PUT",
      body: {
        ...object,
        metadata: { ...object.metadata, resourceVersion },
        spec: { ...(object.spec as object), size: "7Gi" },
      },
    });
    expect(reply.status, reply.text).toBe(409);
    expect(await file("two.yaml")).toBe(text.replace("size: 4Gi", "size: 5Gi"));
  });

  it("are refused when the store can't take them up, and the file is as before", async () => {
    const other = { ...disk("loop-b", "1Gi"), spec: { source: { type: "VirtualDisk", disk: "loop-a" } } };
    await writeFile(
      rig.path("loop.yaml"),
      `apiVersion: aetherv.io/v1alpha1\nkind: VirtualDisk\nmetadata: { name: loop-a }\nspec: { source: { type: VirtualDisk, disk: loop-b } }\n`,
    );
    await until("the first is there", async () => (await asAdmin(`${disks}/loop-a`)).status === 200);
    const reply = await asAdmin(disks, { method: "POST", body: other });
    expect([reply.status, reply.json()["message"]]).toEqual([422, expect.stringContaining("circle")]);
    expect(await readdir(rig.files)).not.toContain("virtualdisk-loop-b.yaml");
    await rm(rig.path("loop.yaml"));
  });
});

describe("what happens", () => {
  it("is told at once: objects, jobs with their progress, and a job's log", async () => {
    const ending = new AbortController();
    const seen: { readonly type: string; readonly object?: Resource }[] = [];
    const jobs: { readonly id: string; readonly key: { readonly name: string }; readonly status: string }[] = [];
    const follow = async (path: string, into: unknown[]): Promise<void> => {
      for await (const { event, data } of client.events(path, { token: viewer, signal: ending.signal }))
        if (event === "message") into.push(data);
    };
    const streams = Promise.all([follow("/v1/watch?kinds=VirtualDisk", seen), follow("/v1/jobs/watch", jobs)]);
    try {
      await until("all is told", () => Promise.resolve(seen.some(({ type }) => type === "synced")));
      expect(seen.filter(({ object }) => object?.kind !== "VirtualDisk").map(({ type }) => type)).toEqual(["synced"]);
      await asAdmin(disks, { method: "POST", body: disk("live", "1Gi") });
      await until("it is told", () => Promise.resolve(seen.some(({ object }) => object?.metadata.name === "live")));
      await until("its job is told", () =>
        Promise.resolve(jobs.some(({ key, status }) => key.name === "live" && status === "success")),
      );
      const id = jobs.find(({ key }) => key.name === "live")?.id ?? "";
      const lines: string[] = [];
      for await (const { event } of client.events(`/v1/jobs/${id}/log?follow=true`, { token: viewer }))
        lines.push(event);
      expect(lines.slice(-2)).toEqual(["job", "end"]);
      expect(
        (await asAdmin(`/v1/jobs?kind=VirtualDisk&namespace=default&name=live`)).json<{ id: string }[]>()[0]?.id,
      ).toBe(id);
    } finally {
      ending.abort();
      await streams;
    }
  });

  it("is planned for drafts, with their problems at their fields, and rendered as documents for Git", async () => {
    const draft = { object: disk("draft", "1Gi") };
    const plan = (documents: readonly unknown[]): Promise<Reply> =>
      asAdmin("/v1/plan", { method: "POST", body: { documents } });
    const good = (await plan([draft])).json<{ objects: { key: { name: string }; action: string }[] }>();
    expect(good.objects.find(({ key }) => key.name === "draft")?.action).toBe("create");
    const bad = (await plan([{ object: disk("draft", "1G") }])).json<{ problems: { path: string }[] }>();
    expect(bad.problems[0]?.path).toBe("spec.size");
    for (const wrong of [[1], [{ object: { kind: "Pod", metadata: { name: "x" } } }], [{ object: { metadata: {} } }]])
      expect((await plan(wrong)).status).toBe(400);
    const { yaml } = (
      await asAdmin("/v1/render", { method: "POST", body: { objects: [disk("a", "1Gi"), { a: "off" }] } })
    ).json<{
      yaml: string;
    }>();
    const live = (await asAdmin(`${disks}/web-system`)).json<Resource>();
    expect(live.status).toBeDefined();
    const rendered = await asAdmin("/v1/render", { method: "POST", body: { objects: [live] } });
    expect(parse(rendered.json<{ yaml: string }>().yaml)).toEqual({
      apiVersion: live.apiVersion,
      kind: "VirtualDisk",
      metadata: { name: "web-system", namespace: "default" },
      spec: live.spec,
    });
    expect(yaml).toMatch(/^apiVersion: aetherv.io[^]*size: 1Gi\n---\na: "off"\n$/);
  });
});

describe("a plan of what changes inside a guest", () => {
  const ask = async (document: Resource): Promise<{ report: PlanReport; text: string }> => {
    const reply = await asAdmin("/v1/plan", { method: "POST", body: { documents: [{ object: document }] } });
    const openapi = (await client.ask("/v1/openapi.json")).json<{ components: { schemas: object } }>();
    const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
    ajv.addSchema({ $id: "api", components: openapi.components });
    expect(ajv.validate({ $ref: "api#/components/schemas/PlanReport" }, reply.json()), ajv.errorsText()).toBe(true);
    return { report: reply.json<PlanReport>(), text: JSON.stringify(reply.json()) };
  };

  it("names its settings and holds none of their values", async () => {
    const stored = async (): Promise<VirtualMachine> => (await asAdmin(`${vms}/web`)).json<VirtualMachine>();
    await until("it runs", async () => (await stored()).status?.powerState === "Running", 60_000);
    const web = await stored();
    const guest = {
      hostname: "planted-host",
      localAdministrator: { name: "operator", passwordSecretRef: { name: "missing", key: "password" } },
      scripts: [{ name: "setup", interpreter: "sh", inline: "echo planted-text" }],
    };
    const { report, text } = await ask({ ...web, spec: { ...web.spec, guest } } as Resource);
    expect(report.problems).toEqual([]);
    const applied = "applied when the guest agent reports";
    expect(report.objects.find(({ key }) => key.name === "web")).toMatchObject({
      changes: [],
      guest: {
        at: "First",
        when: "AgentReports",
        meaning: "configured when the guest agent reports",
        settings: [
          { name: "hostname", effect: "Apply", meaning: applied },
          { name: "user operator", meaning: `${applied}; its value is in Secret missing, which a plan does not read` },
          { name: "root filesystem", effect: "Apply", meaning: applied },
          { name: "script setup", effect: "Apply", meaning: applied },
        ],
      },
    });
    expect(text).not.toContain("planted");
  });
});

describe("the OpenAPI document", () => {
  it("describes what is answered", async () => {
    const document = (await client.ask("/v1/openapi.json")).json<{
      openapi: string;
      paths: Record<string, { get?: { responses: Record<string, { content?: Record<string, { schema: object }> }> } }>;
      components: { schemas: object };
    }>();
    expect(document.openapi).toBe("3.1.0");
    const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
    const job = (await asAdmin("/v1/jobs?limit=1")).json<{ id: string }[]>()[0]?.id ?? "";
    const values: Readonly<Record<string, string>> = { host: "hv1", id: job, namespace: "default", name: "web" };
    let checked = 0;
    for (const [path, { get }] of Object.entries(document.paths)) {
      const schema = get?.responses["200"]?.content?.["application/json"]?.schema;
      if (!schema) continue;
      const url = path.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
      const named = url.replace("vmhosts/web", "vmhosts/hv1").replace("virtualdisks/web", "virtualdisks/web-system");
      const reply = await asAdmin(
        named.replace("adapters/web", "adapters/web-lan").replace("deployments/web", "deployments/shop"),
      );
      expect(reply.status, `${path}: ${reply.text}`).toBe(200);
      const validate = ajv.compile({ ...schema, components: document.components });
      expect(validate(reply.json()), `${path}: ${JSON.stringify(validate.errors?.slice(0, 3))}`).toBe(true);
      checked += 1;
    }
    expect(checked).toBeGreaterThan(20);
    const status = ajv.compile({ $ref: "#/components/schemas/Status", components: document.components });
    for (const path of ["/v1/none", `${disks}/none`, "/v1/jobs?limit=x", "/v1/watch?kinds=Pod"])
      expect(status((await asAdmin(path)).json()), path).toBe(true);
  });
});

describe("docs/terraform.md", () => {
  const shell = (script: string): Promise<{ readonly code: number; readonly out: string }> =>
    new Promise((resolve) => {
      const env = { ...process.env, AETHERV_URL: client.url, AETHERV_TOKEN: admin };
      execFile("sh", ["-c", script], { env }, (error, out, err) =>
        resolve({ code: error === null ? 0 : 1, out: out || err }),
      );
    });

  it("has examples that do what they say", async () => {
    const text = await readFile(join(root, "docs/terraform.md"), "utf8");
    const scripts = [...text.matchAll(/```sh\n([^]*?)```/g)].map(([, script = ""]) => script);
    expect(scripts).toHaveLength(6);
    const [make = "", read = "", plan = "", change = "", own = "", remove = ""] = scripts;
    const run = async (script: string): Promise<string> => {
      const { code, out } = await shell(script);
      expect(code, `${script}\n${out}`).toBe(0);
      return out;
    };
    const sizeNow = async (): Promise<unknown> =>
      ((await asAdmin(`${disks}/data`)).json<Resource>().spec as { size?: unknown }).size;
    await run(make);
    expect(JSON.parse(await run(read))).toMatchObject({ metadata: { name: "data" }, spec: { size: "10Gi" } });
    await until(
      "it is made",
      async () =>
        (await run(read)).includes('"reason":"Ready"') || (await run(read)).includes('"type":"Ready","status":"True"'),
    );
    // The plan tells what is under way elsewhere, too.
    const { objects } = JSON.parse(await run(plan)) as { objects: readonly PlannedObject[] };
    expect(objects.filter(({ key }) => key.kind === "VirtualDisk" && key.name === "data")).toMatchObject([
      { action: "update", changes: [{ path: "spec.size" }] },
    ]);
    await run(change);
    expect(await sizeNow()).toBe("20Gi");
    await run(own);
    expect(await sizeNow()).toBe("30Gi");
    await run(remove);
    expect(await readdir(rig.files)).not.toContain("virtualdisk-data.yaml");
  });
});
