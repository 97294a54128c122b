import { chmod, cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { maxFileBytes } from "../../../src/stores/files/content.ts";
import { diskYaml, FolderRig } from "./rig.ts";

interface Expected {
  /** line:column of the problem. */
  readonly at: string;
  /** Part of the problem's line, path included. */
  readonly message: string;
}

const corpus = new URL("../../fixtures/bad-input/", import.meta.url);
const table = new URL("../../fixtures/bad-input.json", import.meta.url);
const expected = JSON.parse(await readFile(table, "utf8")) as Record<string, Expected>;

let rig: FolderRig;

const kinds = ["VMHost", "VirtualMachine", "VirtualDisk", "NetworkAdapter", "ManagedDeployment"];
const made = (): string[] => kinds.flatMap((kind) => rig.store.cache.list(kind).map(({ metadata }) => metadata.name));

beforeAll(async () => {
  rig = FolderRig.at(await mkdtemp(join(tmpdir(), "aetherv-bad-")));
});

afterAll(() => rm(rig.folder, { recursive: true }));

describe("the corpus of bad files", () => {
  let problems: string[];

  beforeAll(async () => {
    await cp(corpus, rig.folder, { recursive: true });
    // Git keeps no 0600, which Secrets need.
    for (const name of await readdir(rig.folder)) await chmod(rig.path(name), 0o600);
    await rig.write("0-good.yaml", diskYaml("good-first"));
    await rig.write("zz-good.yaml", diskYaml("good-last"));
    await rig.start();
    problems = rig.problems();
  });

  it("has at least 150 files, each with what is expected of it", async () => {
    expect((await readdir(corpus)).sort()).toEqual(Object.keys(expected).sort());
    expect(Object.keys(expected).length).toBeGreaterThanOrEqual(150);
  });

  it.each(Object.entries(expected))("%s is refused at its place", (name, { at, message }) => {
    const said = problems.filter((text) => text.startsWith(`${name}:`));
    const found = said.some((text) => text.startsWith(`${name}:${at}: `) && text.includes(message));
    expect({ at, message, said, found }).toMatchObject({ found: true });
  });

  it("does not keep the good files of the folder from being taken up", () => {
    expect(made()).toEqual(["good-first", "good-last"]);
  });

  it("gives lines without control characters that would reach a terminal", () => {
    // eslint-disable-next-line no-control-regex
    expect(problems.filter((text) => /[\u0000-\u001f\u007f-\u009f]/.test(text))).toEqual([]);
  });
});

const mebi = 1024 * 1024;
const lines = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join("");

/** Nine levels of nine aliases each: 9^9 values. */
const laughs = lines(
  9,
  (i) =>
    `${"abcdefghi"[i]}: &${"abcdefghi"[i]} [${Array.from({ length: 9 }, () => (i === 0 ? "lol" : `*${"abcdefghi"[i - 1]}`)).join(", ")}]\n`,
);

const hostile: { name: string; text: () => string; at: string; message: string }[] = [
  {
    name: "ten-megabytes",
    text: () => `# ${"x".repeat(10 * mebi)}\n`,
    at: "1:1",
    message: `at most ${maxFileBytes} are read`,
  },
  { name: "one-byte-too-many", text: () => "#".repeat(maxFileBytes + 1), at: "1:1", message: "at most" },
  { name: "billion-laughs", text: () => laughs, at: "5:8", message: "aliases stand for more than 10000 values" },
  {
    name: "quadratic-aliases",
    text: () => `a: &a [${"x, ".repeat(1000)}]\nb: [${"*a, ".repeat(5000)}]\n`,
    at: "2:41",
    message: "aliases stand for",
  },
  {
    name: "merge-bomb",
    text: () => `a: &a {${lines(2000, (i) => `k${i}: 1, `)}}\nb:\n${"  - {<<: *a}\n".repeat(2000)}`,
    at: "7:10",
    message: "aliases stand for",
  },
  { name: "open-brackets", text: () => "[".repeat(mebi), at: "1:65", message: "nested more than 64 levels deep" },
  { name: "open-braces", text: () => "{a: ".repeat(mebi), at: "1:257", message: "nested more than 64 levels deep" },
  {
    name: "close-brackets",
    text: () => "]".repeat(4 * mebi),
    at: "1:1",
    message: "closes a bracket that was not opened",
  },
  { name: "deep-lists", text: () => "- ".repeat(mebi), at: "1:129", message: "nested more than 64 levels deep" },
  { name: "deep-keys", text: () => "? ".repeat(mebi), at: "1:129", message: "nested more than 64 levels deep" },
  {
    name: "deep-maps",
    text: () => lines(200, (i) => `${" ".repeat(i)}a:\n`),
    at: "65:65",
    message: "nested more than 64 levels deep",
  },
  {
    name: "very-deep-maps",
    text: () => lines(2800, (i) => `${" ".repeat(i)}a:\n`),
    at: "",
    message: "nested too deeply",
  },
  { name: "many-documents", text: () => "---\n".repeat(mebi), at: "10001:1", message: "more than 10000 documents" },
  { name: "many-keys", text: () => lines(300_000, (i) => `k${i}: 1\n`), at: "", message: "more than 500000 parts" },
  { name: "same-key", text: () => "a: 1\n".repeat(50_000), at: "2:1", message: 'the key "a" stands twice' },
  { name: "many-tags", text: () => "!a ".repeat(mebi), at: "1:", message: "more than 500000 parts" },
  { name: "many-anchors", text: () => lines(20_000, (i) => `- &a${i} x\n`), at: "1:1", message: "found a list" },
  { name: "long-text", text: () => `"${"x".repeat(4 * mebi - 2)}`, at: "1:4194304", message: 'Missing closing "quote' },
  { name: "long-key", text: () => `${"k".repeat(mebi)}: 1\n`, at: "1:1", message: "at most 1024 chars" },
  { name: "binary", text: () => "\0".repeat(mebi), at: "1:1", message: "is it a binary file?" },
];

describe("files too large or too clever to be in the corpus", () => {
  it.each(hostile)(
    "$name is refused at its place, in time, and the good file goes on",
    async ({ name, text, at, message }) => {
      rig = FolderRig.at(rig.folder);
      for (const file of await readdir(rig.folder)) await rm(rig.path(file));
      await rig.write(`${name}.yaml`, text());
      await rig.write("zz-good.yaml", diskYaml("good"));
      const begin = performance.now();
      await rig.start();
      expect(performance.now() - begin).toBeLessThan(10_000);
      const [first = ""] = rig.problems();
      expect(first.slice(0, 300)).toContain(message);
      expect(first.startsWith(`${name}.yaml:${at}`)).toBe(true);
      expect(made()).toEqual(["good"]);
    },
  );
});
