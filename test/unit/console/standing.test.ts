import { describe, expect, it } from "vitest";
import { needsAttention, standingOf } from "../../../console/src/lib/standing.ts";
import { concernsOf } from "../../../console/src/pages/parts/attention.ts";
import { pictureOf, related } from "../../../console/src/pages/parts/picture.ts";
import type {
  AnyResource,
  NetworkAdapter,
  VirtualDisk,
  VirtualMachine,
  VMHost,
} from "../../../src/api/generated/types.ts";
import type { JobRecord } from "../../../src/engine/ports.ts";

const at = "2026-01-01T00:00:00Z";
const now = Date.parse("2026-01-01T12:00:00Z");

const object = <R extends AnyResource>(kind: R["kind"], name: string, spec: object, status: object = {}): R =>
  ({
    apiVersion: "aetherv.io/v1alpha1",
    kind,
    metadata: {
      name,
      ...(kind === "VMHost" ? {} : { namespace: "default" }),
      uid: name,
      generation: 1,
      resourceVersion: "1",
      creationTimestamp: at,
    },
    spec,
    status,
  }) as unknown as R;

const conditions = (...all: readonly (readonly [type: string, status: string, reason?: string])[]): object => ({
  conditions: all.map(([type, status, reason = "Because"]) => ({
    type,
    status,
    reason,
    message: "why",
    lastTransitionTime: at,
  })),
});

describe("how an object stands", () => {
  it.each([
    { why: "nothing is known yet", status: {}, id: "working" },
    { why: "all is well", status: conditions(["Ready", "True"]), id: "ready" },
    { why: "a change waits", status: conditions(["Ready", "True", "ChangesPending"]), id: "approval" },
    { why: "a restart waits", status: conditions(["Ready", "True"], ["RestartRequired", "True"]), id: "approval" },
    {
      why: "stuck counts more than all else",
      status: conditions(["Ready", "False"], ["Stalled", "True"], ["Paused", "True"]),
      id: "stalled",
    },
    { why: "work is under way", status: conditions(["Ready", "False"], ["Reconciling", "True"]), id: "working" },
    { why: "neither ready nor at work", status: conditions(["Ready", "False"]), id: "failed" },
    {
      why: "the host does not answer",
      status: conditions(["Ready", "Unknown"], ["Reconciling", "True"]),
      id: "unknown",
    },
    {
      why: "the host does not answer, and a change waits: what waits is no news while nothing is known",
      status: conditions(["Ready", "Unknown"], ["RestartRequired", "True"]),
      id: "unknown",
    },
    {
      why: "seen for the first time",
      status: conditions(["Ready", "Unknown", "FirstSight"], ["Reconciling", "True"]),
      id: "working",
    },
    { why: "paused keeps what it was", status: conditions(["Ready", "True"], ["Paused", "True"]), id: "paused" },
  ])("$why", ({ status, id }) => {
    expect(standingOf(object<VirtualMachine>("VirtualMachine", "a", {}, status)).id).toBe(id);
  });

  it("asks for somebody at the host alone when it is the host that is gone", () => {
    const unknown = conditions(["Ready", "Unknown"]);
    expect(needsAttention(object<VMHost>("VMHost", "hv1", {}, unknown))).toBe(true);
    expect(needsAttention(object<VirtualMachine>("VirtualMachine", "a", {}, unknown))).toBe(false);
  });
});

const job = (id: string, name: string, more: Partial<JobRecord>): JobRecord =>
  ({
    id,
    key: { kind: "VirtualDisk", namespace: "default", name },
    operation: "disk.clone",
    status: "success",
    finishedAt: at,
    ...more,
  }) as JobRecord;

describe("what needs attention", () => {
  const whats = (jobs: readonly JobRecord[], objects: readonly AnyResource[] = []): readonly string[] =>
    concernsOf({ objects, jobs, now }).map(({ what, title }) => `${what}: ${title}`);

  it("is a failed job, until one of the same object went well", () => {
    const failed = job("1", "a", { status: "error", code: "DiskFull" });
    expect(whats([failed])).toEqual(["Job failed, DiskFull: Clone disk: a"]);
    expect(whats([job("2", "a", {}), failed])).toEqual([]);
    expect(whats([job("2", "b", {}), failed])).toHaveLength(1);
    expect(whats([{ ...failed, finishedAt: "2025-12-30T00:00:00Z" }])).toEqual([]);
  });

  it("has the worst first", () => {
    const waits = object<VirtualMachine>(
      "VirtualMachine",
      "waits",
      {},
      conditions(["Ready", "True"], ["RestartRequired", "True"]),
    );
    const stuck = object<VirtualDisk>("VirtualDisk", "stuck", {}, conditions(["Stalled", "True", "DiskMissing"]));
    const gone = object<VMHost>("VMHost", "gone", {}, conditions(["Ready", "Unknown"], ["Reachable", "False"]));
    expect(whats([], [waits, stuck, gone])).toEqual([
      "DiskMissing: disk stuck",
      "Offline: host gone",
      "Awaits approval: virtual machine waits",
    ]);
  });
});

describe("the picture", () => {
  const networks = [{ name: "lan", switchName: "External" }];
  const picture = pictureOf({
    hosts: [object<VMHost>("VMHost", "hv1", { networks })],
    vms: ["a", "b", "lost"].map((name) => object<VirtualMachine>("VirtualMachine", name, {})),
    disks: [
      object<VirtualDisk>("VirtualDisk", "a-1", { attachment: { virtualMachine: "a" } }),
      object<VirtualDisk>("VirtualDisk", "a-2", { attachment: { virtualMachine: "a" } }),
    ],
    adapters: [
      object<NetworkAdapter>("NetworkAdapter", "a-lan", { virtualMachine: "a", network: "lan" }),
      object<NetworkAdapter>("NetworkAdapter", "b-gone", { virtualMachine: "b", network: "no-such" }),
    ],
    hostOf: ({ metadata }) => (metadata.name === "lost" ? undefined : "hv1"),
  });

  it("puts no two boxes on one place", () => {
    for (const column of [0, 1, 2, 3]) {
      const places = picture.nodes
        .filter((node) => node.column === column)
        .map(({ row }) => row)
        .sort((a, b) => a - b);
      for (const [index, row] of places.slice(1).entries())
        expect(row - (places[index] ?? 0)).toBeGreaterThanOrEqual(1);
    }
    expect(picture.nodes.map(({ title }) => title).sort()).toEqual([
      "a",
      "a-1",
      "a-2",
      "a-lan",
      "b",
      "b-gone",
      "hv1",
      "lan",
      "lost",
    ]);
  });

  it("joins only what is there", () => {
    const ids = new Set(picture.nodes.map(({ id }) => id));
    for (const { from, to } of picture.edges) expect([ids.has(from), ids.has(to)]).toEqual([true, true]);
    expect(picture.edges.some(({ to }) => to.endsWith("no-such"))).toBe(false);
  });

  it("knows what hangs together, towards both ends and no further", () => {
    const lit = [...related(picture, "VirtualMachine/default/a")].sort();
    expect(lit).toEqual([
      "NetworkAdapter/default/a-lan",
      "VMHost//hv1",
      "VirtualDisk/default/a-1",
      "VirtualDisk/default/a-2",
      "VirtualMachine/default/a",
      "network/hv1/lan",
    ]);
  });
});
