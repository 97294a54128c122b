import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Rig, root, small, until } from "./rig.ts";

const main = join(root, "src/app/main.ts");

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const start = (...words: readonly string[]): ChildProcess =>
  spawn(process.execPath, [main, ...words], { stdio: ["ignore", "pipe", "pipe"] });

const ended = async (child: ChildProcess): Promise<Ended> => {
  let [out, err] = ["", ""];
  child.stdout?.on("data", (part: Buffer) => (out += String(part)));
  child.stderr?.on("data", (part: Buffer) => (err += String(part)));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, out, err };
};

const aetherv = (...words: readonly string[]): Promise<Ended> => ended(start(...words));

let folder: string;
let rig: Rig;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "aetherv-terminal-"));
  rig = await Rig.make({ manifests: small("web"), hosts: ["hv1"] });
});

afterAll(async () => {
  await rig.dispose();
  await rm(folder, { recursive: true, force: true });
});

describe("a run whose output nobody reads any more", () => {
  it("goes on, and ends with its own exit code", { timeout: 60_000 }, async () => {
    const child = start("run", "-f", rig.files, "--data", rig.data, "--exit-when-ready", "--deadline", "40s");
    child.stdout?.once("data", () => child.stdout?.destroy());
    expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(0);
    expect((await rig.cli("get", "vm", "web")).out).toMatch(/web +True +Running/);
  });

  it("tells why it is not Ready where there is nothing", { timeout: 30_000 }, async () => {
    const files = await mkdtemp(join(folder, "empty-"));
    const words = ["--data", join(folder, "e"), "--exit-when-ready", "--deadline", "1s"];
    const { code, err } = await aetherv("run", "-f", files, ...words);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("no object is declared in") as unknown });
    expect((await stat(join(folder, "e"))).mode & 0o777).toBe(0o700);
  });
});

describe("a stopped control plane", () => {
  it("is read by several at the same time", { timeout: 60_000 }, async () => {
    const all = await Promise.all([1, 2, 3].map(() => rig.cli("get", "vm", "-o", "name")));
    expect(all).toEqual(all.map(() => ({ code: 0, out: "virtualmachine/web\n", err: "" })));
  });

  it.each([
    { words: ["get", "vm", "--watch"], why: "nothing would ever change" },
    { words: ["restore"], why: "nobody has seen the trash: it is not empty" },
  ])("refuses $words: $why", async ({ words }) => {
    const { code, err } = await rig.cli(...words);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/^error: no control plane runs/) as unknown });
  });
});

describe("a data folder that can't be used", () => {
  it.each([["get", "vm"], ["plan"], ["run", "-f", "."]])("is told so by %s", async (...words) => {
    const file = join(folder, "file");
    await writeFile(file, "");
    const { code, err } = await aetherv(...words, "--data", file);
    expect(code).toBe(1);
    expect(err).toMatch(/^error: .*file/);
    expect(err).not.toMatch(/\n {4}at /);
  });
});

describe("a damaged store", () => {
  it.each([
    ["get", "vm"],
    ["run", "-f", "."],
  ])("is told so by %s", async (...words) => {
    const data = await mkdtemp(join(folder, "damaged-"));
    await mkdir(join(data, "store/db"), { recursive: true });
    await writeFile(join(data, "store/db/CURRENT"), "nonsense\n");
    const { code, err } = await aetherv(...words, "--data", data);
    expect(code).toBe(1);
    expect(err).toMatch(/^error: the data folder .* cannot be opened.*\nhint: .*backup/);
    expect(err).not.toMatch(/\n {4}at /);
  });
});

describe("a control plane that does not answer", () => {
  let server: Server;
  beforeAll(async () => {
    server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(join(folder, "aetherv.sock"), resolve));
  });
  afterAll(() => void server.close());

  it("is given up at Ctrl-C", { timeout: 30_000 }, async () => {
    const child = start("get", "vm", "--data", folder);
    const connected = new Promise((resolve) => server.once("connection", resolve));
    const end = ended(child);
    await connected;
    child.kill("SIGINT");
    expect(await end).toMatchObject({ code: 130 });
  });

  it("is told so after a while", { timeout: 30_000 }, async () => {
    const { code, err } = await aetherv("get", "vm", "--data", folder);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining("has not answered within 10 s") as unknown });
  });
});

describe("as another user", () => {
  // Only root can become somebody else, and only here is there somebody to become.
  it.skipIf(process.getuid?.() !== 0)("the control plane may not be asked", { timeout: 30_000 }, async () => {
    const data = await mkdtemp(join(tmpdir(), "aetherv-other-"));
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(join(data, "aetherv.sock"), resolve));
    const seen = await new Promise<string>((resolve) => {
      const asked = { uid: 65534, gid: 65534, cwd: "/" };
      execFile(process.execPath, [main, "get", "vm", "--data", data], asked, (_error, _out, err) => resolve(err));
    });
    server.close();
    await rm(data, { recursive: true, force: true });
    expect(seen).toMatch(/^error: .*permission denied/);
  });
});

describe("with a control plane at work", () => {
  beforeAll(async () => {
    await rig.start();
    await rig.ready(4);
  }, 60_000);

  it("plan does not call a refused edit no change", { timeout: 30_000 }, async () => {
    await rig.edit("web.yaml", "count: 2", "count: two");
    await until("the edit is refused", async () => (await rig.client.problems()).problems.length > 0);
    const { code, out, err } = await rig.cli("plan");
    expect({ code, out }).toEqual({ code: 1, out: expect.not.stringContaining("No changes") as unknown });
    expect(err).toContain("web.yaml");
    await rig.edit("web.yaml", "count: two", "count: 2");
    await until("the edit is taken", async () => (await rig.client.problems()).problems.length === 0);
  });

  it.each([
    { words: ["plan", "--whole"], says: "--whole says that the documents given with -f" },
    { words: ["restore", "--host", "nope"], says: 'VMHost "nope" not found' },
    { words: ["jobs", "--host", "nope"], says: 'VMHost "nope" not found' },
    { words: ["jobs", "--follow"], says: "--follow needs the ID of a job" },
    { words: ["get", "all", "web"], says: '"all" takes no names' },
    { words: ["get", "vmm"], says: 'did you mean "vm"?' },
    { words: ["describe", "web"], says: "use KIND/NAME, as vm/web" },
    { words: ["run", "-f", main], says: "is a file" },
    { words: ["run", "-f", ".", "--log-level", "loud"], says: "Allowed choices are debug, info, warn, error" },
  ])("helps after $words", async ({ words, says }) => {
    const { code, err } = await rig.cli(...words);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining(says) as unknown });
  });

  it("orphan can be taken back", async () => {
    const orphaned = async (): Promise<string | undefined> =>
      (await rig.object("VirtualMachine", "web"))?.metadata.annotations?.["aetherv.io/force-orphan"];
    await rig.cli("orphan", "vm/web");
    expect(await orphaned()).toBe("true");
    await rig.cli("orphan", "vm/web", "--undo");
    expect(await orphaned()).toBeUndefined();
  });
});
