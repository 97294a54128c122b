import fc from "../../support/fc.ts";
import { describe, expect, it } from "vitest";
import { annotations } from "../../../src/api/annotations.ts";
import {
  batchName,
  fileModeGuard,
  holds,
  kubernetesModeGuard,
  type FinishedDeletion,
} from "../../../src/engine/massDelete.ts";
import type { Resource } from "../../../src/engine/ports.ts";
import { storedObject } from "../../support/storedObject.ts";

const now = new Date("2026-01-01T12:00:00Z");
const minutesAgo = (minutes: number): string => new Date(now.getTime() - minutes * 60_000).toISOString();

interface Shape {
  readonly host?: string;
  /** Minutes since deletion was asked for. */
  readonly deleting?: number;
  readonly pinned?: string;
  readonly confirm?: string;
}

const object = (name: string, { host = "hv1", deleting, pinned, confirm }: Shape = {}): Resource =>
  storedObject("VirtualDisk", name, {
    metadata: {
      creationTimestamp: minutesAgo(99),
      ...(deleting !== undefined && { deletionTimestamp: minutesAgo(deleting) }),
      annotations: { [annotations.host]: host, ...(confirm !== undefined && { [annotations.confirmDelete]: confirm }) },
    },
    spec: {},
    ...(pinned !== undefined && { status: { deletionBatch: pinned } }),
  });

const many = (count: number, shape: Shape, prefix = "x"): Resource[] =>
  Array.from({ length: count }, (_, index) => object(`${prefix}${index}`, shape));
const finished = (count: number, minutes: number, host = "hv1"): FinishedDeletion[] =>
  Array.from({ length: count }, (_, index) => ({ uid: `gone-${index}`, host, at: now.getTime() - minutes * 60_000 }));

describe("who is held", () => {
  const cases: {
    why: string;
    objects: Resource[];
    gone?: FinishedDeletion[];
    settings?: typeof fileModeGuard;
    held: number;
  }[] = [
    { why: "three of few are allowed", objects: [...many(3, { deleting: 0 }), ...many(1, {}, "y")], held: 0 },
    { why: "a fourth of few holds all four", objects: [...many(4, { deleting: 0 }), ...many(5, {}, "y")], held: 4 },
    { why: "30 % of many are allowed", objects: [...many(6, { deleting: 0 }), ...many(14, {}, "y")], held: 0 },
    { why: "more than 30 % of many", objects: [...many(7, { deleting: 0 }), ...many(13, {}, "y")], held: 7 },
    {
      why: "all of one small host, though few of all",
      objects: [...many(5, { deleting: 0, host: "hv2" }), ...many(95, {}, "y")],
      held: 5,
    },
    {
      why: "deletions finished a while ago count",
      objects: [...many(1, { deleting: 0 }), ...many(5, {}, "y")],
      gone: finished(3, 9),
      held: 1,
    },
    {
      why: "those of another host count for all only",
      objects: [...many(2, { deleting: 0 }), ...many(4, {}, "y"), ...many(20, { host: "hv2" }, "z")],
      gone: finished(3, 1, "hv2"),
      held: 0,
    },
    {
      why: "those before the window do not",
      objects: [...many(1, { deleting: 0 }), ...many(5, {}, "y")],
      gone: finished(3, 11),
      held: 0,
    },
    {
      why: "asked for long ago, while nothing ran",
      objects: [...many(4, { deleting: 600 }), ...many(4, {}, "y")],
      held: 4,
    },
    {
      why: "once pinned, held though few are left",
      objects: [...many(1, { deleting: 60, pinned: "b" }), ...many(20, {}, "y")],
      held: 1,
    },
    {
      why: "confirmed ones go and do not count",
      objects: [...many(9, { deleting: 0, pinned: "b", confirm: "b" }), ...many(1, { deleting: 0 }, "z")],
      held: 0,
    },
    {
      why: "one object's annotation speaks for its batch",
      objects: [...many(4, { deleting: 0, pinned: "b" }), object("z", { deleting: 0, pinned: "b", confirm: "b" })],
      held: 0,
    },
    {
      why: "and for no other",
      objects: [...many(4, { deleting: 0, pinned: "c" }), object("z", { deleting: 0, pinned: "b", confirm: "b" })],
      held: 4,
    },
    { why: "confirmed for another batch", objects: many(4, { deleting: 0, pinned: "b", confirm: "c" }), held: 4 },
    { why: "confirmed before a batch was shown", objects: many(4, { deleting: 0, confirm: "b" }), held: 4 },
    {
      why: "a higher floor in Kubernetes mode",
      objects: many(10, { deleting: 0 }),
      settings: kubernetesModeGuard,
      held: 0,
    },
    { why: "nothing is deleted", objects: many(4, {}), held: 0 },
  ];
  it.each(cases)("$why", ({ objects, gone = [], settings = fileModeGuard, held }) => {
    expect(holds(objects, gone, { now, settings }).size).toBe(held);
  });
});

describe("batches", () => {
  const batch = (objects: readonly Resource[], name: string): string | undefined =>
    holds(objects, [], { now, settings: fileModeGuard }).get(`uid-${name}`)?.batch;

  it("have eight hexadecimal digits over the uids, in any order", () => {
    expect(batchName(["a", "b"])).toMatch(/^[0-9a-f]{8}$/);
    expect(batchName(["a", "b"])).toBe(batchName(["b", "a"]));
    expect(batchName(["a", "b"])).not.toBe(batchName(["a", "c"]));
  });
  it("stay once shown", () => {
    expect(batch(many(4, { deleting: 5, pinned: "11112222" }), "x0")).toBe("11112222");
  });
  it("take in who went at about the same time, and nobody later", () => {
    const shown = many(4, { deleting: 5, pinned: "11112222" });
    expect(batch([...shown, object("same", { deleting: 4.5 })], "same")).toBe("11112222");
    expect(batch([...shown, object("later", { deleting: 1 })], "later")).toBe(batchName(["uid-later"]));
  });
  it("are named in the message with the way out", () => {
    const hold = holds(many(4, { deleting: 0 }), [], { now, settings: fileModeGuard }).get("uid-x0");
    expect(hold?.message).toContain(hold?.batch);
    expect(hold?.message).toContain("4 of 4 objects");
    expect(hold?.message).toContain("aetherv confirm-delete");
  });
});

it("never lets more than the limit go unconfirmed, of all or of a host", () => {
  const shape = fc.record({ host: fc.constantFrom("hv1", "hv2"), deleting: fc.boolean() });
  fc.assert(
    fc.property(fc.array(shape, { maxLength: 40 }), (shapes) => {
      const objects = shapes.map(({ host, deleting }, index) =>
        object(`o${index}`, { host, ...(deleting && { deleting: 0 }) }),
      );
      const held = holds(objects, [], { now, settings: fileModeGuard });
      for (const group of [objects, objects.filter((one) => one.metadata.annotations?.[annotations.host] === "hv1")]) {
        const going = group.filter(
          ({ metadata }) => metadata.deletionTimestamp !== undefined && !held.has(metadata.uid),
        );
        expect(going.length).toBeLessThanOrEqual(Math.max(3, 0.3 * group.length));
      }
      for (const { metadata } of objects) if (held.has(metadata.uid)) expect(metadata.deletionTimestamp).toBeDefined();
    }),
  );
});
