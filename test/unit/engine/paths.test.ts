import { describe, expect, it } from "vitest";
import { PathMap, PathSet, isUnder, samePath } from "../../../src/engine/paths.ts";

describe("samePath", () => {
  const cases: { why: string; a: string; b: string; same: boolean }[] = [
    { why: "letters' case", a: "C:\\VMs\\Web", b: "c:\\vms\\WEB", same: true },
    { why: "slashes", a: "C:/VMs/web", b: "C:\\VMs\\web", same: true },
    { why: "doubled and trailing separators", a: "C:\\VMs\\\\web\\", b: "C:\\VMs\\web", same: true },
    { why: "long path prefix", a: "\\\\?\\C:\\VMs", b: "C:\\VMs", same: true },
    { why: "long UNC prefix", a: "\\\\?\\UNC\\srv\\share", b: "\\\\srv\\share", same: true },
    { why: "UNC is no drive path", a: "\\\\srv\\share", b: "\\srv\\share", same: false },
    { why: "other letters", a: "C:\\ä", b: "C:\\Ä", same: true },
    { why: "NTFS does not expand sharp s", a: "C:\\ß", b: "C:\\SS", same: false },
    { why: "a drive's root keeps its separator", a: "C:\\", b: "C:", same: false },
  ];
  it.each(cases)("$why", ({ a, b, same }) => expect(samePath(a, b)).toBe(same));
});

describe("isUnder", () => {
  const cases: { path: string; folder: string; under: boolean }[] = [
    { path: "D:\\a\\b.vhdx", folder: "d:\\A", under: true },
    { path: "D:\\ab\\b.vhdx", folder: "D:\\a", under: false },
    { path: "D:\\a", folder: "D:\\a", under: false },
    { path: "D:\\a", folder: "D:\\", under: true },
  ];
  it.each(cases)("$path in $folder: $under", ({ path, folder, under }) => expect(isUnder(path, folder)).toBe(under));
});

it("PathMap keeps one entry for all spellings, and the last spelling", () => {
  const map = new PathMap<number>().set("C:\\A", 1).set("c:\\a", 2);
  expect([...map]).toEqual([["c:\\a", 2]]);
  expect(map.delete("C:/a")).toBe(true);
  expect([map.size, map.has("C:\\A")]).toEqual([0, false]);
});

it("PathSet keeps one entry for all spellings", () => {
  const set = new PathSet().add("C:\\A").add("c:\\a");
  expect([...set]).toEqual(["C:\\A"]);
  expect([set.delete("c:/A"), set.size]).toEqual([true, 0]);
});
