// Defects that random runs found, each as small as it shrank. What holds in every run is told in the other files here.
import { expect, test } from "vitest";
import { summary } from "./hostState.ts";
import { applyWorld, unready, watchedPlane } from "./rig.ts";
import type { WorldSpec } from "./world.ts";

const one: WorldSpec = {
  hosts: ["hv1"],
  vms: [
    {
      name: "web",
      host: "hv1",
      generation: 2,
      cpu: 1,
      memoryMi: 256,
      power: "Running",
      approval: "Manual",
      notes: "",
      secureBoot: true,
    },
  ],
  disks: [],
  nics: [{ name: "lan", vm: "web", network: "lan", vlan: 0, connected: true, macSpoofing: false }],
  named: 2,
};

const points = [
  "created",
  "stamped",
  "adapterRemoved",
  "processor",
  "memory",
  "firmware",
  "services",
  "actions",
  "renamed",
];

test.each(points.flatMap((point) => [`before:${point}`, point]))(
  "a machine whose making was cut off at %s gets its defaults all the same",
  async (point) => {
    const fault = { type: "crash", point } as const;
    const faults = [{ id: "crash", operation: "vm.create", count: 1, fault } as const];
    const { plane } = await watchedPlane(1, { behaviour: { faults } });
    await applyWorld(plane, one);
    await plane.settle();
    expect(unready(plane)).toEqual([]);
    const { plane: whole } = await watchedPlane(2);
    await applyWorld(whole, one);
    await whole.settle();
    expect(summary(plane)).toEqual(summary(whole));
    await Promise.all([plane.stop(), whole.stop()]);
  },
);

test("a machine stopped for a change long after it was made waits for its adapters before it starts", async () => {
  const old: WorldSpec = { ...one, vms: one.vms.map((vm) => ({ ...vm, generation: 1 })) };
  const { plane } = await watchedPlane(1);
  await applyWorld(plane, old);
  await plane.settle();
  // Longer than a machine stays off for its changes: an old time of being off must not count.
  await plane.pass(1_200_000);
  plane.host("hv1").change((world) => {
    for (const vm of world.vms()) world.putVm({ ...vm, adapters: [] });
  });
  await plane.settle();
  expect(await plane.approveAll()).toBe(1);
  await plane.settle();
  expect(unready(plane)).toEqual([]);
  expect(plane.jobs.slice(-3).map(({ operation }) => operation)).toEqual(["vm.power", "nic.create", "vm.power"]);
  await plane.stop();
});
