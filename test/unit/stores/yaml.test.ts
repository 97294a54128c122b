import { describe, expect, it } from "vitest";
import { parseYaml } from "../../../src/stores/files/yaml.ts";

const values = (text: string): unknown[] => {
  const { documents, problems } = parseYaml(text);
  expect(problems).toEqual([]);
  return documents.map(({ value }) => value);
};

describe("YAML as kubectl reads it", () => {
  it.each([
    { why: "YAML 1.1 booleans", text: "[y, n, Yes, off, ON, true]", value: [true, false, true, false, true, true] },
    { why: "quoted they are text", text: `["off", 'y']`, value: ["off", "y"] },
    { why: "octal of YAML 1.1", text: "012", value: 10 },
    { why: "hexadecimal and binary", text: "[0x1F, 0b11]", value: [31, 3] },
    { why: "underscores in numbers", text: "1_000", value: 1000 },
    { why: "no base 60: a MAC address stays text", text: "00:15:50:01:02:03", value: "00:15:50:01:02:03" },
    { why: "no base 60: a time stays text", text: "12:30", value: "12:30" },
    {
      why: "a date stays text",
      text: "[2026-01-01, 2026-01-01T00:00:00Z]",
      value: ["2026-01-01", "2026-01-01T00:00:00Z"],
    },
    { why: "nothing is null", text: "{a: , b: ~, c: null}", value: { a: null, b: null, c: null } },
    { why: "anchors", text: "{a: &x [1], b: *x}", value: { a: [1], b: [1] } },
    { why: "an anchor set again means the later one", text: "[&x 1, *x, &x 2, *x]", value: [1, 1, 2, 2] },
    { why: "merge keys; own ones win", text: "b: {<<: {p: 1, q: 2}, q: 3}", value: { b: { q: 3, p: 1 } } },
    { why: "merge lists; the earlier wins", text: "b: {<<: [{p: 1}, {p: 2, q: 2}]}", value: { b: { p: 1, q: 2 } } },
    { why: "a quoted << is a key", text: `{"<<": 1}`, value: { "<<": 1 } },
    { why: "numbers and booleans as keys are text", text: "{1: a, true: b}", value: { 1: "a", true: "b" } },
    { why: "a byte order mark", text: "\ufeffa: 1", value: { a: 1 } },
    { why: "Windows line ends", text: "a:\r\n  b: |\r\n    x\r\n    y\r\n", value: { a: { b: "x\ny\n" } } },
    {
      why: "JSON with tabs",
      text: '{\n\t"a": "x\\/y\\u00e9",\n\t"b": [1,\n\t2.5e1]\n}',
      value: { a: "x/yé", b: [1, 25] },
    },
    {
      why: "brackets within text are no nesting",
      text: `a: "]]]"\nb: 'x}'\nc: a]b\n`,
      value: { a: "]]]", b: "x}", c: "a]b" },
    },
    { why: "a folded block", text: "a: >-\n  x\n  y\n", value: { a: "x y" } },
  ])("$why", ({ text, value }) => {
    expect(values(text)).toEqual([value]);
  });

  it("gives no document for an empty file, and null for an empty document", () => {
    expect(values("")).toEqual([]);
    expect(values("# only a comment\n")).toEqual([]);
    expect(values("---\n---\na: 1\n")).toEqual([null, { a: 1 }]);
  });

  it("keeps the good documents beside a broken one, and says where that is", () => {
    const { documents, problems } = parseYaml("a: 1\n---\nb: @\n---\nc: 1\n");
    expect(documents.map(({ value }) => value)).toEqual([{ a: 1 }, { c: 1 }]);
    expect(problems).toMatchObject([{ line: 3, column: 4 }]);
  });
});

describe("places", () => {
  const [document] = parseYaml("# first\na:\n  b:\n    - x: 1\n    - w: {z: 2}\n  c/d.e: 3\n").documents;

  it.each([
    { why: "a field is at its key", path: "a.b", at: [3, 3] },
    { why: "an item is at itself", path: "a.b[1]", at: [5, 7] },
    { why: "a field in a flow map", path: "a.b[1].w.z", at: [5, 11] },
    { why: "a key with dots and slashes", path: "a.c/d.e", at: [6, 3] },
    { why: "what is not there is at what is around it", path: "a.b[1].q.r", at: [5, 7] },
    { why: "an item that is not there is at its list", path: "a.b[7]", at: [3, 3] },
    { why: "what is nowhere is at the document", path: "q", at: [2, 1] },
  ])("$why", ({ path, at }) => {
    const { line, column } = document?.position(path) ?? {};
    expect([line, column]).toEqual(at);
  });
});
