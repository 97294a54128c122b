import { describe, expect, it } from "vitest";
import { isTrash } from "../../../../agents/simulator/model/paths.ts";
import type { ManagedDeployment } from "../../../../src/api/generated/types.ts";
import { annotations } from "../../../../src/api/annotations.ts";
import { ConflictError, RefusedError } from "../../../../src/engine/ports.ts";
import type { Plane } from "../../../support/plane.ts";
import { all, deployment, key, names, onHost, standing, startPlane, web, webKey } from "./rig.ts";

const settled = async (...manifests: Parameters<Plane["apply"]>[0]): Promise<Plane> => {
  const plane = await startPlane();
  await plane.apply(manifests);
  await plane.settle();
  return plane;
};

const machineKey = key("VirtualMachine", "web");
const dataKey = key("VirtualDisk", "web-data");

describe("names", { timeout: 120_000 }, () => {
  it("that lead to one object are told with its maker", async () => {
    // Disk b-c of a and disk c of a-b are both a-b-c.
    const blank = (name: string): object => ({ name, spec: { source: { type: "Blank" }, size: "1Gi" } });
    const of = (name: string, disk: string) =>
      web(
        {
          virtualMachine: { cpu: { count: 1 }, memory: { startup: "1Gi" }, powerState: "Stopped" },
          disks: [blank(disk)],
          networkAdapters: [],
        },
        name,
      );
    const plane = await settled(of("a", "b-c"), of("a-b", "c"));
    const one = [deployment(plane, "a"), deployment(plane, "a-b")];
    const standings = one.map(({ metadata }) => standing(plane, key("ManagedDeployment", metadata.name)));
    expect(standings.toSorted()).toEqual(["Ready", "Stalled/NameConflict"]);
    const loser = one.find((_, index) => standings[index] !== "Ready") as ManagedDeployment;
    const winner = one.find((_, index) => standings[index] === "Ready") as ManagedDeployment;
    const message = loser.status?.conditions?.find(({ type }) => type === "Ready")?.message;
    expect(message).toContain(`VirtualDisk a-b-c exists already (made by ManagedDeployment ${winner.metadata.name})`);
    await plane.delete(key("ManagedDeployment", winner.metadata.name));
    await plane.settle();
    expect(standing(plane, key("ManagedDeployment", loser.metadata.name))).toBe("Ready");
    await plane.stop();
  });
});

describe("a store that refuses a child", { timeout: 120_000 }, () => {
  it("is quoted, asked again at leisure, and forgotten once it accepts", async () => {
    const plane = await startPlane();
    const { store } = plane;
    const create = store.create.bind(store);
    let refused = 0;
    store.create = async (draft) => {
      if (draft.kind === "VirtualDisk" && refused++ < 5) throw new RefusedError("quota of disks is used up");
      return await create(draft);
    };
    await plane.apply([web()]);
    await plane.pass(3_000);
    expect(standing(plane)).toBe("Stalled/InvalidSpec");
    expect(JSON.stringify(deployment(plane).status?.conditions)).toContain("quota of disks is used up");
    expect(refused).toBeLessThan(4);
    await plane.settle();
    expect(standing(plane)).toBe("Ready");
    await plane.stop();
  });
});

describe("holding", { timeout: 120_000 }, () => {
  it("pauses the children too, and lets them go on", async () => {
    const plane = await settled(web());
    await plane.annotate(webKey, annotations.paused, "true");
    await plane.settle();
    expect(plane.get(machineKey)?.metadata.annotations?.[annotations.paused]).toBe("true");
    await plane.edit(webKey, (spec) => ((spec["virtualMachine"] as Record<string, unknown>)["notes"] = "later"));
    await plane.settle();
    expect(deployment(plane).status?.conditions?.find(({ type }) => type === "Paused")?.status).toBe("True");
    await plane.annotate(webKey, annotations.paused, "false");
    await plane.settle();
    expect(plane.get(machineKey)?.metadata.annotations?.[annotations.paused]).toBeUndefined();
    expect(plane.get(machineKey)?.spec).toMatchObject({ notes: "later" });
    expect(standing(plane)).toBe("Ready");
    await plane.stop();
  });

  it("makes nothing while paused from the start", async () => {
    const plane = await startPlane();
    const paused = web();
    await plane.apply([{ ...paused, metadata: { ...paused.metadata, annotations: { [annotations.paused]: "true" } } }]);
    await plane.settle();
    expect(names(plane)).toEqual(["ManagedDeployment/web"]);
    await plane.stop();
  });

  it("only looks with managementPolicy Observe", async () => {
    const plane = await settled(web({ managementPolicy: "Observe" }));
    expect(names(plane)).toEqual(["ManagedDeployment/web"]);
    await plane.stop();
  });
});

describe("deletion", { timeout: 120_000 }, () => {
  it("lets the children stay with deletionPolicy Orphan", async () => {
    const plane = await settled(web({ deletionPolicy: "Orphan" }));
    await plane.delete(webKey);
    await plane.settle();
    expect(names(plane)).toEqual(all.slice(1));
    expect(plane.objects().every(({ metadata }) => (metadata.ownerReferences ?? []).length === 0)).toBe(true);
    expect(onHost(plane)).toEqual({ vms: ["web"], disks: 2 });
    await plane.stop();
  });

  it("touches nothing while the author protects one of them", async () => {
    const plane = await settled(
      web({
        disks: [
          { name: "system", spec: { source: { type: "Image", image: "debian-12" } } },
          { name: "data", spec: { source: { type: "Blank" }, size: "10Gi", deletionProtection: true } },
        ],
      }),
    );
    await plane.delete(webKey);
    await plane.settle();
    expect(standing(plane)).toBe("Stalled/DeletionProtected");
    expect(names(plane)).toEqual(all);
    expect(onHost(plane)).toEqual({ vms: ["web"], disks: 2 });
    await plane.stop();
  });

  it("is refused while the deployment is protected, its children as well; then both go", async () => {
    const plane = await settled(web({ deletionProtection: true }));
    await expect(plane.delete(webKey)).rejects.toThrow("deletionProtection");
    await expect(plane.delete(dataKey)).rejects.toThrow("deletionProtection");
    // No time between the two: the children are still protected when their deployment goes.
    await plane.edit(webKey, (spec) => (spec["deletionProtection"] = false));
    await plane.delete(webKey);
    await plane.settle();
    expect(names(plane)).toEqual([]);
    await plane.stop();
  });

  it("goes by the policy that was declared last, though it was not passed on yet", async () => {
    const plane = await settled(web());
    await plane.stop();
    const disks = (web().spec as { disks: { name: string; spec: object }[] }).disks.map(({ name, spec }) => ({
      name,
      spec: { ...spec, deletionPolicy: "Orphan" },
    }));
    await plane.apply([web({ disks })]);
    await plane.delete(webKey);
    await plane.start();
    await plane.settle();
    expect(names(plane)).toEqual([]);
    expect(onHost(plane)).toEqual({ vms: [], disks: 2 });
    await plane.stop();
  });

  it("of a child by hand is undone", async () => {
    const plane = await settled(web());
    const before = plane.get(key("NetworkAdapter", "web-lan"))?.metadata.uid;
    await plane.delete(key("NetworkAdapter", "web-lan"));
    await plane.settleApproved();
    expect(plane.get(key("NetworkAdapter", "web-lan"))?.metadata.uid).not.toBe(before);
    expect(standing(plane)).toBe("Ready");
    await plane.stop();
  });

  it("of many deployments at a time is held, with all of their objects", async () => {
    const plane = await startPlane();
    const machine = { virtualMachine: { cpu: { count: 1 }, memory: { startup: "512Mi" }, powerState: "Stopped" } };
    const many = ["a", "b", "c", "d", "e"];
    await plane.apply(many.map((name) => web({ ...machine, disks: [], networkAdapters: [] }, name)));
    await plane.settle();
    await plane.stop();
    for (const name of many) await plane.delete(key("ManagedDeployment", name));
    await plane.start();
    await plane.settle();
    expect(many.map((name) => standing(plane, key("ManagedDeployment", name)))).toEqual(
      many.map(() => "Stalled/MassDeleteGuard"),
    );
    expect(onHost(plane).vms).toHaveLength(5);
    const batch = (deployment(plane, "a").status as { deletionBatch?: string }).deletionBatch ?? "";
    await plane.annotate(key("ManagedDeployment", "a"), annotations.confirmDelete, batch);
    await plane.settle();
    expect(names(plane)).toEqual([]);
    expect(onHost(plane).vms).toEqual([]);
    await plane.stop();
  });
});

describe("roll-back", { timeout: 120_000 }, () => {
  const twins = ["a", "b"].map((name) => ({ name, spec: { network: "lan", macAddress: "02:00:00:00:00:01" } }));

  it("spares what was there before, and never happens to what was Ready once", async () => {
    const plane = await settled(web());
    await plane.apply([web({ networkAdapters: twins })]);
    await plane.settle();
    expect(names(plane)).toContain("VirtualMachine/web");
    expect(deployment(plane).status?.phase).toBe("Failed");
    expect(standing(plane)).toBe("Stalled/DuplicateMacAddress");
    await plane.apply([web()]);
    await plane.settleApproved();
    expect(standing(plane)).toBe("Ready");
    await plane.stop();
  });

  it("comes to its end though the spec is edited meanwhile, and then the new one is made", async () => {
    const plane = await startPlane();
    await plane.apply([web({ networkAdapters: twins })]);
    while (deployment(plane).status?.phase !== "RollingBack") await plane.pass(100);
    await plane.apply([web()]);
    await plane.settle();
    expect(standing(plane)).toBe("Ready");
    expect(names(plane)).toEqual(all);
    await plane.stop();
  });

  it("takes back what an Orphan policy would leave, and tries again when asked", async () => {
    const plane = await settled(web({ networkAdapters: twins, deletionPolicy: "Orphan", deletionProtection: true }));
    expect(names(plane)).toEqual(["ManagedDeployment/web"]);
    expect(onHost(plane)).toEqual({ vms: [], disks: 0 });
    const before = deployment(plane).status?.conditions?.find(({ type }) => type === "RolledBack");
    expect(before).toMatchObject({ status: "True", reason: "DuplicateMacAddress" });
    await plane.annotate(webKey, annotations.reconcileRequestedAt, plane.clock.now().toISOString());
    await plane.pass(10_000);
    expect(names(plane)).toContain("VirtualMachine/web");
    await plane.settle();
    expect(names(plane)).toEqual(["ManagedDeployment/web"]);
    await plane.stop();
  });

  it("moves the disks of a machine that ran to the trash, though the host keeps none", async () => {
    const plane = await startPlane();
    await plane.edit({ kind: "VMHost", namespace: "", name: "hv1" }, (spec) => (spec["trashRetention"] = "0s"));
    const { store } = plane;
    const putStatus = store.putStatus.bind(store);
    // The machine runs before anybody can write that the deployment is Ready.
    store.putStatus = async (next) => {
      if ((next as ManagedDeployment).status?.phase === "Ready") throw new ConflictError("somebody else was first");
      return await putStatus(next);
    };
    await plane.apply([web()]);
    const runs = (): boolean => plane.host("hv1").read((world) => world.vms().some(({ state }) => state === "Running"));
    while (!runs()) await plane.pass(100);
    await plane.pass(60_000);
    expect(deployment(plane).status?.firstReadyAt).toBeUndefined();
    await plane.apply([web({ networkAdapters: twins })]);
    await plane.settle();
    expect(deployment(plane).status).toMatchObject({ phase: "RolledBack", children: [] });
    expect(onHost(plane)).toEqual({ vms: [], disks: 0 });
    const trash = plane.host("hv1").read((world) => world.disks().filter(({ path }) => isTrash(path)));
    expect(trash).toHaveLength(2);
    await plane.stop();
  });
});
