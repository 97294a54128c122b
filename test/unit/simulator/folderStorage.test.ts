import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HostStore } from "../../../agents/simulator/model/state.ts";
import { FolderStorage } from "../../../agents/simulator/process/folderStorage.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "aetherv-state-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (compactBytes?: number): HostStore => new HostStore(new FolderStorage(folder, compactBytes));
const put = (store: HostStore, key: string, value: unknown): void => store.transact((tx) => tx.put(key, value));
const get = (store: HostStore, key: string): unknown => store.read((tx) => tx.get(key));
const logPath = (): string => join(folder, readdirSync(folder).find((name) => name.startsWith("log.")) ?? "");

describe("state folder", () => {
  test("survives a restart", () => {
    put(open(), "vm:a", { name: "a" });
    expect(get(open(), "vm:a")).toEqual({ name: "a" });
  });

  test("sees at once what another opener wrote", () => {
    const [one, two] = [open(), open()];
    put(one, "vm:a", 1);
    expect(get(two, "vm:a")).toBe(1);
    two.transact((tx) => tx.delete("vm:a"));
    expect(get(one, "vm:a")).toBeUndefined();
  });

  test("a transaction that throws writes nothing", () => {
    const store = open();
    const broken = (): void =>
      store.transact((tx) => {
        tx.put("vm:a", 1);
        throw new Error("no");
      });
    expect(broken).toThrow("no");
    expect(get(store, "vm:a")).toBeUndefined();
    expect(get(open(), "vm:a")).toBeUndefined();
  });

  test("a torn last line is nothing, and the next writer removes it", () => {
    put(open(), "vm:a", 1);
    appendFileSync(logPath(), '{"rev":2,"set":{"vm:a":"to');
    const store = open();
    expect(get(store, "vm:a")).toBe(1);
    put(store, "vm:b", 2);
    expect(
      readFileSync(logPath(), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).rev),
    ).toEqual([1, 2]);
    expect(get(open(), "vm:b")).toBe(2);
  });

  test("a line that arrives in two parts counts once it is whole", () => {
    const store = open();
    expect(get(store, "vm:a")).toBeUndefined();
    appendFileSync(logPath(), '{"rev":1,"set":{"vm:a":"\u00fc');
    expect(get(store, "vm:a")).toBeUndefined();
    appendFileSync(logPath(), '"}}\n');
    expect(get(store, "vm:a")).toBe("\u00fc");
  });

  test("is compacted, keeps revisions and removals, and other openers follow", () => {
    const [writer, reader] = [open(2000), open(2000)];
    for (let index = 0; index < 100; index++) put(writer, `vm:${index % 7}`, { index, text: "x".repeat(50) });
    writer.transact((tx) => tx.delete("vm:3"));
    expect(readdirSync(folder).filter((name) => name.startsWith("log."))).toHaveLength(1);
    for (const store of [reader, open(2000)]) {
      expect(get(store, "vm:1")).toMatchObject({ index: 99 });
      expect(store.table.rev).toBe(101);
      expect(store.table.changedSince("vm", 100)).toEqual(["vm:3"]);
    }
  });

  test.each([
    { why: "a dead process", mark: "999999999:1" },
    { why: "an earlier process of the same id", mark: `${process.pid}:1` },
  ])("the lock of $why is broken", ({ mark }) => {
    const store = open();
    writeFileSync(join(folder, "lock"), mark);
    put(store, "vm:a", 1);
    expect(get(open(), "vm:a")).toBe(1);
  });

  test("two processes that count at the same time lose nothing", async () => {
    open();
    const program = `
      const { HostStore } = await import(${JSON.stringify(moduleUrl("model/state.ts"))});
      const { FolderStorage } = await import(${JSON.stringify(moduleUrl("process/folderStorage.ts"))});
      const store = new HostStore(new FolderStorage(${JSON.stringify(folder)}, 20000));
      for (let index = 0; index < 300; index++) store.transact((tx) => tx.put("n:n", (tx.get("n:n") ?? 0) + 1));`;
    const run = (): Promise<number | null> =>
      new Promise((resolve) => {
        spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: "inherit" }).on("close", resolve);
      });
    expect(await Promise.all([run(), run()])).toEqual([0, 0]);
    expect(get(open(), "n:n")).toBe(600);
  });

  test("one small write costs less than 2 ms beside 100 machines", () => {
    const store = open();
    const vm = { text: "x".repeat(3000) };
    for (let index = 0; index < 100; index++) put(store, `vm:${index}`, vm);
    const start = performance.now();
    for (let index = 0; index < 500; index++) put(store, `vm:${index % 100}`, { ...vm, index });
    expect((performance.now() - start) / 500).toBeLessThan(2);
  });
});

const moduleUrl = (path: string): string =>
  fileURLToPath(new URL(`../../../agents/simulator/${path}`, import.meta.url));
