import { describe, expect, it } from "vitest";
import { all, deployment, key, names, onHost, standing, startPlane, web, webKey } from "./rig.ts";

describe("a deployment's life", { timeout: 120_000 }, () => {
  it("makes its objects, and is Ready when they are, in three writes", async () => {
    const plane = await startPlane();
    await plane.settle();
    const before = plane.counters().toReadyWrites;
    await plane.apply([web()]);
    await plane.settle();
    expect(names(plane)).toEqual(all);
    expect(standing(plane)).toBe("Ready");
    expect(deployment(plane).status).toMatchObject({
      phase: "Ready",
      host: "hv1",
      children: [
        { kind: "VirtualMachine", name: "web", ready: true },
        { kind: "VirtualDisk", name: "web-system", ready: true },
        { kind: "VirtualDisk", name: "web-data", ready: true },
        { kind: "NetworkAdapter", name: "web-lan", ready: true },
      ],
      steps: [
        { name: "Objects", state: "Done" },
        { name: "Disks", state: "Done" },
        { name: "NetworkAdapters", state: "Done" },
        { name: "VirtualMachine", state: "Done" },
        { name: "Guest", state: "Skipped" },
      ],
    });
    expect(onHost(plane)).toEqual({ vms: ["web"], disks: 2 });
    // Five objects, three writes each.
    expect(plane.counters().toReadyWrites - before).toBeLessThanOrEqual(15);
    const { storeWrites } = plane.counters();
    await plane.pass(3_600_000);
    expect(plane.counters().storeWrites).toBe(storeWrites);
    await plane.stop();
  });

  it("removes its machine, then the rest, whatever the guard's floor", async () => {
    const plane = await startPlane();
    await plane.apply([web()]);
    await plane.settle();
    await plane.delete(webKey);
    await plane.settle();
    expect(names(plane)).toEqual([]);
    expect(onHost(plane)).toEqual({ vms: [], disks: 0 });
    await plane.stop();
  });

  it("passes edits on, repairs what was changed by hand, and removes a part that is left out", async () => {
    const plane = await startPlane();
    await plane.apply([web()]);
    await plane.settle();
    await plane.edit(webKey, (spec) => {
      (spec["virtualMachine"] as Record<string, unknown>)["notes"] = "hello";
      spec["disks"] = (spec["disks"] as { name: string }[]).filter(({ name }) => name !== "data");
    });
    await plane.settle();
    expect(plane.get(key("VirtualMachine", "web"))?.spec).toMatchObject({ notes: "hello" });
    expect(names(plane)).toEqual(all.filter((name) => name !== "VirtualDisk/web-data"));
    expect(standing(plane)).toBe("Ready");
    await plane.edit(key("VirtualMachine", "web"), (spec) => (spec["notes"] = "by hand"));
    await plane.settle();
    expect(plane.get(key("VirtualMachine", "web"))?.spec).toMatchObject({ notes: "hello" });
    await plane.stop();
  });
});

describe("a roll-out that fails", { timeout: 120_000 }, () => {
  const broken = web({
    networkAdapters: [{ name: "lan", spec: { network: "nowhere" } }],
    virtualMachine: { cpu: { count: 1 }, memory: { startup: "1Gi" }, powerState: "Stopped" },
    progressDeadlineSeconds: 600,
  });

  it("takes back exactly what it made", async () => {
    const plane = await startPlane();
    await plane.apply([broken]);
    await plane.pass(550_000);
    expect(names(plane)).toEqual(all);
    await plane.pass(60_000);
    await plane.settle();
    expect(names(plane)).toEqual(["ManagedDeployment/web"]);
    expect(standing(plane)).toBe("Stalled/RolledBack");
    expect(deployment(plane).status).toMatchObject({ phase: "RolledBack", children: [] });
    expect(onHost(plane)).toEqual({ vms: [], disks: 0 });
    await plane.apply([web()]);
    await plane.settle();
    expect(standing(plane)).toBe("Ready");
    await plane.stop();
  });

  it("leaves it with onFailure Keep", async () => {
    const plane = await startPlane();
    await plane.apply([{ ...broken, spec: { ...(broken.spec as object), onFailure: "Keep" } }]);
    await plane.pass(620_000);
    expect(names(plane)).toEqual(all);
    expect(deployment(plane).status?.phase).toBe("Failed");
    await plane.stop();
  });
});

describe("names that are taken", { timeout: 120_000 }, () => {
  it("leaves a foreign object alone, makes nothing, and goes on once it is gone", async () => {
    const plane = await startPlane();
    const disk = key("VirtualDisk", "web-data");
    await plane.apply([
      {
        kind: "VirtualDisk",
        metadata: { name: "web-data", namespace: "default" },
        spec: { source: { type: "Blank" }, size: "5Gi", host: "hv1" },
      },
    ]);
    await plane.settle();
    const before = plane.get(disk)?.metadata.uid;
    await plane.apply([web()]);
    await plane.settle();
    expect(standing(plane)).toBe("Stalled/NameConflict");
    expect(names(plane)).toEqual(["ManagedDeployment/web", "VirtualDisk/web-data"]);
    expect(plane.get(disk)?.metadata.uid).toBe(before);
    await plane.delete(disk);
    await plane.settle();
    expect(standing(plane)).toBe("Ready");
    await plane.stop();
  });
});
