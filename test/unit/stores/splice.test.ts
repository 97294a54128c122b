import { describe, expect, it } from "vitest";
import { equalJson } from "../../../src/stores/equal.ts";
import { splicedText, withoutDocument } from "../../../src/stores/files/edit/splice.ts";
import { documentsOf, removed, replaced } from "../../../src/stores/files/edit/source.ts";
import { parseYaml } from "../../../src/stores/files/yaml.ts";
import { SeededRandom } from "../../support/random.ts";

const valueOf = (text: string, index = 0): unknown => parseYaml(text).documents[index]?.value;

interface Case {
  readonly why: string;
  readonly text: string;
  readonly want: unknown;
  readonly gives: string;
}

const cases: readonly Case[] = [
  {
    why: "a scalar keeps its comment and its neighbours",
    text: "a: 1 # one\n# about b\nb: 2\n",
    want: { a: 5, b: 2 },
    gives: "a: 5 # one\n# about b\nb: 2\n",
  },
  { why: "quotes stay", text: `a: "x"\nb: 'y'\n`, want: { a: "z", b: "it's" }, gives: `a: "z"\nb: 'it''s'\n` },
  { why: "words that YAML 1.1 reads as no text are quoted", text: "a: x\n", want: { a: "off" }, gives: 'a: "off"\n' },
  { why: "digits that are text stay text", text: "a: x\n", want: { a: "012" }, gives: 'a: "012"\n' },
  {
    why: "a removed member leaves the comment of the next",
    text: "a: 1\nb: 2\n# about c\nc: 3\n",
    want: { a: 1, c: 3 },
    gives: "a: 1\n# about c\nc: 3\n",
  },
  {
    why: "a removed member's own comment line stays",
    text: "a: 1\n# about b\nb: 2\n",
    want: { a: 1 },
    gives: "a: 1\n# about b\n",
  },
  {
    why: "the first member goes",
    text: "m:\n  a: 1\n  # about b\n  b: 2\n",
    want: { m: { b: 2 } },
    gives: "m:\n  # about b\n  b: 2\n",
  },
  {
    why: "the first member of an item goes",
    text: "l:\n  - a: 1\n    b: 2 # two\n",
    want: { l: [{ b: 2 }] },
    gives: "l:\n  - b: 2 # two\n",
  },
  {
    why: "a new member comes last, in the file's indentation",
    text: "m:\n    a: 1\n# end\n",
    want: { m: { a: 1, b: { c: 2 } } },
    gives: "m:\n    a: 1\n    b:\n        c: 2\n# end\n",
  },
  {
    why: "items stand where the file puts them",
    text: "l:\n- a\n# about b\n- b\nm: 1\n",
    want: { l: ["a", "b", "c"], m: 1, o: ["x"] },
    gives: "l:\n- a\n# about b\n- b\n- c\nm: 1\no:\n- x\n",
  },
  {
    why: "items of a name are followed when they move, with what is said above them",
    text: "l:\n  - name: a # first\n  # about b\n  - name: b\n    v: 1\n",
    want: {
      l: [{ name: "b", v: 2 }, { name: "c", v: 3 }, { name: "a" }],
    },
    gives: "l:\n  # about b\n  - name: b\n    v: 2\n  - name: c\n    v: 3\n  - name: a # first\n",
  },
  { why: "an empty value is filled", text: "a: # say\nb: 1\n", want: { a: 7, b: 1 }, gives: "a: 7 # say\nb: 1\n" },
  {
    why: "an empty value becomes a map",
    text: "a: # say\nb: 1\n",
    want: { a: { c: 1 }, b: 1 },
    gives: "a: # say\n  c: 1\nb: 1\n",
  },
  { why: "a map becomes empty", text: "a:\n  b: 1\nc: 2\n", want: { a: {}, c: 2 }, gives: "a: {}\nc: 2\n" },
  {
    why: "text of several lines",
    text: "a: |\n  x\n  y\n# about b\nb: 1\n",
    want: { a: "x\nz\n", b: 1 },
    gives: "a: |\n  x\n  z\n# about b\nb: 1\n",
  },
  {
    why: "brackets stay brackets",
    text: "a: [1, 2] # l\nb: { x: 1, w: two }\n",
    want: { a: [1, 2, 3], b: { x: 4, w: "two" } },
    gives: "a: [1, 2, 3] # l\nb: { x: 4, w: two }\n",
  },
  {
    why: "JSON stays JSON",
    text: '{\n  "a": 1,\n  "b": {\n    "c": "d"\n  }\n}\n',
    want: { a: 2, b: { c: "d", e: [1] } },
    gives: '{\n  "a": 2,\n  "b": {\n    "c": "d",\n    "e": [\n      1\n    ]\n  }\n}\n',
  },
  { why: "lines of Windows", text: "a: 1\r\nb: 2\r\n", want: { a: 1, b: 3 }, gives: "a: 1\r\nb: 3\r\n" },
  { why: "a file without its last line end gets it", text: "a: 1", want: { a: 2 }, gives: "a: 2\n" },
];

describe("an edit within a file's text", () => {
  it.each(cases)("$why", ({ text, want, gives }) => {
    expect(splicedText(text, 0, want)).toBe(gives);
    expect(valueOf(gives)).toEqual(want);
  });

  it("changes one document of several", () =>
    expect(splicedText("a: 1\n---\n# two\nb: 2\n---\nc: 3\n", 1, { b: 4 })).toBe(
      "a: 1\n---\n# two\nb: 4\n---\nc: 3\n",
    ));

  it.each([
    { why: "the first", index: 0, gives: "---\nb: 2\n---\nc: 3\n" },
    { why: "one between", index: 1, gives: "# about a\na: 1\n---\nc: 3\n" },
    { why: "the last", index: 2, gives: "# about a\na: 1\n---\nb: 2\n" },
  ])("takes out a document: $why", ({ index, gives }) =>
    expect(withoutDocument("# about a\na: 1\n---\nb: 2\n---\nc: 3\n", index)).toBe(gives),
  );

  it("keeps what is said about the whole file", () =>
    expect(withoutDocument("# The file\n# of us\n\n# about a\na: 1\n---\nb: 2\n", 0)).toBe(
      "# The file\n# of us\n\n---\nb: 2\n",
    ));

  it("keeps a file with documents that are commented out", () =>
    expect(withoutDocument("a: 1\n---\n# b: 2\n# c: 3\n", 0)).toBe("---\n# b: 2\n# c: 3\n"));

  it("leaves nothing of a file with one document", () => expect(withoutDocument("# x\na: 1\n", 0)).toBeUndefined());
});

const disk = (name: string, size: string): string =>
  `apiVersion: aetherv.io/v1alpha1\nkind: VirtualDisk\nmetadata:\n  name: ${name}\nspec:\n  size: ${size}\n`;

describe("an edit of an object", () => {
  it("refuses a value that is written as an alias, with its place", () => {
    const text = `${disk("a", "&s 4Gi")}---\n${disk("b", "4Gi").replace("4Gi", "4Gi\n  x: &m {y: 1}\n  z: *m")}`;
    const [, found] = documentsOf(text, "f.yaml");
    if (!found) throw new Error("not found");
    const value = { ...found.value, spec: { size: "4Gi", x: { y: 1 }, z: { y: 2 } } };
    expect(() => replaced(text, found, value)).toThrow(/^f\.yaml:15:6: is written as an alias/);
  });

  it("refuses what would change more than was meant", () => {
    const text = `${disk("a", "4Gi")}  x: &m\n    w: 1\n  z: *m\n`;
    const [found] = documentsOf(text, "f.yaml");
    if (!found) throw new Error("not found");
    const value = { ...found.value, spec: { size: "4Gi", x: { w: 2 }, z: { w: 1 } } };
    expect(() => replaced(text, found, value)).toThrow(/a change here would change more/);
  });

  it("is made in an item of a List", () => {
    const text = `apiVersion: v1\nkind: List\nitems:\n  - ${disk("a", "4Gi").trimEnd().replaceAll("\n", "\n    ")}\n  # b\n  - ${disk("b", "4Gi").trimEnd().replaceAll("\n", "\n    ")} # four\n`;
    const [first, second] = documentsOf(text, "f.yaml");
    if (!first || !second) throw new Error("not found");
    const next = replaced(text, second, { ...second.value, spec: { size: "8Gi" } });
    expect(next).toBe(text.replace("4Gi # four", "8Gi # four"));
    expect(removed(next, first)).toBe(
      `apiVersion: v1\nkind: List\nitems:\n  # b\n  - ${next.split("  # b\n  - ")[1] ?? ""}`,
    );
  });
});

// Random documents and edits ---------------------------------------------------------------------------------------

interface Line {
  readonly path: string;
  readonly text: string;
}

const pick = <T>(random: SeededRandom, of: readonly T[]): T => of[Math.floor(random.next() * of.length)] as T;

const scalars = ["plain", "off", "012", "4Gi", "a: b", "it's", "# no", "x y", 7, 0, true, false, "1e3", "ü", "", "[x]"];

/** A random value as JSON, and as lines with comments that tell where they belong. */
class Maker {
  readonly random: SeededRandom;
  #count = 0;
  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  value(depth: number): unknown {
    const chance = this.random.next();
    if (depth === 0 || chance < 0.45) return pick(this.random, scalars);
    const size = 1 + Math.floor(this.random.next() * 3);
    if (chance < 0.75)
      return Object.fromEntries(
        Array.from({ length: size }, (_, i) => [`k${i}${pick(this.random, ["a", "b"])}`, this.value(depth - 1)]),
      );
    if (chance < 0.88)
      return Array.from({ length: size }, (_, i) => ({ name: `n${i}`, v: this.value(depth - 1), w: this.value(0) }));
    return Array.from({ length: size }, (_, i) => `item${i}`);
  }

  #scalar(value: unknown): string {
    if (typeof value !== "string") return String(value);
    if (/^[a-z][a-zü]*\d*$/.test(value) && value !== "off" && this.random.next() < 0.5) return value;
    return this.random.next() < 0.5 ? JSON.stringify(value) : `'${value.replaceAll("'", "''")}'`;
  }

  #comment(): string {
    return `c${(this.#count += 1)}`;
  }

  lines(value: unknown, path: string, column: number): Line[] {
    const pad = " ".repeat(column);
    const above = (at: string): Line[] =>
      this.random.next() < 0.3 ? [{ path: `${at}#`, text: `${pad}# ${this.#comment()}` }] : [];
    const tail = (): string => (this.random.next() < 0.3 ? ` # ${this.#comment()}` : "");
    const entries: (readonly [string, string, unknown])[] = Array.isArray(value)
      ? value.map((one: unknown) => [typeof one === "string" ? one : (one as { name: string }).name, "-", one])
      : Object.entries(value as object).map(([key, one]: [string, unknown]) => [key, `${key}:`, one]);
    return entries.flatMap(([key, sign, one]) => {
      const at = `${path}/${key}`;
      if (typeof one !== "object" || one === null)
        return [...above(at), { path: at, text: `${pad}${sign} ${this.#scalar(one)}${tail()}` }];
      if (sign !== "-")
        return [...above(at), { path: `${at}/`, text: `${pad}${sign}${tail()}` }, ...this.lines(one, at, column + 2)];
      const [first, ...rest] = this.lines(one, at, column + 2).filter(({ path: p }, i) => i > 0 || !p.endsWith("#"));
      if (!first) throw new Error("an item without members");
      return [...above(at), { ...first, text: `${pad}- ${first.text.trimStart()}` }, ...rest];
    });
  }
}

/** Edits a value at random; tells which paths changed: those beneath them may go, all others stay. */
class Editor {
  readonly random: SeededRandom;
  readonly touched: string[] = [];
  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  edit(value: unknown, path: string): unknown {
    if (Array.isArray(value)) return this.#list(value, path);
    const entries = Object.entries(value as object).flatMap(([key, one]: [string, unknown]) => {
      const at = `${path}/${key}`;
      const chance = this.random.next();
      if (chance < 0.12) return (this.touched.push(at), []);
      if (typeof one === "object" && one !== null) return [[key, this.edit(one, at)]];
      if (chance < 0.4 && key !== "name") return (this.touched.push(at), [[key, pick(this.random, scalars)]]);
      return [[key, one]];
    });
    const more = this.random.next() < 0.3 ? [["new", pick(this.random, [{ x: 1, y: ["z"] }, "off", ["a"], {}])]] : [];
    const next = Object.fromEntries([...entries, ...more]) as object;
    if (Object.keys(next).length === 0) this.touched.push(path);
    return next;
  }

  #list(value: readonly unknown[], path: string): unknown {
    const next = value.flatMap((one): unknown[] => {
      const at = `${path}/${typeof one === "string" ? one : (one as { name: string }).name}`;
      if (this.random.next() < 0.15) return (this.touched.push(at), []);
      return [
        typeof one === "string" ? one : { ...(this.edit(one, at) as object), name: (one as { name: string }).name },
      ];
    });
    if (this.random.next() < 0.2) next.reverse();
    if (this.random.next() < 0.2) next.splice(1, 0, typeof value[0] === "string" ? "other" : { name: "other", v: 1 });
    if (next.length === 0) this.touched.push(path);
    return next;
  }
}

/** A line may go with a path that was taken out or got another value; its full-line comment only with what is around it. */
const mayGo = ({ path }: Line, touched: readonly string[]): boolean =>
  touched.some((at) => (path.endsWith("#") ? path.startsWith(`${at}/`) : path === at || path.startsWith(`${at}/`)));

const trial = (seed: number): void => {
  const maker = new Maker(seed);
  const value = { metadata: { name: "x" }, spec: maker.value(4) };
  const before = maker.lines(value, "", 0);
  const text = `# head\n${before.map((line) => line.text).join("\n")}\n# end\n---\nother: 1 # kept\n`;
  expect(valueOf(text), "the text that was made up").toEqual(value);
  const editor = new Editor(seed + 1);
  const want = editor.edit(value, "") as { metadata?: unknown };
  if (Object.keys(want).length === 0) return;
  const next = splicedText(text, 0, want);
  expect(equalJson(valueOf(next), want), `${text}\n=>\n${next}\nwanted ${JSON.stringify(want)}`).toBe(true);
  const left = next.split("\n").map((line) => line.replace(/^( *)- /, "$1").trim());
  for (const line of [
    ...before,
    { path: "#", text: "# head" },
    { path: "#", text: "# end" },
    { path: "#", text: "other: 1 # kept" },
  ])
    if (!mayGo(line, editor.touched))
      expect(left, `${line.path}\n${text}\n=>\n${next}`).toContain(line.text.replace(/^( *)- /, "$1").trim());
};

describe("random edits", () => {
  it("say what was meant; every comment and every line that was not touched is still there", () => {
    const given = process.env["AETHERV_PROPERTY_SEED"] ?? "20260914";
    const seed = given === "random" ? Math.floor(Math.random() * 2 ** 31) : Number(given);
    try {
      for (let run = 0; run < 1500; run += 1) trial(seed + run * 7);
    } catch (error) {
      throw new Error(`AETHERV_PROPERTY_SEED=${seed}`, { cause: error });
    }
  });
});
