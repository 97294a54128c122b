import { describe, expect, it } from "vitest";
import { annotations } from "../../../../src/api/annotations.ts";
import { modelValidation } from "../../../../src/app/validation.ts";
import { MemoryStore } from "../../../../src/stores/memory/store.ts";
import type { Plane } from "../../../support/plane.ts";
import { all, deployment, hostManifest, key, names, onHost, standing, startPlane, web, webKey } from "./rig.ts";

const hour = 3_600_000;
const disks = [key("VirtualDisk", "web-system"), key("VirtualDisk", "web-data")];
const parts = [key("VirtualMachine", "web"), ...disks, key("NetworkAdapter", "web-lan")];

/** A deployment whose machine runs on the host, and whose store is lost: all objects are new ones. */
const afterStoreLoss = async (
  spec: object = {},
): Promise<{ readonly plane: Plane; readonly former: readonly string[] }> => {
  const plane = await startPlane();
  await plane.apply([web()]);
  await plane.settle();
  const former = parts.map((one) => plane.get(one)?.metadata.uid ?? "");
  await plane.stop();
  const { clock, random } = plane;
  Object.assign(plane, { store: new MemoryStore({ clock, random, validation: modelValidation }) });
  await plane.start();
  await plane.apply([hostManifest, web(spec)]);
  return { plane, former };
};

const takeBack = async (plane: Plane, former: readonly string[]): Promise<void> => {
  for (const [index, one] of parts.entries())
    if (plane.get(one)) await plane.annotate(one, annotations.reclaim, former[index] ?? "");
};

describe("a lost store", { timeout: 120_000 }, () => {
  it("costs no disk, though the machine is taken back long after the deadline", async () => {
    const { plane, former } = await afterStoreLoss();
    await plane.pass(2 * hour);
    expect(standing(plane)).toBe("Stalled/IdentityChanged");
    await takeBack(plane, former);
    await plane.settle();
    expect(onHost(plane)).toEqual({ vms: ["web"], disks: 2 });
    expect(names(plane)).toEqual(all);
    await plane.stop();
  });

  it("costs no disk, though a part stalls once the machine was taken back", async () => {
    const twins = ["a", "b"].map((name) => ({ name, spec: { network: "lan", macAddress: "02:00:00:00:00:01" } }));
    const { plane, former } = await afterStoreLoss({ networkAdapters: twins });
    await plane.pass(10_000);
    await takeBack(plane, former);
    await plane.settle();
    expect(onHost(plane)).toEqual({ vms: ["web"], disks: 2 });
    expect(deployment(plane).status?.phase).toBe("Failed");
    await plane.stop();
  });
});

describe("a deadline that passed while nobody looked", { timeout: 120_000 }, () => {
  it("is none: the control plane was down, and goes on where it was", async () => {
    const plane = await startPlane();
    await plane.apply([web({ progressDeadlineSeconds: 600 })]);
    const isThere = (): boolean => plane.host("hv1").read((world) => world.vms().length > 0);
    while (!isThere()) await plane.pass(100);
    await plane.stop();
    const before = plane.get(disks[0] ?? webKey)?.metadata.uid;
    await plane.clock.advance(2 * hour);
    await plane.start();
    await plane.settle();
    expect(standing(plane)).toBe("Ready");
    expect(plane.get(disks[0] ?? webKey)?.metadata.uid).toBe(before);
    expect(plane.events.filter(({ note }) => note.reason === "RollingBack")).toEqual([]);
    await plane.stop();
  });
});

describe("a disk that is left out in the edit that says Orphan", { timeout: 120_000 }, () => {
  it("stays on the host", async () => {
    const plane = await startPlane();
    await plane.apply([web()]);
    await plane.settle();
    await plane.edit(webKey, (spec) => {
      spec["deletionPolicy"] = "Orphan";
      spec["disks"] = (spec["disks"] as { name: string }[]).filter(({ name }) => name !== "data");
    });
    await plane.settle();
    expect(names(plane)).toEqual(all.filter((name) => name !== "VirtualDisk/web-data"));
    expect(onHost(plane)).toEqual({ vms: ["web"], disks: 2 });
    await plane.stop();
  });
});

describe("a disk that is left out while nothing may go", { timeout: 120_000 }, () => {
  it.each([
    { why: "a pause", hold: (plane: Plane) => plane.annotate(webKey, annotations.paused, "true") },
    {
      why: "Observe",
      hold: (plane: Plane) => plane.edit(webKey, (spec) => (spec["managementPolicy"] = "Observe")),
    },
  ])("stays attached: $why", async ({ hold }) => {
    const plane = await startPlane();
    await plane.apply([web()]);
    await plane.settle();
    await hold(plane);
    await plane.edit(webKey, (spec) => {
      spec["disks"] = (spec["disks"] as { name: string }[]).filter(({ name }) => name !== "data");
    });
    await plane.settle();
    expect(plane.get(key("VirtualDisk", "web-data"))?.spec).toMatchObject({ attachment: { virtualMachine: "web" } });
    expect(onHost(plane)).toEqual({ vms: ["web"], disks: 2 });
    await plane.stop();
  });
});
