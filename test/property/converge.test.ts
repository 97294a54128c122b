import fc from "../support/fc.ts";
import { expect, test } from "vitest";
import { summary } from "./hostState.ts";
import { applyWorld, parameters, unready, watchedPlane } from "./rig.ts";
import { anyEdit, anyWorld, edited } from "./world.ts";

const MINUTE = 60_000;

test("a random world becomes Ready, and then there is silence", { timeout: 1_800_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(anyWorld, fc.nat(), async (world, seed) => {
      const { plane } = await watchedPlane(seed);
      await applyWorld(plane, world);
      const settled = await plane.settle();
      expect({ quiet: settled.quiet, unready: unready(plane) }).toEqual({ quiet: true, unready: [] });
      const before = plane.counters();
      await plane.pass(10 * MINUTE);
      const { storeWrites, jobs } = plane.counters();
      expect({ storeWrites, jobs }).toEqual({ storeWrites: before.storeWrites, jobs: before.jobs });
      await plane.stop();
    }),
    parameters(60),
  );
});

test("a random sequence of edits ends as a fresh start from the last spec", { timeout: 1_800_000 }, async () => {
  const steps = fc.array(fc.tuple(anyEdit, fc.constantFrom(0, 0, 300, 3000, 90_000)), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(anyWorld, steps, fc.nat(), async (first, edits, seed) => {
      const { plane } = await watchedPlane(seed);
      let world = first;
      await applyWorld(plane, world);
      for (const [edit, pause] of edits) {
        await plane.pass(pause);
        if (pause > 0) await plane.approveAll();
        world = edited(world, edit);
        await applyWorld(plane, world);
      }
      const settled = await plane.settleApproved();
      expect({ quiet: settled.quiet, unready: unready(plane) }).toEqual({ quiet: true, unready: [] });
      const { plane: fresh } = await watchedPlane(seed + 1);
      await applyWorld(fresh, world);
      await fresh.settle();
      expect(summary(plane)).toEqual(summary(fresh));
      await plane.stop();
      await fresh.stop();
    }),
    parameters(50),
  );
});
