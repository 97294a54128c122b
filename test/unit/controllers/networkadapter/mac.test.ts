import { expect, it } from "vitest";
import { macsElsewhere } from "../../../../controllers/networkadapter/mac.ts";
import type { Surroundings } from "../../../../controllers/networkadapter/scene.ts";
import type { NetworkAdapter } from "../../../../src/api/generated/types.ts";
import type { Resource, SnapshotView } from "../../../../src/engine/ports.ts";

const pool = { minimum: "00155D010200", maximum: "00155D0102FF" };

const adapter = (uid: string, macs: { spec?: string; status?: string } = {}): NetworkAdapter =>
  ({
    kind: "NetworkAdapter",
    metadata: { name: uid, namespace: "default", uid },
    spec: { virtualMachine: "vm", ...(macs.spec !== undefined && { macAddress: macs.spec }) },
    status: macs.status === undefined ? {} : { macAddress: macs.status },
  }) as unknown as NetworkAdapter;

const snapshotOf = (macs: readonly string[], macPool: object | undefined): SnapshotView =>
  ({ host: macPool && { macPool }, version: 1, macs: () => macs }) as unknown as SnapshotView;

/** Three hosts, the new adapter on the first, whose own machines' addresses its agent knows. */
const around = (adapters: readonly NetworkAdapter[], macPool: object | undefined = pool): Surroundings => {
  const snapshots: Readonly<Record<string, SnapshotView>> = {
    a: snapshotOf(["00155D010201"], macPool),
    b: snapshotOf(["00155D010207", "00155D010307"], pool),
    c: snapshotOf(["00155D010205", "FE0000000001"], pool),
  };
  const hosts = Object.keys(snapshots).map((name) => ({ kind: "VMHost", metadata: { name } }) as unknown as Resource);
  const world = {
    objects: { get: () => undefined, list: (kind: string) => (kind === "VMHost" ? hosts : adapters) },
    host: (name: string) => ({ snapshot: snapshots[name] }),
  };
  const [self] = adapters;
  return { adapter: self, world, hostName: "a", snapshot: snapshots["a"] } as unknown as Surroundings;
};

it("a new adapter gets no address of its host's pool that another host has or another adapter keeps", () => {
  const others = [
    adapter("kept", { status: "00:15:5D:01:02:03" }),
    adapter("wanted", { spec: "00:15:5d:01:02:ff" }),
    adapter("elsewhere", { status: "00:15:5D:01:03:03" }),
  ];
  expect(macsElsewhere(around([adapter("self"), ...others]))).toEqual([
    "00155D010203",
    "00155D010205",
    "00155D010207",
    "00155D0102FF",
  ]);
});

it("its own address is no one else's, unless another adapter has it too", () => {
  const self = adapter("self", { status: "00:15:5D:01:02:09" });
  expect(macsElsewhere(around([self]))).toEqual(["00155D010205", "00155D010207"]);
  const twin = adapter("twin", { status: "00:15:5D:01:02:09" });
  expect(macsElsewhere(around([self, twin]))).toContain("00155D010209");
});

it("while the pool is not known all addresses count", () => {
  const surroundings = around([adapter("self")]);
  const unknown = { ...surroundings, snapshot: { ...surroundings.snapshot, host: undefined } };
  expect(macsElsewhere(unknown as unknown as Surroundings)).toEqual([
    "00155D010205",
    "00155D010207",
    "00155D010307",
    "FE0000000001",
  ]);
});
