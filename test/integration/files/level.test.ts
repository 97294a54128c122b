import { execFile, spawn } from "node:child_process";
import { appendFile, mkdir, readdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import type { KeyValue } from "../../../src/engine/ports.ts";
import { LockedError, openLevel } from "../../../src/stores/keyvalue/level.ts";
import { MemoryKeyValue } from "../../../src/stores/keyvalue/memory.ts";
import { diskYaml, FolderRig, temporaryFolder } from "./rig.ts";

const all = async (data: KeyValue, prefix = ""): Promise<(readonly [string, string])[]> => {
  const found: (readonly [string, string])[] = [];
  for await (const entry of data.entries(prefix)) found.push(entry);
  return found;
};

const batch = (entries: Record<string, string | undefined>): Map<string, string | undefined> =>
  new Map(Object.entries(entries));

describe.each([
  { name: "memory", open: () => Promise.resolve<KeyValue>(new MemoryKeyValue()) },
  { name: "level", open: async () => openLevel(join(await temporaryFolder(), "data")) },
])("KeyValue: $name", ({ open }) => {
  const opened = async (): Promise<KeyValue> => {
    const data = await open();
    onTestFinished(() => data.close());
    return data;
  };

  it("gives what was written, and undefined for what was not or was deleted", async () => {
    const data = await opened();
    await data.write(batch({ a: "1", b: "2" }));
    await data.write(batch({ a: undefined, b: "ü€\n", c: "" }));
    expect(await Promise.all(["a", "b", "c", "d"].map((key) => data.get(key)))).toEqual([
      undefined,
      "ü€\n",
      "",
      undefined,
    ]);
  });

  it("lists the entries of a prefix in order", async () => {
    const data = await opened();
    await data.write(batch({ "p/b": "2", "p/a": "1", "p/ü": "3", p: "0", q: "4", p0: "5" }));
    expect(await all(data, "p/")).toEqual([
      ["p/a", "1"],
      ["p/b", "2"],
      ["p/ü", "3"],
    ]);
  });

  it("takes an empty batch", async () => {
    const data = await opened();
    await data.write(new Map());
    expect(await all(data)).toEqual([]);
  });
});

const node = fileURLToPath(new URL("../../../node_modules/.bin/node", import.meta.url));
const levelModule = new URL("../../../src/stores/keyvalue/level.ts", import.meta.url).href;

describe("level in a folder", () => {
  it("keeps its entries over a restart", async () => {
    const folder = await temporaryFolder();
    const first = await openLevel(folder);
    await first.write(batch({ a: "1" }));
    await first.close();
    const second = await openLevel(folder);
    expect(await second.get("a")).toBe("1");
    await second.close();
  });

  it("is made for its owner only", async () => {
    const folder = join(await temporaryFolder(), "data");
    const data = await openLevel(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    await data.close();
  });

  it("has one opener: the second is told which process it is", async () => {
    const folder = await temporaryFolder();
    const data = await openLevel(folder);
    await expect(openLevel(folder)).rejects.toThrow(LockedError);
    await expect(openLevel(folder)).rejects.toThrow(`${folder} is in use by process ${process.pid}`);
    const script = `import(${JSON.stringify(levelModule)}).then((m) => m.openLevel(${JSON.stringify(folder)})).catch((e) => { console.log(e.name, e.pid); })`;
    const { stdout } = await promisify(execFile)(node, ["--input-type=module", "-e", script]);
    expect(stdout.trim()).toBe(`LockedError ${process.pid}`);
    await data.close();
    await (await openLevel(folder)).close();
  });

  it("is free again after its process was killed, with all that was written", async () => {
    const folder = await temporaryFolder();
    const script =
      `const { openLevel } = await import(${JSON.stringify(levelModule)}); const d = await openLevel(${JSON.stringify(folder)});` +
      `for (let i = 0; ; i++) { await d.write(new Map([["a" + i, "x"], ["b" + i, "x"]])); console.log(i); }`;
    const child = spawn(node, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
    await expect.poll(() => text.split("\n").length, { timeout: 15_000 }).toBeGreaterThan(50);
    await new Promise((resolve) => {
      child.on("exit", resolve);
      child.kill("SIGKILL");
    });
    const data = await openLevel(folder);
    const keys = (await all(data)).map(([key]) => key);
    const said = text.trimEnd().split("\n").slice(0, -1).map(Number);
    for (const i of said) expect(keys).toContain(`b${i}`);
    // All or nothing: never one half of a batch.
    const numbers = (mark: string): string[] => keys.filter((key) => key.startsWith(mark)).map((key) => key.slice(1));
    expect(numbers("a")).toEqual(numbers("b"));
    await data.close();
  });

  it("says what cannot be opened", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, "db"), "a file where the folder should be");
    await expect(openLevel(folder)).rejects.toThrow(`the data folder ${folder} cannot be opened: `);
  });
});

/** The newest log of the level folder, which holds the last records. */
const newestLog = async (folder: string): Promise<string> => {
  const names = (await readdir(join(folder, "db"))).filter((name) => name.endsWith(".log")).sort();
  return join(folder, "db", names.at(-1) ?? "");
};

describe("a file store whose level lost its last record", () => {
  const made = async (): Promise<{ rig: FolderRig; folder: string }> => {
    const folder = join(await temporaryFolder(), "data");
    await mkdir(folder);
    const data = await openLevel(folder);
    const rig = await FolderRig.make({ data });
    await rig.write("a.yaml", diskYaml("a"));
    await rig.write("b.yaml", diskYaml("b"));
    await rig.start();
    await rig.hold("a");
    await data.close();
    return { rig, folder };
  };

  const reopened = async (rig: FolderRig, folder: string): Promise<void> => {
    const data = await openLevel(folder);
    onTestFinished(() => data.close());
    await rig.start({ data });
  };

  it.each([
    { why: "cut in its last record", damage: async (log: string) => truncate(log, (await stat(log)).size - 5) },
    { why: "with garbage behind its end", damage: (log: string) => appendFile(log, Buffer.alloc(100, 0x5a)) },
    {
      why: "with zeros behind its end, as after a power cut",
      damage: (log: string) => appendFile(log, Buffer.alloc(4096)),
    },
  ])("goes on with the log $why", async ({ damage }) => {
    const { rig, folder } = await made();
    const uids = [rig.uid("a"), rig.uid("b")];
    await damage(await newestLog(folder));
    await reopened(rig, folder);
    expect([rig.uid("a"), rig.uid("b")]).toEqual(uids);
    await rig.hold("b");
    expect(rig.object("b")?.metadata.finalizers).toEqual(["aetherv.io/cleanup"]);
  });

  it("names the entry that cannot be read", async () => {
    const { rig, folder } = await made();
    const data = await openLevel(folder);
    onTestFinished(() => data.close());
    await data.write(batch({ "object/VirtualDisk/default/a": "{" }));
    await expect(rig.start({ data })).rejects.toThrow('entry "object/VirtualDisk/default/a" cannot be read');
  });
});
