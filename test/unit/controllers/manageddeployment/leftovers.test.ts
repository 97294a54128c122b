import { describe, expect, it } from "vitest";
import { managedDeployment } from "../../../../controllers/manageddeployment/index.ts";
import { expand } from "../../../../controllers/manageddeployment/expand.ts";
import { annotations } from "../../../../src/api/annotations.ts";
import type { ManagedDeployment } from "../../../../src/api/generated/types.ts";
import { apiVersion } from "../../../../src/api/kinds.ts";
import { keyOf, keyText, type Condition, type Resource } from "../../../../src/api/resource.ts";
import type { World } from "../../../../src/engine/ports.ts";
import type { Plane } from "../../../support/plane.ts";
import { all, key, names, onHost, standing, startPlane, web, webKey, webSpec } from "./rig.ts";

const dataKey = key("VirtualDisk", "web-data");
const paused = (plane: Plane): string | undefined => plane.get(dataKey)?.metadata.annotations?.[annotations.paused];

const settled = async (spec: object = {}): Promise<Plane> => {
  const plane = await startPlane();
  await plane.apply([web(spec)]);
  await plane.settle();
  return plane;
};

const withoutData = (spec: Record<string, unknown>): void => {
  spec["disks"] = webSpec.disks.filter(({ name }) => name !== "data");
};

describe("a part whose deletion has begun", { timeout: 120_000 }, () => {
  /** The host refuses to delete a disk until the pause has come to the child. */
  const begun = async (plane: Plane, begin: () => Promise<void>): Promise<void> => {
    const host = plane.host("hv1");
    const busy = { id: "busy", operation: "disk.delete", fault: { type: "error", code: "Busy" } } as const;
    host.behaviour = { ...host.behaviour, faults: [busy] };
    await begin();
    while (plane.get(dataKey)?.metadata.deletionTimestamp === undefined) await plane.pass(10);
    await plane.annotate(webKey, annotations.paused, "true");
    for (let tries = 0; paused(plane) === undefined && tries < 6000; tries += 1) await plane.pass(10);
    host.behaviour = { ...host.behaviour, faults: [] };
    await plane.pass(600_000);
    expect(plane.get(dataKey)?.metadata.deletionTimestamp).toBeDefined();
    expect(onHost(plane).disks).toBe(2);
    await plane.annotate(webKey, annotations.paused, "false");
    await plane.settle();
    expect(plane.get(dataKey)).toBeUndefined();
  };

  it("is held by a later pause when it was left out, and goes on afterwards", async () => {
    const plane = await settled();
    await begun(plane, () => plane.edit(webKey, withoutData));
    expect(standing(plane)).toBe("Ready");
    expect(onHost(plane).disks).toBe(1);
    await plane.stop();
  });

  it("is held by a later pause when the whole deployment is deleted", async () => {
    const plane = await settled();
    await begun(plane, () => plane.delete(webKey));
    expect(names(plane)).toEqual([]);
    await plane.stop();
  });
});

describe("a part that is left out while its deployment is paused", { timeout: 120_000 }, () => {
  it("goes once the pause is over", async () => {
    const plane = await settled();
    await plane.annotate(webKey, annotations.paused, "true");
    await plane.settle();
    await plane.edit(webKey, withoutData);
    await plane.settle();
    expect(onHost(plane).disks).toBe(2);
    await plane.annotate(webKey, annotations.paused, "false");
    await plane.settle();
    expect(plane.get(dataKey)).toBeUndefined();
    expect(onHost(plane).disks).toBe(1);
    expect(standing(plane)).toBe("Ready");
    await plane.stop();
  });
});

describe("a part that is left out in the edit that protects the deployment", { timeout: 120_000 }, () => {
  it("stays as it is, attached, until the protection is taken off", async () => {
    const plane = await settled();
    await plane.edit(webKey, (spec) => {
      withoutData(spec);
      spec["deletionProtection"] = true;
    });
    await plane.settle();
    expect(standing(plane)).toBe("Stalled/DeletionProtected");
    expect(names(plane)).toEqual(all);
    expect(plane.get(dataKey)?.spec).toMatchObject({ attachment: { virtualMachine: "web" } });
    expect(onHost(plane)).toEqual({ vms: ["web"], disks: 2 });
    await plane.pass(7_200_000);
    expect(onHost(plane)).toEqual({ vms: ["web"], disks: 2 });
    await plane.edit(webKey, (spec) => (spec["deletionProtection"] = false));
    await plane.settle();
    expect(standing(plane)).toBe("Ready");
    expect(onHost(plane)).toEqual({ vms: ["web"], disks: 1 });
    await plane.stop();
  });
});

// --- What fails a roll-out ------------------------------------------------------------------------------------------

const start = Date.parse("2026-01-01T00:00:00Z");
const text = (seconds: number): string => new Date(start + seconds * 1000).toISOString().replace(".000", "");

const condition = (type: string, status: Condition["status"], reason: string, message: string): Condition => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: text(0),
  observedGeneration: 1,
});

/** The deployment of one machine that stalls since the start, and the world around it `at` seconds later. */
const look = (stalled: readonly Condition[], at: { readonly now: number; readonly since: number }) => {
  const spec = { ...webSpec, virtualMachine: { ...webSpec.virtualMachine, guest: {} }, disks: [], networkAdapters: [] };
  const meta = { namespace: "default", generation: 1, resourceVersion: "1", creationTimestamp: text(0) };
  const object = {
    apiVersion,
    kind: "ManagedDeployment",
    metadata: { ...meta, name: "web", uid: "d", finalizers: ["aetherv.io/finalizer"] },
    spec: { ...spec, progressDeadlineSeconds: 3600, onFailure: "Rollback" },
    status: {
      observedGeneration: 1,
      phase: "Creating",
      steps: [{ name: "Guest", state: "Active", startedAt: text(0) }],
    },
  } as unknown as Parameters<typeof managedDeployment.decide>[0];
  const children = expand(object).map((child): Resource => ({
    apiVersion,
    kind: child.kind,
    metadata: {
      ...meta,
      name: child.name,
      uid: child.name,
      ownerReferences: [{ apiVersion, kind: "ManagedDeployment", name: "web", uid: "d", controller: true }],
    },
    spec: child.spec as Resource["spec"],
    status: { observedGeneration: 1, conditions: [...stalled] },
  }));
  const byKey = new Map(children.map((child) => [keyText(keyOf(child)), child]));
  const world = {
    now: new Date(start + at.now * 1000),
    since: new Date(start + at.since * 1000),
    objects: { get: (of: Parameters<typeof keyText>[0]) => byKey.get(keyText(of)), list: () => children },
    referrers: () => children,
    host: () => undefined,
  } as unknown as World;
  return managedDeployment.decide(object, world).status as ManagedDeployment["status"];
};

const works = [
  condition("Created", "True", "Created", ""),
  condition("PowerStateSynced", "True", "PowerStateSynced", ""),
];
const told = "Generation 1 failed at scripts: ScriptFailed: script setup ended with exit code 7";
const script = [
  ...works,
  condition("GuestConfigured", "False", "Failed", told),
  condition("Stalled", "True", "Failed", `Guest: ${told}`),
];
const broken = [condition("Stalled", "True", "DuplicateMacAddress", "Two adapters have the address 1.")];

describe("a deployment that was never Ready", () => {
  it.each([
    { why: "a child that stalls for half a minute fails it", stalled: broken, now: 60, since: 0, phase: "RollingBack" },
    {
      why: "a Stalled of before this process began has its half minute again",
      stalled: broken,
      now: 600,
      since: 580,
      phase: "Creating",
    },
    { why: "and then counts", stalled: broken, now: 611, since: 580, phase: "RollingBack" },
    {
      why: "a failing script alone does not: machine and disks stay",
      stalled: script,
      now: 600,
      since: 0,
      phase: "Creating",
    },
    { why: "until the deadline", stalled: script, now: 3601, since: 0, phase: "RollingBack" },
    {
      why: "a machine that stalls for another reason does, whatever its guest",
      stalled: [...script.slice(0, 3), ...broken],
      now: 60,
      since: 0,
      phase: "RollingBack",
    },
  ])("$why", ({ stalled, phase, ...at }) => {
    expect(look(stalled, at)?.phase).toBe(phase);
  });
});
