import { rm } from "node:fs/promises";
import { afterEach, describe, expect, it } from "vitest";
import { Rig, sleep, small, until } from "./rig.ts";

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
    const begun = Date.now();
    await rig.start();
    const startMs = Date.now() - begun;
    await rig.stop("SIGKILL");
    // On a slow machine, too, some of the moments are after the start.
    for (let round = 0; round < 8; round += 1) {
      rig.launch();
      await sleep(next() * (startMs + 2500));
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

describe("kill -9 amid a batch of deletions that was confirmed", () => {
  it("goes on without a second confirmation", { timeout: 120_000 }, async () => {
    rig = await Rig.make({ manifests: small("a", "b", "c"), hosts: ["hv1"], factor: 0.3 });
    await rig.start();
    await rig.ready(10);
    for (const name of ["a", "b"]) await rm(rig.path(`${name}.yaml`));
    const held = async (): Promise<number> => {
      const stalls = (await rig.objects()).filter(({ status }) => JSON.stringify(status).includes('"MassDeleteGuard"'));
      return stalls.length;
    };
    await until("all six are held", async () => (await held()) === 6);
    const { code, out } = await rig.cli("confirm-delete", "vm/a");
    expect([code, out.trim().split("\n")]).toMatchObject([0, { length: 6 }]);
    await until("the one that was named is gone", async () => (await rig.object("VirtualMachine", "a")) === undefined);
    await rig.stop("SIGKILL");
    await rig.start();
    await until("the rest is gone", async () => (await rig.objects()).length === 4);
    await rig.ready(4);
  });
});
