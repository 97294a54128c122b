import { describe, expect, it } from "vitest";
import { keyOf, keyText, type Key, type Resource } from "../../../src/api/resource.ts";
import { fieldDiff } from "../../../src/app/plan/diff.ts";
import { planObjects } from "../../../src/app/plan/planner.ts";
import type { Decision, Kind, Objects, Step, World } from "../../../src/engine/ports.ts";
import { storedObject } from "../../support/storedObject.ts";

describe("what differs between two specs", () => {
  it.each([
    { why: "nothing", from: { a: 1 }, to: { a: 1 }, diff: [] },
    { why: "a leaf", from: { a: { b: 1 } }, to: { a: { b: 2 } }, diff: [{ path: "spec.a.b", from: 1, to: 2 }] },
    { why: "a new member", from: {}, to: { a: { b: 1 } }, diff: [{ path: "spec.a", to: { b: 1 } }] },
    { why: "a removed member", from: { a: 1 }, to: {}, diff: [{ path: "spec.a", from: 1 }] },
    {
      why: "an item by its name, wherever it stands",
      from: {
        l: [
          { name: "x", v: 1 },
          { name: "y", v: 1 },
        ],
      },
      to: {
        l: [
          { name: "y", v: 2 },
          { name: "x", v: 1 },
        ],
      },
      diff: [{ path: "spec.l[name=y].v", from: 1, to: 2 }],
    },
    {
      why: "a plain list as a whole",
      from: { l: [1] },
      to: { l: [2] },
      diff: [{ path: "spec.l", from: [1], to: [2] }],
    },
  ])("$why", ({ from, to, diff }) => expect(fieldDiff(from, to, "spec")).toEqual(diff));
});

const now = new Date("2026-01-01T00:00:00Z");

const disk = (name: string, size: string, metadata: Partial<Resource["metadata"]> = {}): Resource =>
  storedObject("VirtualDisk", name, {
    metadata,
    spec: { source: { type: "Blank" }, size, managementPolicy: "Manage", deletionProtection: false },
  });

/** A kind whose host holds `present`, by name and size, and that places first, as the real ones do. */
const diskKind = (present: Readonly<Record<string, string>>): Kind => ({
  kind: "VirtualDisk",
  refs: () => [],
  decide: (resource): Decision => {
    const placed = resource.metadata.annotations?.["aetherv.io/host"];
    if (placed === undefined)
      return { metadata: { annotations: { "aetherv.io/host": "hv1" } }, plan: [], act: { do: "nothing" } };
    const { size } = resource.spec as { size: string };
    const have = present[resource.metadata.name];
    const operation = have === undefined ? "disk.create" : "disk.update";
    const change = { path: "spec.size", to: size, ...(have === undefined ? {} : { from: have }) };
    const step = { operation, spec: {}, effect: "Hot", changes: [change] } as unknown as Step;
    return { plan: have === size ? [] : [step], act: { do: "nothing" } };
  },
});

const objectsOf = (...resources: readonly Resource[]): Objects => ({
  get: (key: Key) => resources.find((one) => keyText(keyOf(one)) === keyText(key)),
  list: (kind) => resources.filter((one) => one.kind === kind),
});

const placed = { annotations: { "aetherv.io/host": "hv1" } };

const plan = (stored: readonly Resource[], documents: readonly Resource[], removed: readonly Resource[] = []) =>
  planObjects({
    objects: objectsOf(...stored),
    kinds: [diskKind({ a: "10Gi", b: "10Gi" })],
    documents: documents.map((object) => ({ object, place: { file: "d.yaml", line: 1 } })),
    removed,
    now,
    uuid: () => "new-uid",
    world: (_, over) => over as World,
  });

describe("a plan over edited documents", () => {
  const stored = [disk("a", "10Gi", placed), disk("b", "10Gi", placed)];

  it("is empty when nothing was edited", () => expect(plan(stored, stored).objects).toEqual([]));

  it("has the edited field alone, and leaves the stored object as it is", () => {
    const { objects, summary } = plan(stored, [disk("a", "20Gi")]);
    expect(objects).toMatchObject([
      { action: "update", host: "hv1", changes: [{ path: "spec.size", from: "10Gi", to: "20Gi", effect: "Hot" }] },
    ]);
    expect(summary).toEqual({ create: 0, adopt: 0, update: 1, delete: 0 });
    expect(stored[0]?.spec).toMatchObject({ size: "10Gi" });
  });

  it("goes on from a placement to what follows it", () => {
    const { objects } = plan(stored, [disk("c", "5Gi")]);
    expect(objects).toMatchObject([{ action: "create", host: "hv1", changes: [{ path: "spec.size", to: "5Gi" }] }]);
  });

  it("lists an edit that changes nothing on the host as recorded only", () => {
    const edited = disk("a", "10Gi");
    const { objects } = plan(stored, [{ ...edited, spec: { ...(edited.spec as object), deletionProtection: true } }]);
    expect(objects[0]?.changes).toEqual([
      {
        path: "spec.deletionProtection",
        from: false,
        to: true,
        effect: "Hot",
        operation: "none",
        reason: "nothing changes on the host now",
      },
    ]);
  });

  it("refuses what the model refuses: a disk never shrinks", () => {
    const { objects, problems } = plan(stored, [disk("a", "5Gi")]);
    expect(objects).toEqual([]);
    expect(problems).toMatchObject([{ file: "d.yaml", line: 1, path: "spec.size" }]);
  });

  it("refuses a new document that the model refuses, at its field", () => {
    const wrong = { ...disk("n", "10Gi"), spec: { source: { type: "Blank" }, size: "10 GB", colour: "red" } };
    const { objects, problems } = plan(stored, [wrong]);
    expect(objects).toEqual([]);
    expect(problems.map(({ path }) => path)).toEqual(expect.arrayContaining(["spec.size", "spec.colour"]));
  });

  it.each([undefined, null, 5, {}, { kind: "VirtualDisk" }, { kind: "VirtualDisk", metadata: {} }])(
    "refuses %j, which is no object",
    (object) => {
      const { objects, problems } = plan(stored, [object as unknown as Resource]);
      expect(objects).toEqual([]);
      expect(problems).not.toEqual([]);
    },
  );

  it("takes defaults for what a document leaves out, so that they are no edit", () => {
    const bare = { ...disk("a", "10Gi"), spec: { source: { type: "Blank" }, size: "10Gi" } };
    expect(plan(stored, [bare]).objects).toEqual([]);
  });

  it("tells an object that is stuck with nothing to be done: the hosts are not as declared", () => {
    const conditions = [{ type: "Stalled", status: "True", reason: "HostMismatch", message: "on hv2" }];
    const stuck: Kind = {
      ...diskKind({}),
      decide: () => ({ plan: [], act: { do: "nothing" }, status: { conditions } }),
    };
    const input = { objects: objectsOf(...stored.slice(0, 1)), documents: [], removed: [], now, uuid: () => "new-uid" };
    const { objects } = planObjects({ ...input, kinds: [stuck], world: (_, over) => over as World });
    expect(objects).toMatchObject([{ changes: [], blocked: { reason: "HostMismatch", message: "on hv2" } }]);
  });

  it("tells what becomes of a removed disk", () => {
    const { objects, summary } = plan(stored, [], [disk("b", "10Gi", placed)]);
    expect(objects).toMatchObject([{ action: "delete", note: "the disk goes to the trash, kept 24h", changes: [] }]);
    expect(summary.delete).toBe(1);
  });
});
