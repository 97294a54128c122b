import fc from "../../../support/fc.ts";
import { describe, expect, test } from "vitest";
import { plainVlan, vlanList, vlanOf } from "../../../../controllers/networkadapter/vlan.ts";

describe("lists of VLANs", () => {
  test.each([
    { why: "sorted, each once", items: [20, 3, 3], text: "3,20" },
    { why: "neighbours are a range", items: [1, 2, 3, 5], text: "1-3,5" },
    { why: "ranges that touch or overlap are one", items: ["10-12", 13, "12-20"], text: "10-20" },
    { why: "a range of one is a number", items: ["7-7"], text: "7" },
    { why: "none", items: [], text: "" },
  ])("$why", ({ items, text }) => expect(vlanList(items)).toBe(text));

  test("however a set is written, its text is the same", () =>
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 60 })), fc.func(fc.integer()), (vlans, shuffle) => {
        const other = vlans.toSorted((a, b) => shuffle(a) - shuffle(b));
        expect(vlanList(other)).toBe(vlanList(vlans));
        expect(vlanList(vlanList(vlans).split(",").filter(Boolean))).toBe(vlanList(vlans));
      }),
    ));
});

test.each([
  {
    why: "no native VLAN is 0",
    spec: { mode: "Trunk" as const, allowed: [2] },
    seen: { mode: "Trunk" as const, allowed: "2" },
  },
  {
    why: "members of another mode do not count",
    spec: { mode: "Access" as const, id: 5 },
    seen: { mode: "Access" as const, id: 5, nativeId: 0 },
  },
  {
    why: "another notation of the list",
    spec: { mode: "Promiscuous" as const, primaryId: 1, secondaryIds: [4, 5] },
    seen: { mode: "Promiscuous" as const, primaryId: 1, secondaryIds: "4,5" },
  },
])("equal to what the host says: $why", ({ spec, seen }) => expect(plainVlan(vlanOf(spec))).toEqual(plainVlan(seen)));
