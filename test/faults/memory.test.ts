import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { Chance } from "./sim/chance.ts";
import { Simulation } from "./sim/simulation.ts";
import { stores, type StoreKind } from "./sim/story.ts";
import { oneVm } from "./scenarios/stage.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** A world whose processes were killed at work, and that is over. */
const past = async (store: StoreKind, seed: number): Promise<WeakRef<Simulation>> => {
  const parts = { chance: new Chance(seed), store, hosts: oneVm.hosts, crashes: false, trace: "drop" } as const;
  const simulation = new Simulation({ ...parts, climate: "fair" });
  simulation.supervisor.begin();
  await simulation.want(oneVm);
  for (const ms of [20, 3000, 30_000]) {
    await simulation.pass(ms);
    simulation.supervisor.crash(0);
    simulation.supervisor.crash(1);
  }
  await simulation.pass(25_000);
  await simulation.close();
  return new WeakRef(simulation);
};

test.each(stores)("a run that is over is held by nothing (%s)", { timeout: 120_000 }, async (store) => {
  const worlds: WeakRef<Simulation>[] = [];
  for (const seed of [1, 2, 3]) worlds.push(await past(store, seed));
  const held = (): number => worlds.filter((world) => world.deref() !== undefined).length;
  for (let turns = 0; turns < 50 && held() > 0; turns += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    collect();
  }
  expect(held()).toBe(0);
});
