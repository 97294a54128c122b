import { describe, expect, test } from "vitest";
import type { SimulatedAgent } from "../../../agents/simulator/model/agent.ts";
import type { VmState } from "../../../src/protocol/generated/types.ts";
import { Bench, layout, owner } from "./support.ts";

const web = owner("VirtualMachine", "web");
const os = owner("VirtualDisk", "os");
const HOUR = 3600_000;

const bootable = async (bench: Bench, agent: SimulatedAgent): Promise<string> => {
  const spec = { owner: web, layout, generation: 2, osFamily: "Linux", config: { name: "web" } };
  const vmId = String((await bench.send(agent, bench.request("vm.create", spec))).data["vmId"]);
  const clone = { owner: os, layout, storageClass: "fast", source: { image: "debian-12" } };
  const path = String((await bench.send(agent, bench.request("disk.clone", clone))).data["path"]);
  const attach = { owner: os, path, vmId, vmOwner: web, controllerType: "SCSI" };
  expect((await bench.send(agent, bench.request("disk.attach", attach))).status).toBe("success");
  return vmId;
};

const seen = async (bench: Bench, agent: SimulatedAgent): Promise<VmState | undefined> => {
  const { data } = await bench.send(agent, bench.request("vm.get", { owner: web }));
  return (data["observed"] as { vms?: { upsert?: VmState[] } }).vms?.upsert?.[0];
};

describe("time on a simulated host", () => {
  test("starting takes a second, the guest answers seconds later, stopping takes two", async () => {
    const bench = new Bench();
    const agent = bench.agent();
    const vmId = await bootable(bench, agent);
    const start = agent.handle(bench.request("vm.power", { owner: web, vmId, state: "Running" }));
    await bench.clock.advance(300);
    expect(bench.world((world) => world.vm(vmId))).toMatchObject({ state: "Starting", heartbeat: "NoContact" });
    expect((await bench.finish(start)).status).toBe("success");
    expect(await seen(bench, agent)).toMatchObject({ state: "Running", heartbeat: "NoContact" });
    await bench.clock.advance(5000);
    expect(await seen(bench, agent)).toMatchObject({ heartbeat: "OK", guest: { hostname: "web" } });
    const before = bench.clock.now().getTime();
    await bench.send(agent, bench.request("vm.power", { owner: web, vmId, state: "Off" }));
    expect(bench.clock.now().getTime() - before).toBeGreaterThanOrEqual(2000);
    expect(await seen(bench, agent)).toMatchObject({ state: "Off" });
  });

  test("what was begun goes on when the agent dies in the middle", async () => {
    const bench = new Bench();
    const agent = bench.agent();
    const vmId = await bootable(bench, agent);
    bench.behaviour = { faults: [{ id: "f", count: 1, fault: { type: "crash", point: "starting" } }] };
    await expect(
      bench.send(agent, bench.request("vm.power", { owner: web, vmId, state: "Running" })),
    ).rejects.toThrow();
    bench.alive.delete("p1");
    const next = bench.agent("p2");
    expect(await seen(bench, next)).toMatchObject({ state: "Starting" });
    const other = await bench.send(next, bench.request("vm.update", { owner: web, vmId, set: { cpu: { count: 2 } } }));
    expect(other.code).toBe("Busy");
    await bench.clock.advance(6000);
    expect(await seen(bench, next)).toMatchObject({ state: "Running", heartbeat: "OK" });
  });

  test("a guest that hangs answers GuestNotReady, one that is off in time is off", async () => {
    const bench = new Bench();
    const agent = bench.agent();
    const vmId = await bootable(bench, agent);
    await bench.send(agent, bench.request("vm.power", { owner: web, vmId, state: "Running" }));
    const early = await bench.send(agent, bench.request("vm.power", { owner: web, vmId, state: "Off" }));
    expect(early.code).toBe("GuestNotReady");
    await bench.clock.advance(6000);
    const slow = bench.request("vm.power", { owner: web, vmId, state: "Off", timeoutSeconds: 1 });
    expect(await bench.send(agent, slow)).toMatchObject({
      code: "GuestNotReady",
      message: expect.stringContaining("1 s"),
    });
  });

  const inventory = (bench: Bench, agent: SimulatedAgent) =>
    bench.send(agent, bench.request("host.inventory", { layout }));

  const trashCount = (bench: Bench): number =>
    bench.world((world) => world.disks().filter((file) => file.path.includes("AetherV.Trash")).length);

  const withTrash = async (bench: Bench, agent: SimulatedAgent): Promise<void> => {
    const spec = { owner: os, layout, type: "Blank", storageClass: "fast", size: 2 ** 30 };
    const path = String((await bench.send(agent, bench.request("disk.create", spec))).data["path"]);
    const gone = { owner: os, path, retentionSeconds: 2 * 3600 };
    expect((await bench.send(agent, bench.request("disk.delete", gone))).status).toBe("success");
  };

  test("trash goes at its time, within an inventory", async () => {
    const bench = new Bench();
    const agent = bench.agent();
    await withTrash(bench, agent);
    await inventory(bench, agent);
    await bench.clock.advance(1.9 * HOUR);
    await inventory(bench, agent);
    expect(trashCount(bench)).toBe(1);
    await bench.clock.advance(0.2 * HOUR);
    await inventory(bench, agent);
    expect(trashCount(bench)).toBe(0);
  });

  test("a clock that jumps over a day defers the purge by a day", async () => {
    const bench = new Bench();
    const agent = bench.agent();
    await withTrash(bench, agent);
    await inventory(bench, agent);
    await bench.clock.advance(48 * HOUR);
    await inventory(bench, agent);
    expect(trashCount(bench)).toBe(1);
    for (let hour = 0; hour < 25; hour++) {
      await bench.clock.advance(HOUR);
      await inventory(bench, agent);
    }
    expect(trashCount(bench)).toBe(0);
  });

  test("an inventory in steady state writes nothing", async () => {
    const bench = new Bench();
    const agent = bench.agent();
    await bootable(bench, agent);
    const first = await inventory(bench, agent);
    const rev = bench.store.table.rev;
    const spec = { layout, since: first.data["digest"] };
    const second = await bench.send(agent, bench.request("host.inventory", spec));
    expect(bench.store.table.rev).toBe(rev);
    expect(JSON.stringify(second.data).length).toBeLessThan(150);
  });
});
