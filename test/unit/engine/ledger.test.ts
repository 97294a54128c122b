import fc from "../../support/fc.ts";
import { expect, it } from "vitest";
import { annotations } from "../../../src/api/annotations.ts";
import type { VMHost, VirtualDisk, VirtualMachine } from "../../../src/api/generated/types.ts";
import { keyOf, keyText, type Resource } from "../../../src/api/resource.ts";
import { allocations, placementIn } from "../../../src/engine/ledger.ts";
import type { World } from "../../../src/engine/ports.ts";

const GIB = 2 ** 30;
const hosts = ["a", "b", "c"];

interface Thing {
  readonly kind: "VirtualMachine" | "VirtualDisk";
  readonly annotation: string | undefined;
  readonly spec: string | undefined;
  readonly assumed: string | undefined;
  readonly size: number;
}

const place = fc.option(fc.constantFrom(...hosts), { nil: undefined });
const thing: fc.Arbitrary<Thing> = fc.record({
  kind: fc.constantFrom("VirtualMachine", "VirtualDisk"),
  annotation: place,
  spec: place,
  assumed: place,
  size: fc.integer({ min: 1, max: 8 }),
});

const resource = ({ kind, annotation, spec: host, size }: Thing, index: number): Resource => {
  const own =
    kind === "VirtualMachine"
      ? { cpu: { count: size }, memory: { startup: `${size}Gi` } }
      : { source: { type: "Blank" }, size: `${size}Gi`, diskType: "Fixed" };
  return {
    apiVersion: "aetherv.io/v1alpha1",
    kind,
    metadata: {
      name: `n${index}`,
      namespace: "default",
      uid: `uid-${index}`,
      generation: 1,
      resourceVersion: "1",
      creationTimestamp: "2026-01-01T00:00:00Z",
      ...(annotation !== undefined && { annotations: { [annotations.host]: annotation } }),
    },
    spec: { ...own, ...(host !== undefined && { host }) },
  };
};

const vmHost = (name: string): VMHost =>
  ({
    kind: "VMHost",
    metadata: { name, uid: `host-${name}` },
    spec: { storageClasses: [{ name: "standard", path: "D:\\VMs", default: true }] },
  }) as unknown as VMHost;

const storage = [{ path: "d:\\vms", volume: "V", freeBytes: 0, totalBytes: 0 }];
const snapshot = {
  version: 1,
  vms: new Map([["x", { id: "x", cpu: { count: 2 }, memory: { startupBytes: GIB } }]]),
  host: { storage, images: [] },
  vmsOf: () => [],
  disksOf: () => [],
};

const worldOf = (all: readonly Resource[], assumedHosts: ReadonlyMap<string, string>): World => {
  const lists = Map.groupBy([...all, ...hosts.map(vmHost)] as readonly Resource[], ({ kind }) => kind);
  return {
    objects: {
      get: (key: Parameters<World["objects"]["get"]>[0]) =>
        lists.get(key.kind)?.find(({ metadata }) => metadata.name === key.name),
      list: (kind: string) => lists.get(kind) ?? [],
    },
    host: () => ({ snapshot }),
    assumedHosts,
  } as unknown as World;
};

/** One by one, without anything remembered. */
const simply = (world: World, all: readonly Resource[], host: string, except: string | undefined) => {
  const here = all.filter((one) => one.metadata.uid !== except && placementIn(world, one as VirtualMachine) === host);
  const machines = here.filter(({ kind }) => kind === "VirtualMachine") as readonly VirtualMachine[];
  const disks = here.filter(({ kind }) => kind === "VirtualDisk") as readonly VirtualDisk[];
  const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
  return {
    cpu: 2 + sum(machines.map(({ spec }) => spec.cpu?.count ?? 0)),
    memory: GIB * (1 + sum(machines.map(({ spec }) => Number.parseInt(spec.memory?.startup ?? "", 10)))),
    storage: GIB * sum(disks.map(({ spec }) => Number.parseInt(spec.size ?? "", 10))),
  };
};

it("what is spoken for on a host is the same, remembered or added up anew, whoever was just placed", () => {
  fc.assert(
    fc.property(fc.array(thing, { maxLength: 12 }), fc.nat(12), (things, except) => {
      const all = things.map(resource);
      const assumed = things.flatMap((one, index): [string, string][] =>
        one.assumed === undefined ? [] : [[keyText(keyOf(resource(one, index))), one.assumed]],
      );
      const world = worldOf(all, new Map(assumed));
      // Without an exception first, so that there is something remembered.
      for (const uid of [undefined, `uid-${except}`, undefined])
        for (const host of hosts) {
          const { cpu, memory, storage: volumes } = allocations(world, uid)(host);
          expect({ cpu, memory, storage: volumes.get("V") ?? 0 }).toEqual(simply(world, all, host, uid));
        }
    }),
    { numRuns: 300 },
  );
});
