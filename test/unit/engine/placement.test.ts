import fc from "../../support/fc.ts";
import { beforeEach, describe, expect, it } from "vitest";
import { annotations } from "../../../src/api/annotations.ts";
import { keyOf, keyText } from "../../../src/api/resource.ts";
import { allocations } from "../../../src/engine/ledger.ts";
import { placeVirtualDisk, placeVirtualMachine } from "../../../src/engine/placementRequest.ts";
import type { Placed } from "../../../src/engine/placement.ts";
import type { Key, Resource, World } from "../../../src/engine/ports.ts";
import type { VirtualDisk, VirtualMachine } from "../../../src/api/generated/types.ts";
import { FakeClock } from "../../support/clock.ts";
import { FakeHosts } from "../../support/fakeHosts.ts";
import { diskState, guid, hostState, stampOf, vmState } from "../../support/states.ts";

const GiB = 2 ** 30;

/** Objects and hosts of one test, seen as a decision sees them. */
class Yard {
  readonly objects = new Map<string, Resource>();
  readonly hosts = new FakeHosts({ clock: new FakeClock() });
  readonly assumed = new Map<string, string>();

  put(
    kind: string,
    name: string,
    spec: object,
    more: { readonly metadata?: object; readonly status?: object } = {},
  ): Resource {
    const made: Resource = {
      apiVersion: "aetherv.io/v1alpha1",
      kind,
      metadata: {
        name,
        uid: `uid-${name}`,
        generation: 1,
        resourceVersion: "1",
        creationTimestamp: "2026-01-01T00:00:00Z",
        ...(kind !== "VMHost" && { namespace: "default" }),
        ...more.metadata,
      },
      spec,
      ...(more.status && { status: more.status }),
    };
    this.objects.set(keyText(keyOf(made)), made);
    return made;
  }

  host(
    name: string,
    spec: object = {},
    state: Parameters<typeof hostState>[0] = {},
    labels: Record<string, string> = {},
  ): void {
    const classes = [
      { name: "fast", path: "C:\\VMs", default: true },
      { name: "big", path: "D:\\Disks" },
    ];
    const networks = [{ name: "lan", switchName: "External" }];
    this.put(
      "VMHost",
      name,
      { managementPolicy: "Manage", unschedulable: false, storageClasses: classes, networks, ...spec },
      { metadata: { labels } },
    );
    this.hosts.inventory(name, { host: hostState(state) });
  }

  vm(
    name: string,
    spec: object = {},
    more: { readonly metadata?: object; readonly status?: object } = {},
  ): VirtualMachine {
    return this.put(
      "VirtualMachine",
      name,
      { cpu: { count: 2 }, memory: { startup: "4Gi" }, ...spec },
      more,
    ) as VirtualMachine;
  }

  disk(
    name: string,
    spec: object = {},
    more: { readonly metadata?: object; readonly status?: object } = {},
  ): VirtualDisk {
    return this.put("VirtualDisk", name, { source: { type: "Blank" }, size: "10Gi", ...spec }, more) as VirtualDisk;
  }

  world(): World {
    const all = [...this.objects.values()];
    return {
      now: new Date(0),
      controlPlaneId: "cp-1",
      objects: {
        get: (key: Key) => this.objects.get(keyText(key)),
        list: (kind) => all.filter((one) => one.kind === kind),
      },
      referrers: ({ name }) =>
        all.filter(({ spec }) => {
          const { virtualMachine, attachment } = spec as {
            virtualMachine?: string;
            attachment?: { virtualMachine?: string };
          };
          return virtualMachine === name || attachment?.virtualMachine === name;
        }),
      host: (name) => this.hosts.host(name),
      assumedHosts: this.assumed,
    };
  }

  /** Places a machine, and keeps the placement as the engine does. */
  place(vm: VirtualMachine): Placed {
    const placed = placeVirtualMachine(vm, this.world());
    if (placed.at === "placed") this.assumed.set(keyText(keyOf(vm)), placed.host);
    return placed;
  }
}

const on = (host: string): object => ({ metadata: { annotations: { [annotations.host]: host } } });

let yard: Yard;
beforeEach(() => {
  yard = new Yard();
});

describe("where a machine goes", () => {
  beforeEach(() => {
    yard.host("hv1");
    yard.host("hv2");
  });
  const placed = (host: string): object => ({ at: "placed", host });

  it("to the first by name among equals, then to the freer one", () => {
    expect(yard.place(yard.vm("a"))).toEqual(placed("hv1"));
    expect(yard.place(yard.vm("b"))).toEqual(placed("hv2"));
    expect(yard.place(yard.vm("c"))).toEqual(placed("hv1"));
  });

  it("to the one with fewer unmanaged machines", () => {
    yard.hosts.inventory("hv1", {
      host: hostState(),
      vms: { upsert: [vmState({ id: guid(1), memory: { startupBytes: 64 * GiB, weight: 1 } })] },
    });
    expect(yard.place(yard.vm("a"))).toEqual(placed("hv2"));
  });

  it("where its stamp is, whatever else holds", () => {
    yard.hosts.inventory("hv2", {
      host: hostState(),
      vms: { upsert: [vmState({ id: guid(1), stamp: stampOf(guid(1), "uid-a") })] },
    });
    yard.host("hv1", { unschedulable: false });
    expect(yard.place(yard.vm("a", { host: "hv1" }))).toEqual(placed("hv2"));
  });

  it("where the selector says", () => {
    yard.host("hv3", {}, {}, { tier: "gold" });
    expect(yard.place(yard.vm("a", { hostSelector: { matchLabels: { tier: "gold" } } }))).toEqual(placed("hv3"));
    expect(
      yard.place(
        yard.vm("b", { hostSelector: { matchExpressions: [{ key: "tier", operator: "In", values: ["x"] }] } }),
      ),
    ).toMatchObject({
      at: "waiting",
      reason: "WaitingForHost",
      message: "No VMHost has the labels of spec.hostSelector (there are hv1, hv2, hv3).",
    });
  });

  it("where its disk is, or what its disk is made of", () => {
    yard.disk("data", { attachment: { virtualMachine: "a" } }, on("hv2"));
    expect(yard.place(yard.vm("a"))).toEqual(placed("hv2"));
    yard.disk("golden", {}, on("hv2"));
    yard.disk("copy", { source: { type: "VirtualDisk", disk: "golden" }, attachment: { virtualMachine: "b" } });
    expect(yard.place(yard.vm("b"))).toEqual(placed("hv2"));
  });

  it("nowhere while its disks are on two hosts", () => {
    yard.disk("one", { attachment: { virtualMachine: "a" } }, on("hv1"));
    yard.disk("two", { attachment: { virtualMachine: "a" } }, on("hv2"));
    expect(yard.place(yard.vm("a"))).toMatchObject({ at: "stalled", reason: "HostMismatch" });
    expect(yard.place(yard.vm("b", { host: "hv1" }))).toEqual(placed("hv1"));
  });

  it("nowhere before the disks that it names are declared and their source has a host", () => {
    const vm = yard.vm("a", { boot: { order: [{ type: "Disk", name: "root" }] } });
    expect(yard.place(vm)).toMatchObject({
      reason: "WaitingForReference",
      message: "There is no VirtualDisk root yet, and it may decide the host.",
    });
    yard.disk("golden");
    yard.disk("root", { source: { type: "VirtualDisk", disk: "golden" }, attachment: { virtualMachine: "a" } });
    expect(yard.place(vm)).toMatchObject({
      reason: "WaitingForReference",
      message: "VirtualDisk golden, which root is made of, has no host yet.",
    });
  });

  it("nowhere before all hosts had their say", () => {
    yard.put("VMHost", "hv0", { managementPolicy: "Manage", unschedulable: false });
    yard.hosts.add("hv0").reach = { at: "connecting" };
    expect(yard.place(yard.vm("a"))).toMatchObject({
      reason: "WaitingForHost",
      message: "Host hv0 is being connected.",
    });
  });

  it("elsewhere when a host does not answer, unless it was made before", () => {
    yard.hosts.add("hv1").reach = {
      at: "down",
      since: new Date(0),
      missed: 3,
      fault: { code: "HostUnreachable", message: "no route" },
    };
    expect(yard.place(yard.vm("a"))).toEqual(placed("hv2"));
    expect(yard.place(yard.vm("b", {}, { status: { id: guid(5) } }))).toMatchObject({
      at: "waiting",
      reason: "HostUnreachable",
    });
  });
});

describe("why a host does not fit", () => {
  const cases: {
    why: string;
    host?: object;
    state?: Parameters<typeof hostState>[0];
    spec?: object;
    disk?: object;
    nic?: object;
    message: string;
  }[] = [
    { why: "class", disk: { storageClass: "gold" }, message: "hv1: storage class gold missing (has fast, big)" },
    { why: "default class", host: { storageClasses: [] }, disk: {}, message: "hv1: no default storage class" },
    { why: "network", nic: { network: "dmz" }, message: "hv1: network dmz missing (has lan)" },
    { why: "switch", nic: { network: "lan" }, state: { switches: [] }, message: "hv1: switch External missing" },
    { why: "image", disk: { source: { type: "Image", image: "beos" } }, message: "hv1: image beos missing" },
    { why: "memory", spec: { memory: { startup: "300Gi" } }, message: "hv1: 250Gi of memory free, needs 300Gi" },
    { why: "processors", spec: { cpu: { count: 33 } }, message: "hv1: gives at most 32 processors, needs 33" },
    {
      why: "fixed disk",
      disk: { size: "2Ti", diskType: "Fixed" },
      message: "hv1: 900Gi of storage class fast free, needs 2Ti",
    },
    { why: "unschedulable", host: { unschedulable: true }, message: "hv1: is unschedulable" },
    {
      why: "namespace",
      host: { allowedNamespaces: { from: "Names", names: ["prod"] } },
      message: "hv1: does not allow namespace default (allowedNamespaces)",
    },
    {
      why: "adoption",
      spec: { adopt: { type: "Name", name: "old" } },
      message: "hv1: does not have the thing to adopt",
    },
  ];
  it.each(cases)("$why", ({ host = {}, state = {}, spec = {}, disk, nic, message }) => {
    yard.host("hv1", host, state);
    if (disk) yard.disk("d", { ...disk, attachment: { virtualMachine: "a" } });
    if (nic) yard.put("NetworkAdapter", "n", { ...nic, virtualMachine: "a" });
    expect(yard.place(yard.vm("a", spec))).toEqual({
      at: "waiting",
      reason: "WaitingForHost",
      message: `No host fits: ${message}.`,
    });
  });

  it("takes the disk's space from what is placed and not yet made", () => {
    yard.host("hv1");
    const fixed = (name: string): VirtualDisk => yard.disk(name, { size: "500Gi", diskType: "Fixed" });
    const first = fixed("a");
    expect(placeVirtualDisk(first, yard.world())).toEqual({ at: "placed", host: "hv1" });
    yard.assumed.set(keyText(keyOf(first)), "hv1");
    expect(placeVirtualDisk(fixed("b"), yard.world())).toMatchObject({
      message: "No host fits: hv1: 400Gi of storage class fast free, needs 500Gi.",
    });
    yard.hosts.inventory("hv1", {
      host: hostState(),
      disks: { upsert: [diskState({ path: "C:\\VMs\\a.vhdx", uid: "uid-a" })] },
    });
    expect(placeVirtualDisk(fixed("b"), yard.world())).toEqual({ at: "placed", host: "hv1" });
  });
});

describe("a host named by the spec", () => {
  const cases: { why: string; host?: object; spec: object; placed: object }[] = [
    {
      why: "is taken, whatever room it has",
      spec: { host: "hv1", memory: { startup: "1Ti" } },
      placed: { at: "placed", host: "hv1" },
    },
    { why: "does not exist", spec: { host: "hv9" }, placed: { at: "waiting", reason: "WaitingForReference" } },
    {
      why: "is closed",
      host: { unschedulable: true },
      spec: { host: "hv1" },
      placed: { at: "waiting", reason: "WaitingForHost" },
    },
    {
      why: "does not allow it",
      host: { allowedNamespaces: { from: "Names" } },
      spec: { host: "hv1" },
      placed: { at: "stalled", reason: "NotAllowed" },
    },
  ];
  it.each(cases)("$why", ({ host = {}, spec, placed }) => {
    yard.host("hv1", host);
    expect(yard.place(yard.vm("a", spec))).toMatchObject(placed);
  });
});

describe("any set of machines", () => {
  it("never takes more memory than a host has, and leaves out none that would fit", () => {
    const sizes = fc.array(fc.constantFrom(8, 16, 32, 64, 128), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 4 }), (all, hosts) => {
        const field = new Yard();
        const names = Array.from({ length: hosts }, (_, index) => `hv${index}`);
        for (const name of names)
          field.host(name, {}, { memory: { totalBytes: 256 * GiB, availableBytes: 256 * GiB } });
        for (const [index, size] of all.entries()) {
          const placed = field.place(field.vm(`m${index}`, { memory: { startup: `${size}Gi` } }));
          const free = names.map((name) => 256 * GiB - allocations(field.world(), `uid-m${index}`)(name).memory);
          if (placed.at !== "placed") expect(Math.max(...free)).toBeLessThan(size * GiB);
        }
        for (const name of names) expect(allocations(field.world())(name).memory).toBeLessThanOrEqual(256 * GiB);
      }),
      { numRuns: 40 },
    );
  });
});
