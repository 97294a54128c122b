import { expect, test } from "vitest";
import type { World } from "../../agents/simulator/model/world.ts";
import type { Vm } from "../../agents/simulator/model/types.ts";
import { Plane, type Manifest } from "../support/plane.ts";
import { manifests, type WorldSpec } from "./world.ts";
import { mendable } from "./admin.ts";

const MINUTE = 60_000;
const INTERVAL = 30_000;

const hosts = Array.from({ length: 4 }, (_, index) => `hv${index + 1}`);

/** So many machines, each with its system disk, and an adapter for every other one: 2.5 objects a machine. */
const wide = (machines: number): WorldSpec => ({
  hosts,
  named: 0,
  disks: [],
  vms: Array.from({ length: machines }, (_, index) => ({
    name: `vm${index}`,
    host: hosts[index % hosts.length] ?? "hv1",
    generation: 2,
    cpu: 1,
    memoryMi: 256,
    power: "Running",
    approval: "Automatic",
    notes: "",
    secureBoot: true,
  })),
  nics: Array.from({ length: machines / 2 }, (_, index) => ({
    name: `nic${index}`,
    vm: `vm${index * 2}`,
    network: "lan",
    vlan: 10,
    connected: true,
    macSpoofing: false,
  })),
});

const start = async (machines: number): Promise<Plane> => {
  const behaviour = { latency: { factor: 0.1 } };
  const plane = await new Plane({ seed: 1, hosts: hosts.map((name) => ({ name })), behaviour }).start();
  await plane.apply(manifests(wide(machines)) as readonly Manifest[]);
  const { quiet } = await plane.settle();
  expect(quiet).toBe(true);
  expect([...plane.standing()].filter(([, standing]) => standing !== "Ready")).toEqual([]);
  return plane;
};

test(
  "1,000 objects in steady state: no write, no job, one question a host and interval",
  { timeout: 600_000 },
  async () => {
    const plane = await start(400);
    expect(plane.objects().length).toBeGreaterThan(1000);
    const before = plane.counters();
    const asked = [...plane.hosts.values()].map(({ received }) => received.length);
    await plane.pass(10 * MINUTE);
    const after = plane.counters();
    expect(after.storeWrites - before.storeWrites).toBe(0);
    expect(after.jobs - before.jobs).toBe(0);
    expect(after.inventories - before.inventories).toBe((hosts.length * 10 * MINUTE) / INTERVAL);
    // All that a host heard, and not only what the directory counts.
    const heard = [...plane.hosts.values()].map(({ received }, index) => received.length - (asked[index] ?? 0));
    expect(heard).toEqual(hosts.map(() => (10 * MINUTE) / INTERVAL));
    await plane.stop();
  },
);

test("three writes an object from apply to Ready", async () => {
  const plane = await start(40);
  const { toReadyWrites, progressWrites } = plane.counters();
  const perObject = toReadyWrites / plane.objects().length;
  expect(perObject).toBeLessThanOrEqual(3);
  expect(progressWrites / plane.objects().length).toBeLessThanOrEqual(3);
  await plane.stop();
});

type Admin = (world: World, vm: Vm, chance: Plane["random"]) => void;

test.each(Object.keys(mendable) as (keyof typeof mendable)[])(
  "an admin's %s: the first repairing job is sent, or the change is reported, within one interval and a second",
  async (name) => {
    const plane = await start(4);
    // At a time that has nothing to do with the interval.
    await plane.pass(7_321);
    const host = plane.host("hv1");
    host.change((world) => {
      const vm = world.vms().find((one) => one.name === "vm0");
      if (!vm) throw new Error("the machine is not there");
      (mendable[name] as Admin)(world, vm, plane.random);
    });
    const at = plane.clock.now().getTime();
    const before = plane.counters();
    const asked = host.received.length;
    await plane.pass(INTERVAL + 1000);
    const jobs = host.received.slice(asked).filter(({ request }) => request.operation !== "host.inventory");
    const sent = jobs.filter(({ request }) => request.metadata.epoch > 0 && /^(vm|disk|nic)\./.test(request.operation));
    const reported = plane.counters().storeWrites > before.storeWrites;
    expect({ name, sentOrReported: sent.length > 0 || reported }).toEqual({ name, sentOrReported: true });
    for (const { at: when } of sent.slice(0, 1)) expect(when - at).toBeLessThanOrEqual(INTERVAL + 1000);
    await plane.stop();
  },
);
