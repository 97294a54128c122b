import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ago, duration } from "../../../console/src/lib/format.ts";
import { find } from "../../../console/src/lib/search.ts";
import { choices, fit, nextSort, select, shown, type ColumnText } from "../../../console/src/lib/table.ts";

interface Row {
  readonly name: string;
  readonly size: number | "";
}
const columns: readonly ColumnText<Row>[] = [
  { id: "name", title: "Name", text: ({ name }) => name, width: 100, grow: 1 },
  { id: "size", title: "Size", text: ({ size }) => size, width: 80, priority: 2 },
];
const rows: readonly Row[] = [
  { name: "vm-10", size: 3 },
  { name: "vm-9", size: "" },
  { name: "Db", size: 20 },
];
const namesOf = (some: readonly Row[]): readonly string[] => some.map(({ name }) => name);
const query = { words: "", sort: "", facets: {} };

describe("rows of a table", () => {
  it.each([
    { why: "no order keeps the one given", query, names: ["vm-10", "vm-9", "Db"] },
    { why: "numbers in names count as numbers", query: { ...query, sort: "name" }, names: ["Db", "vm-9", "vm-10"] },
    { why: "an unknown column orders nothing", query: { ...query, sort: "-nope" }, names: ["vm-10", "vm-9", "Db"] },
    { why: "all words, anywhere in the row", query: { ...query, words: "VM 3" }, names: ["vm-10"] },
    { why: "a word over two columns is none", query: { ...query, words: "vm-103" }, names: [] },
    { why: "a choice is the whole text", query: { ...query, facets: { name: "vm-1" } }, names: [] },
    {
      why: "a choice of a column that is gone",
      query: { ...query, facets: { nope: "x" } },
      names: ["vm-10", "vm-9", "Db"],
    },
  ])("$why", (each) => {
    expect(namesOf(select(rows, columns, each.query))).toEqual(each.names);
  });

  it("counts the choices that there are", () => {
    expect(choices([...rows, ...rows.slice(2)], columns[0] as ColumnText<Row>)).toEqual([
      ["Db", 2],
      ["vm-9", 1],
      ["vm-10", 1],
    ]);
  });

  it("shows every row at some place of the scroller, and never many", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20_000 }),
        fc.integer({ min: 1, max: 3000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (count, height, at) => {
          const scrolled = at * Math.max(0, count * 40 - height);
          const { from, to } = shown({ rows: count, rowHeight: 40, scrolled, height, beyond: 10 });
          expect(from * 40).toBeLessThanOrEqual(scrolled);
          expect(Math.min(count * 40, scrolled + height)).toBeLessThanOrEqual(to * 40 + 40);
          expect(to - from).toBeLessThanOrEqual(Math.ceil(height / 40) + 21);
        },
      ),
    );
  });

  it("lets columns go by their priority, and fills the room with the others", () => {
    const all = columns as readonly ColumnText<never>[];
    expect(fit(all, 400).map(({ column, width }) => [column.id, width])).toEqual([
      ["name", 320],
      ["size", 80],
    ]);
    expect(fit(all, 150).map(({ column, width }) => [column.id, width])).toEqual([["name", 150]]);
    expect(fit(all, 10).map(({ column }) => column.id)).toEqual(["name"]);
  });

  it("turns the order round, then takes it away", () => {
    expect([nextSort("", "a"), nextSort("a", "a"), nextSort("-a", "a"), nextSort("-b", "a")]).toEqual([
      "a",
      "-a",
      "",
      "a",
    ]);
  });
});

describe("search", () => {
  it("puts a name before a mention", () => {
    const items = ["web-data", "other", "web"].map((title) => ({ title, text: `${title} of web` }));
    expect(find(items, "WEB", 2).map(({ title }) => title)).toEqual(["web", "web-data"]);
    expect(find(items, "web nothing", 9)).toEqual([]);
  });
});

describe("times in words", () => {
  it.each([
    [400, "400 ms"],
    [61_000, "1 min 1 s"],
    [90_061_000, "1 d 1 h"],
    [3_600_000, "1 h"],
  ])("%i ms are %s", (ms, text) => expect(duration(ms)).toBe(text));

  it("are of the past or ahead", () => {
    const now = Date.parse("2026-01-01T00:10:00Z");
    expect(ago("2026-01-01T00:07:00Z", now)).toBe("3 min ago");
    expect(ago("2026-01-01T00:12:00Z", now)).toBe("in 2 min");
    expect(ago("2026-01-01T00:09:58Z", now)).toBe("just now");
    expect(ago("no time", now)).toBe("no time");
  });
});
