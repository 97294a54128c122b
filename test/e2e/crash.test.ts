import { afterEach, describe, expect, it } from "vitest";
import { Rig, sleep, small } from "./rig.ts";

let rig: Rig;
afterEach(() => rig.dispose());

/** A linear congruential generator: the moments of a failed run can be had again by its seed. */
const moments = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
};

describe("kill -9 at random moments", () => {
  it("converges all the same, with one of everything", { timeout: 180_000 }, async () => {
    const seed = Number(process.env["TEST_SEED"] ?? Date.now() % 100_000);
    console.log(`seed ${seed} (TEST_SEED=${seed} repeats it)`);
    const next = moments(seed);
    rig = await Rig.make({ manifests: small("a", "b", "c", "d"), hosts: ["hv1"], factor: 0.3 });
    for (let round = 0; round < 8; round += 1) {
      rig.launch();
      await sleep(600 + next() * 2500);
      await rig.stop("SIGKILL");
    }
    await rig.start();
    await rig.ready(13, 90_000);
    const { vms, disks } = await rig.inventory("hv1");
    expect(vms.map(({ name }) => name).sort()).toEqual(["a", "b", "c", "d"]);
    expect(vms.map(({ state }) => state)).toEqual(["Running", "Running", "Running", "Running"]);
    expect(vms.flatMap((vm) => vm.disks)).toHaveLength(4);
    expect(vms.flatMap((vm) => vm.adapters)).toHaveLength(4);
    expect(disks.filter(({ path }) => !path.startsWith("D:\\Images"))).toHaveLength(4);
    expect((await rig.client.status()).epoch).toBeGreaterThanOrEqual(2);
  });
});
