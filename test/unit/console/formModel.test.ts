import { describe, expect, it } from "vitest";
import fc from "../../support/fc.ts";
import { changesBetween, rebased, type Side } from "../../../console/src/forms/model/changes.ts";
import { placed } from "../../../console/src/forms/model/faults.ts";
import { isWithin, stepsOf, valueAt, withValue, type Json } from "../../../console/src/forms/model/path.ts";
import { schemaOf } from "../../../console/src/forms/model/schema.ts";

describe("a field path", () => {
  it.each([
    ["spec.cpu.count", ["spec", "cpu", "count"]],
    ["spec.disks[1].spec.size", ["spec", "disks", 1, "spec", "size"]],
    ["metadata.labels[app.kubernetes.io/name]", ["metadata", "labels", "app.kubernetes.io/name"]],
    ["spec.imagePaths[0]", ["spec", "imagePaths", 0]],
  ])("%s", (path, steps) => expect(stepsOf(path)).toEqual(steps));

  it("lies within its groups, not within a name that begins alike", () => {
    expect(isWithin("spec.ipv4.dnsServers[0]", "spec.ipv4.dnsServers")).toBe(true);
    expect(isWithin("spec.ipv4", "spec.ipv4")).toBe(true);
    expect(isWithin("spec.ipv4x", "spec.ipv4")).toBe(false);
  });
});

describe("an edit of one field", () => {
  const object: Json = { spec: { cpu: { count: 2, later: { a: 1 } }, list: [{ name: "a", other: 1 }, { name: "b" }] } };

  it.each<{ why: string; path: string; value: unknown; spec: unknown }>([
    {
      why: "leaves what it does not know",
      path: "spec.cpu.count",
      value: 4,
      spec: { cpu: { count: 4, later: { a: 1 } }, list: [{ name: "a", other: 1 }, { name: "b" }] },
    },
    {
      why: "makes the groups on the way",
      path: "spec.memory.dynamic.minimum",
      value: "1Gi",
      spec: { ...(object["spec"] as Json), memory: { dynamic: { minimum: "1Gi" } } },
    },
    {
      why: "takes a field off, and the group that it leaves empty",
      path: "spec.cpu.later.a",
      value: undefined,
      spec: { cpu: { count: 2 }, list: [{ name: "a", other: 1 }, { name: "b" }] },
    },
    {
      why: "leaves an item that it empties",
      path: "spec.list[1].name",
      value: undefined,
      spec: { cpu: { count: 2, later: { a: 1 } }, list: [{ name: "a", other: 1 }, {}] },
    },
    {
      why: "takes an item out",
      path: "spec.list[0]",
      value: undefined,
      spec: { cpu: { count: 2, later: { a: 1 } }, list: [{ name: "b" }] },
    },
    {
      why: "changes an item and keeps the rest of it",
      path: "spec.list[0].name",
      value: "c",
      spec: { cpu: { count: 2, later: { a: 1 } }, list: [{ name: "c", other: 1 }, { name: "b" }] },
    },
    {
      why: "adds an item",
      path: "spec.new[0].name",
      value: "n",
      spec: { ...(object["spec"] as Json), new: [{ name: "n" }] },
    },
  ])("$why", ({ path, value, spec }) => {
    const before = structuredClone(object);
    expect(withValue(object, path, value)["spec"]).toEqual(spec);
    expect(object).toEqual(before);
  });

  it("keeps the spec of an item of a list, which has to have one", () =>
    expect(
      withValue({ spec: { nics: [{ name: "n", spec: { network: "lan" } }] } }, "spec.nics[0].spec.network", undefined),
    ).toEqual({
      spec: { nics: [{ name: "n", spec: {} }] },
    }));

  it("keeps spec itself when its last field goes", () =>
    expect(withValue({ spec: { host: "a" } }, "spec.host", undefined)).toEqual({ spec: {} }));

  it("is read back at its path", () => {
    const name = fc.constantFrom("spec", "a", "b", "list");
    const steps = fc.array(fc.oneof(name, fc.nat(2)), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.dictionary(name, fc.jsonValue({ maxDepth: 3 })), steps, fc.nat(), (made, way, value) => {
        const path = ["spec", ...way].map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
        expect(valueAt(withValue(made as Json, path.slice(1), value), path.slice(1))).toBe(value);
      }),
    );
  });
});

describe("an edit that meets another one's", () => {
  const base = { spec: { host: "a", cpu: { count: 2 }, disks: [{ name: "x", size: "1Gi" }], order: [1, 2] } };
  const none: ReadonlyMap<string, Side> = new Map();

  it.each<{
    why: string;
    mine: Json;
    theirs: Json;
    choices?: readonly [string, Side][];
    merged: Json;
    told: unknown[];
  }>([
    {
      why: "of another field: both stand",
      mine: { spec: { ...base.spec, cpu: { count: 4 } } },
      theirs: { spec: { ...base.spec, host: "b" } },
      merged: { spec: { ...base.spec, host: "b", cpu: { count: 4 } } },
      told: [{ path: "spec.host", base: "a", mine: "a", theirs: "b", conflict: false }],
    },
    {
      why: "of the same field: the draft's own unless told",
      mine: { spec: { ...base.spec, cpu: { count: 4 } } },
      theirs: { spec: { ...base.spec, cpu: { count: 8 } } },
      merged: { spec: { ...base.spec, cpu: { count: 4 } } },
      told: [{ path: "spec.cpu.count", base: 2, mine: 4, theirs: 8, conflict: true }],
    },
    {
      why: "of the same field: theirs where chosen",
      mine: { spec: { ...base.spec, cpu: { count: 4 } } },
      theirs: { spec: { ...base.spec, cpu: { count: 8 } } },
      choices: [["spec.cpu.count", "theirs"]],
      merged: { spec: { ...base.spec, cpu: { count: 8 } } },
      told: [{ path: "spec.cpu.count", base: 2, mine: 4, theirs: 8, conflict: true }],
    },
    {
      why: "which are the same: nothing to tell",
      mine: { spec: { ...base.spec, host: "b" } },
      theirs: { spec: { ...base.spec, host: "b" } },
      merged: { spec: { ...base.spec, host: "b" } },
      told: [],
    },
    {
      why: "new items of named lists, on both sides",
      mine: { spec: { ...base.spec, disks: [{ name: "x", size: "2Gi" }, { name: "mine" }] } },
      theirs: { spec: { ...base.spec, disks: [{ name: "theirs" }, { name: "x", size: "1Gi" }] } },
      merged: { spec: { ...base.spec, disks: [{ name: "theirs" }, { name: "x", size: "2Gi" }, { name: "mine" }] } },
      told: [
        { path: "spec.disks[theirs]", base: undefined, mine: undefined, theirs: { name: "theirs" }, conflict: false },
      ],
    },
    {
      why: "a field taken off by one, left by the other",
      mine: { spec: { host: "a", disks: base.spec.disks, order: base.spec.order } },
      theirs: { spec: { ...base.spec, host: "c" } },
      merged: { spec: { host: "c", disks: base.spec.disks, order: base.spec.order } },
      told: [{ path: "spec.host", base: "a", mine: "a", theirs: "c", conflict: false }],
    },
    {
      why: "an ordered list is one value",
      mine: { spec: { ...base.spec, order: [2, 1] } },
      theirs: { spec: { ...base.spec, order: [1, 2, 3] } },
      merged: { spec: { ...base.spec, order: [2, 1] } },
      told: [{ path: "spec.order", base: [1, 2], mine: [2, 1], theirs: [1, 2, 3], conflict: true }],
    },
  ])("$why", ({ mine, theirs, choices, merged, told }) => {
    expect(rebased(base, mine, theirs, choices ? new Map(choices) : none)).toEqual(merged);
    expect(changesBetween(base, mine, theirs)).toEqual(told);
  });

  it("loses nothing of either when nothing collides", () => {
    const values = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.nat(3), { maxKeys: 3 });
    fc.assert(
      fc.property(values, values, (left, right) => {
        const mine = { ...base, spec: { ...base.spec, left } };
        const theirs = { ...base, spec: { ...base.spec, right } };
        expect(rebased(base, mine, theirs, none)).toEqual({ ...base, spec: { ...base.spec, left, right } });
      }),
    );
  });
});

describe("what the server refuses", () => {
  const fields = [
    "metadata.name",
    "spec.memory.startup",
    "spec.memory.dynamic",
    "spec.ipv4.dnsServers",
    "spec.disks[1].name",
  ];

  it.each<{ why: string; path: string; at?: string; says?: string }>([
    { why: "at its own field", path: "metadata.name", at: "metadata.name", says: "no" },
    {
      why: "inside a group, at the group, with the part that is meant",
      path: "spec.ipv4.dnsServers[2]",
      at: "spec.ipv4.dnsServers",
      says: "[2]: no",
    },
    { why: "a group as a whole, at its first field", path: "spec.memory", at: "spec.memory.startup", says: "no" },
    { why: "a field of another item is another field", path: "spec.disks[10].name" },
    { why: "a field that is not on the screen", path: "spec.hostSelector" },
    { why: "the object as a whole", path: "" },
    { why: "all of spec is no field's", path: "spec" },
  ])("stands $why", ({ path, at, says }) => {
    const { at: found, loose } = placed([{ path, message: "no" }], fields);
    expect([...found]).toEqual(at === undefined ? [] : [[at, [says]]]);
    expect(loose).toEqual(at === undefined ? [{ path, message: "no" }] : []);
  });
});

describe("what the CRD says of a field", () => {
  it("is found through groups, lists and embedded specs", () => {
    expect(schemaOf("VirtualMachine", "spec.cpu.count")).toMatchObject({ minimum: 1, maximum: 2048 });
    expect(schemaOf("ManagedDeployment", "spec.disks[3].spec.source.type")?.enum).toEqual(
      expect.arrayContaining(["Blank", "Image"]),
    );
    expect(schemaOf("VirtualMachine", "spec.nothing.here")).toBeUndefined();
    expect(schemaOf("Secret", "data")).toBeUndefined();
  });
});
