import fc from "../support/fc.ts";
import { expect, test } from "vitest";
import type { Fault, FaultRule } from "../../agents/simulator/model/faults.ts";
import type { Operation } from "../../src/protocol/generated/types.ts";
import { anyAct, carryOut, doubtful, mendable } from "./admin.ts";
import { summary } from "./hostState.ts";
import { applyWorld, parameters, unready, watchedPlane } from "./rig.ts";
import { anyEdit, anyLooseWorld, anyWorld, edited } from "./world.ts";
import { standingOf, type Plane } from "../support/plane.ts";

const pause = fc.constantFrom(0, 100, 1000, 5000, 40_000, 200_000);

test("a careless admin's changes are undone", { timeout: 1_800_000 }, async () => {
  const acts = fc.array(fc.tuple(anyAct(mendable), fc.constantFrom("hv1", "hv2"), pause), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(anyWorld, acts, fc.nat(), async (world, changes, seed) => {
      const { plane } = await watchedPlane(seed);
      await applyWorld(plane, world);
      await plane.settle();
      const wanted = summary(plane);
      for (const [act, host, ms] of changes) {
        const { clock, random } = plane;
        plane.host(host).change((on) => carryOut(on, act, clock.now().getTime(), random));
        await plane.pass(ms);
      }
      const settled = await plane.settleApproved();
      expect({ quiet: settled.quiet, unready: unready(plane) }).toEqual({ quiet: true, unready: [] });
      expect(summary(plane)).toEqual(wanted);
      await plane.stop();
    }),
    parameters(40),
  );
});

test("whatever an admin does, it is undone or reported, and no disk suffers", { timeout: 1_800_000 }, async () => {
  const acts = fc.array(fc.tuple(anyAct(doubtful), fc.constantFrom("hv1", "hv2"), pause), {
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(anyWorld, acts, fc.nat(), async (world, changes, seed) => {
      const { plane } = await watchedPlane(seed);
      await applyWorld(plane, world);
      for (const [act, host, ms] of changes) {
        await plane.pass(ms);
        const { clock, random } = plane;
        plane.host(host).change((on) => carryOut(on, act, clock.now().getTime(), random));
      }
      const settled = await plane.settleApproved(6 * 3_600_000);
      const unexplained = plane
        .objects()
        .map((object) => ({ object, standing: standingOf(object) }))
        .filter(
          ({ object, standing }) => standing === "Outdated" || (standing === "Ready" && plane.plan(object).length > 0),
        )
        .map(({ object, standing }) => `${object.kind}/${object.metadata.name}: ${standing}`);
      expect({ quiet: settled.quiet, unexplained }).toEqual({ quiet: true, unexplained: [] });
      await plane.stop();
    }),
    parameters(40),
  );
});

// Faults and restarts ------------------------------------------------------------------------------------------------

const operations: readonly Operation[] = [
  "vm.create",
  "vm.update",
  "vm.power",
  "vm.delete",
  "disk.create",
  "disk.clone",
  "disk.update",
  "disk.attach",
  "disk.detach",
  "disk.move",
  "disk.delete",
  "nic.create",
  "nic.update",
  "nic.delete",
  "host.inventory",
];

const points = [
  "created",
  "stamped",
  "configured",
  "renamed",
  "registered",
  "copying",
  "identity",
  "resized",
  "sidecar",
  "attached",
  "detached",
  "trashed",
  "manifest",
  "moved",
  "starting",
  "removed",
  "adapterRemoved",
];

const anyFault: fc.Arbitrary<Fault> = fc.oneof(
  fc.constantFrom<Fault>(
    { type: "cut" },
    { type: "garbage" },
    { type: "duplicate" },
    { type: "lost" },
    { type: "partial" },
    { type: "hang" },
    { type: "slow", ms: 20_000 },
    { type: "error", code: "HyperVError" },
    { type: "error", code: "Busy" },
    { type: "incomplete", part: "vms" },
    { type: "incomplete", part: "disks" },
  ),
  fc
    .tuple(fc.constantFrom(...points), fc.boolean())
    .map(([point, before]): Fault => ({ type: "crash", point: before ? `before:${point}` : point })),
);

const anyRules: fc.Arbitrary<readonly FaultRule[]> = fc
  .array(
    fc.record({
      operation: fc.option(fc.constantFrom(...operations), { nil: undefined }),
      probability: fc.constantFrom(0.2, 0.5, 1),
      count: fc.integer({ min: 1, max: 4 }),
      fault: anyFault,
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((rules) =>
    rules.map(({ operation, ...rule }, index) => ({ id: `f${index}`, ...(operation && { operation }), ...rule })),
  );

type Disturbance = "none" | "restart" | "kill" | "offline" | "stop";

const disturb = async (plane: Plane, what: Disturbance, name: string): Promise<void> => {
  const host = plane.host(name);
  switch (what) {
    case "none":
      return;
    case "restart":
      return plane.restart();
    case "kill":
      return host.kill();
    case "stop":
      await plane.stop();
      await plane.pass(7000);
      await plane.start();
      return;
    case "offline":
      host.behaviour = { ...host.behaviour, offline: true };
      host.kill();
      await plane.pass(50_000);
      host.behaviour = { ...host.behaviour, offline: false };
      return;
    default:
      return what satisfies never;
  }
};

const anySteps = fc.array(
  fc.record({
    edit: fc.option(anyEdit, { nil: undefined }),
    disturbance: fc.constantFrom<Disturbance>("none", "restart", "kill", "offline", "stop"),
    host: fc.constantFrom("hv1", "hv2"),
    pause: fc.constantFrom(0, 50, 300, 1500, 4000, 30_000),
  }),
  { minLength: 1, maxLength: 8 },
);

const endFaults = async (plane: Plane): Promise<void> => {
  for (const host of plane.hosts.values()) host.behaviour = {};
  const settled = await plane.settleApproved(6 * 3_600_000);
  expect({ quiet: settled.quiet, unready: unready(plane) }).toEqual({ quiet: true, unready: [] });
};

test("faults of agents and restarts leave nothing behind", { timeout: 1_800_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(anyWorld, anyRules, anySteps, fc.nat(), async (first, faults, steps, seed) => {
      const { plane } = await watchedPlane(seed, { behaviour: { faults } });
      let world = first;
      await applyWorld(plane, world);
      for (const { edit, disturbance, host, pause: ms } of steps) {
        await plane.pass(ms);
        if (edit) world = edited(world, edit);
        await applyWorld(plane, world);
        await plane.approveAll();
        await disturb(plane, disturbance, host);
      }
      await endFaults(plane);
      const { plane: fresh } = await watchedPlane(seed + 1);
      await applyWorld(fresh, world);
      await fresh.settle();
      expect(summary(plane)).toEqual(summary(fresh));
      await Promise.all([plane.stop(), fresh.stop()]);
    }),
    parameters(50),
  );
});

test("a machine that the scheduler places is made once, whatever goes wrong", { timeout: 1_800_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(anyLooseWorld, anyRules, anySteps, fc.nat(), async (world, faults, steps, seed) => {
      const { plane } = await watchedPlane(seed, { behaviour: { faults } });
      await applyWorld(plane, world);
      for (const { disturbance, host, pause: ms } of steps) {
        await plane.pass(ms);
        await disturb(plane, disturbance, host);
      }
      await endFaults(plane);
      const made = [...plane.hosts.values()].flatMap((host) => host.read((on) => on.vms().map(({ name }) => name)));
      expect(made.toSorted()).toEqual(world.vms.map(({ name }) => name).toSorted());
      await plane.stop();
    }),
    parameters(40),
  );
});
