import fc from "../../support/fc.ts";
import { beforeEach, describe, expect, it } from "vitest";
import { HostSnapshot, changedAnything } from "../../../src/engine/snapshot.ts";
import { pathKey } from "../../../src/engine/paths.ts";
import { heldPaths, validStampUid } from "../../../src/engine/snapshotIndex.ts";
import type { Delta, InventoryData, VmState } from "../../../src/protocol/generated/types.ts";
import { attachedDisk, diskState, guid, hostState, stampOf, vmState } from "../../support/states.ts";

const at = new Date("2026-01-01T00:00:00Z");
const inventory = (observed: Delta, over: Partial<InventoryData> = {}): InventoryData => ({
  digest: "d",
  full: true,
  complete: true,
  unknown: [],
  observed,
  ...over,
});

const web = vmState({
  id: guid(1),
  stamp: stampOf(guid(1), "uid-web"),
  disks: [attachedDisk("D:\\Disks\\web.avhdx", { chain: ["D:\\Disks\\web.avhdx", "D:\\Disks\\web.vhdx"] })],
});
const disk = diskState({ path: "D:\\Disks\\web.vhdx", uid: "uid-disk", diskId: guid(50) });

let snapshot: HostSnapshot;
beforeEach(() => {
  snapshot = new HostSnapshot("cp-1");
});

describe("what is found", () => {
  beforeEach(() => {
    snapshot.foldInventory(inventory({ vms: { upsert: [web] }, disks: { upsert: [disk] }, host: hostState() }), at);
  });

  it("finds a machine by its stamp's uid and a file by uid, identifier and any spelling of its path", () => {
    expect(snapshot.vmsOf("uid-web")).toEqual([web]);
    expect(snapshot.disksOf("uid-disk")).toEqual([disk]);
    expect(snapshot.diskById(guid(50).toUpperCase())).toEqual([disk]);
    expect(snapshot.disks.get("d:/disks/WEB.vhdx")).toEqual(disk);
  });

  it("finds holders by any path of the chain", () => {
    expect(snapshot.holders("d:\\disks\\web.vhdx")).toEqual([{ vm: web, disk: web.disks[0] }]);
    expect(snapshot.holders("D:\\Disks\\other.vhdx")).toEqual([]);
  });

  it("finds children by their parent", () => {
    const child = diskState({ path: "D:\\Disks\\c.vhdx", diskType: "Differencing", parentPath: "d:\\DISKS\\web.vhdx" });
    snapshot.fold({ disks: { upsert: [child] } }, { at });
    expect(snapshot.children("D:\\Disks\\web.vhdx")).toEqual([child]);
    snapshot.fold({ disks: { remove: [child.path] } }, { at });
    expect(snapshot.children("D:\\Disks\\web.vhdx")).toEqual([]);
  });

  it("takes a file's identifier from the machine that has it open", () => {
    const locked = diskState({ path: "D:\\Disks\\locked.vhdx", busy: "attached and running" });
    snapshot.fold({ disks: { upsert: [locked] } }, { at });
    expect(snapshot.diskById(guid(51))).toEqual([]);
    snapshot.fold({ vms: { upsert: [{ ...web, disks: [attachedDisk(locked.path, { diskId: guid(51) })] }] } }, { at });
    expect(snapshot.diskById(guid(51))).toMatchObject([{ path: locked.path }]);
  });
});

describe("whose stamp counts", () => {
  const cases: { why: string; vm: Partial<VmState>; found: boolean }[] = [
    { why: "its own id", vm: { stamp: stampOf(guid(1), "u") }, found: true },
    { why: "a copy carries the id of its original", vm: { stamp: stampOf(guid(2), "u") }, found: false },
    { why: "another control plane", vm: { stamp: stampOf(guid(1), "u", { controlPlaneId: "cp-2" }) }, found: false },
    { why: "a replica", vm: { stamp: stampOf(guid(1), "u"), replica: true }, found: false },
    { why: "none", vm: {}, found: false },
  ];
  it.each(cases)("$why: $found", ({ vm, found }) => {
    snapshot.fold({ vms: { upsert: [vmState({ id: guid(1), ...vm })] } }, { at });
    expect(snapshot.vmsOf("u")).toHaveLength(found ? 1 : 0);
  });
});

describe("what a fold reports", () => {
  it("nothing for the same state again", () => {
    const answer = inventory({ vms: { upsert: [web] }, disks: { upsert: [disk] }, host: hostState() });
    snapshot.foldInventory(answer, at);
    const again = snapshot.foldInventory(structuredClone(answer), at);
    expect(changedAnything(again)).toBe(false);
    expect(changedAnything(snapshot.fold(structuredClone(answer.observed), { at }))).toBe(false);
  });

  it("the owners of the files that a changed machine holds, before and after", () => {
    const answer = inventory({ vms: { upsert: [web] }, disks: { upsert: [disk] } });
    snapshot.foldInventory(answer, at);
    const change = snapshot.fold({ vms: { upsert: [{ ...web, disks: [] }] } }, { at });
    expect([...change.uids].sort()).toEqual(["uid-disk", "uid-web"]);
    expect([...change.vmIds]).toEqual([guid(1)]);
    expect(change.host).toBe(false);
  });

  it("the host when a thing without owner changes", () => {
    expect(snapshot.fold({ vms: { upsert: [vmState({ id: guid(9) })] } }, { at }).host).toBe(true);
    expect(snapshot.fold({ host: hostState() }, { at }).host).toBe(true);
  });

  it("the object whose item left the trash", () => {
    const item = {
      path: "D:\\Disks\\.trash\\a.vhdx",
      originalPath: "D:\\Disks\\a.vhdx",
      owner: { kind: "VirtualDisk" as const, namespace: "default", name: "a", uid: "uid-a" },
      deletedAt: at.toISOString(),
      purgeAt: at.toISOString(),
      size: 1,
      fileSize: 1,
    };
    expect([...snapshot.fold({ trash: { upsert: [item] } }, { at }).uids]).toEqual(["uid-a"]);
    expect([...snapshot.foldInventory(inventory({}), at).uids]).toEqual(["uid-a"]);
    expect(snapshot.trash.size).toBe(0);
  });
});

describe("absence", () => {
  it("counts complete inventories in a row that lack the machine", () => {
    snapshot.foldInventory(inventory({ vms: { upsert: [web] } }), at);
    expect(snapshot.absentFor(guid(1))).toBe(0);
    snapshot.foldInventory(inventory({}), at);
    expect(snapshot.absentFor(guid(1))).toBe(1);
    snapshot.foldInventory(inventory({}, { full: false }), at);
    expect(snapshot.absentFor(guid(1))).toBe(2);
    snapshot.foldInventory(inventory({ vms: { upsert: [web] } }), at);
    expect(snapshot.absentFor(guid(1))).toBe(0);
  });

  it("counts those since the start for a machine never seen", () => {
    snapshot.foldInventory(inventory({}), at);
    snapshot.foldInventory(inventory({}), at);
    expect(snapshot.absentFor(guid(7))).toBe(2);
  });

  it("begins anew after an incomplete inventory", () => {
    snapshot.foldInventory(inventory({ vms: { upsert: [web] } }), at);
    snapshot.foldInventory(inventory({}), at);
    snapshot.foldInventory(inventory({}, { complete: false }), at);
    expect(snapshot.absentFor(guid(1))).toBe(0);
    snapshot.foldInventory(inventory({}), at);
    expect(snapshot.absentFor(guid(1))).toBe(1);
  });

  it("is not concluded from an incomplete answer: the thing stays, as unknown", () => {
    snapshot.foldInventory(inventory({ vms: { upsert: [web] }, disks: { upsert: [disk] } }), at);
    snapshot.foldInventory(inventory({}, { complete: false }), at);
    expect(snapshot.vms.get(guid(1))).toEqual(web);
    expect(snapshot.unknownIds.has(guid(1))).toBe(true);
    expect(snapshot.unknownIds.has("d:\\disks\\WEB.vhdx")).toBe(true);
    expect(snapshot.complete).toBe(false);
  });

  it("leaves a part alone that could not be read, and asks again when it speaks of removals", () => {
    snapshot.foldInventory(inventory({ vms: { upsert: [web] }, disks: { upsert: [disk] } }), at);
    const change = snapshot.foldInventory(
      inventory(
        { vms: { upsert: [web] }, disks: { remove: [disk.path] } },
        { complete: false, full: false, unknown: [{ part: "disks", message: "no rights" }] },
      ),
      at,
    );
    expect(snapshot.disks.get(disk.path)).toEqual(disk);
    expect(snapshot.unknownIds.has(disk.path)).toBe(true);
    expect([...snapshot.unknownParts]).toEqual(["disks"]);
    expect(change.again).toBe(true);
  });

  it("ends an unknown machine's doubt when it is seen, and when a complete answer lacks it", () => {
    snapshot.foldInventory(inventory({ vms: { unknown: [guid(1)] } }), at);
    expect(snapshot.unknownIds.has(guid(1))).toBe(true);
    expect(snapshot.absentFor(guid(1))).toBe(0);
    snapshot.foldInventory(inventory({ vms: { upsert: [web] } }), at);
    expect(snapshot.unknownIds.size).toBe(0);
    snapshot.foldInventory(inventory({ vms: { unknown: [guid(1)] } }), at);
    expect(snapshot.vms.get(guid(1))).toEqual(web);
    snapshot.foldInventory(inventory({}), at);
    expect(snapshot.unknownIds.size).toBe(0);
    expect(snapshot.vms.size).toBe(0);
  });
});

describe("an answer that began before a job's observation", () => {
  it("does not overwrite it, nor remove what the job made", () => {
    const mark = snapshot.mark();
    snapshot.fold({ vms: { upsert: [{ ...web, state: "Running" }] }, disks: { upsert: [disk] } }, { at });
    const change = snapshot.foldInventory(inventory({ vms: { upsert: [web] } }), at, mark);
    expect(snapshot.vms.get(guid(1))?.state).toBe("Running");
    expect(snapshot.disks.size).toBe(1);
    expect(change.again).toBe(true);
  });

  it("does not bring back what the job removed", () => {
    snapshot.foldInventory(inventory({ vms: { upsert: [web] } }), at);
    const mark = snapshot.mark();
    snapshot.fold({ vms: { remove: [guid(1)] } }, { at });
    snapshot.foldInventory(inventory({ vms: { upsert: [web] } }), at, mark);
    expect(snapshot.vms.size).toBe(0);
    snapshot.foldInventory(inventory({}), at);
    expect(snapshot.absentFor(guid(1))).toBeGreaterThan(0);
  });
});

// Random histories: whatever the order of folds, the indexes say what a search through everything says.
const paths = ["D:\\a.vhdx", "d:\\A.VHDX", "D:\\b.vhdx", "D:\\c.vhdx"];
const anyVm = fc.record({
  number: fc.integer({ min: 1, max: 4 }),
  stamp: fc.integer({ min: 1, max: 4 }),
  uid: fc.constantFrom("u1", "u2"),
  disks: fc.subarray(paths),
});
const anyDisk = fc.record({
  path: fc.constantFrom(...paths),
  uid: fc.constantFrom("u1", "u2", undefined),
  id: fc.constantFrom(50, 51, undefined),
  parent: fc.constantFrom(...paths, undefined),
});
const anyDelta = fc
  .record({
    vms: fc.array(anyVm, { maxLength: 3 }),
    gone: fc.subarray([1, 2, 3, 4]),
    disks: fc.array(anyDisk, { maxLength: 3 }),
    lost: fc.subarray(paths),
    unknown: fc.subarray([1, 2]),
  })
  .map(({ vms, gone, disks, lost, unknown }): Delta => ({
    vms: {
      upsert: vms.map(({ number, stamp, uid, disks: held }) =>
        vmState({ id: guid(number), stamp: stampOf(guid(stamp), uid), disks: held.map((path) => attachedDisk(path)) }),
      ),
      remove: gone.map(guid),
      unknown: unknown.map(guid),
    },
    disks: {
      upsert: disks.map(({ path, uid, id, parent }) =>
        diskState({
          path,
          ...(uid && { uid }),
          ...(id && { diskId: guid(id) }),
          ...(parent && { parentPath: parent }),
        }),
      ),
      remove: lost,
    },
  }));
const anyStep = fc.record({ observed: anyDelta, kind: fc.constantFrom("job", "full", "changes", "incomplete") });

describe("random histories", () => {
  it("keep the indexes equal to a search through everything, and copies equal", () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 8 }), (steps) => {
        const lived = new HostSnapshot("cp-1");
        for (const { observed, kind } of steps) {
          if (kind === "job") lived.fold(observed, { at });
          else
            lived.foldInventory(inventory(observed, { full: kind !== "changes", complete: kind !== "incomplete" }), at);
          for (const one of [lived, lived.copy()]) check(one);
        }
      }),
    );
  });
});

const check = (one: HostSnapshot): void => {
  const vms = [...one.vms.values()];
  const disks = [...one.disks.values()];
  const sorted = <T extends { readonly id?: string; readonly path: string }>(things: readonly T[]): T[] =>
    [...things].sort((a, b) => (a.id ?? a.path).localeCompare(b.id ?? b.path));
  for (const uid of ["u1", "u2"]) {
    expect(sorted(one.vmsOf(uid))).toEqual(sorted(vms.filter((vm) => validStampUid(vm, "cp-1") === uid)));
    expect(sorted(one.disksOf(uid))).toEqual(sorted(disks.filter((known) => known.uid === uid)));
  }
  for (const path of paths) {
    expect(new Set(one.holders(path).map(({ vm }) => vm.id))).toEqual(
      new Set(vms.filter((vm) => heldPaths(vm).has(pathKey(path))).map((vm) => vm.id)),
    );
    expect(sorted(one.children(path))).toEqual(
      sorted(disks.filter(({ parentPath }) => parentPath !== undefined && pathKey(parentPath) === pathKey(path))),
    );
  }
  const stamped = vms.filter((vm) => validStampUid(vm, "cp-1") !== undefined);
  for (const { namespace = "", name = "" } of vms.flatMap(({ stamp }) => stamp ?? []))
    expect(sorted(one.vmsNamed(namespace, name))).toEqual(
      sorted(stamped.filter(({ stamp }) => stamp?.namespace === namespace && stamp.name === name)),
    );
  const macs = vms.flatMap(({ adapters }) => adapters.map(({ macAddress }) => macAddress));
  expect(new Set(one.macs())).toEqual(new Set(macs));
  for (const id of [50, 51])
    expect(sorted(one.diskById(guid(id)))).toEqual(sorted(disks.filter(({ diskId }) => diskId === guid(id))));
};
