import { Chance } from "./chance.ts";
import { end } from "./ending.ts";
import { happen } from "./happenings.ts";
import { Simulation } from "./simulation.ts";
import { storyOf, type StoreKind } from "./story.ts";

export interface Outcome {
  readonly seed: number;
  readonly store: StoreKind;
  /** Equal for equal runs. */
  readonly hash: string;
  /** What went wrong; empty for a good run. */
  readonly problems: readonly string[];
  readonly trace: readonly string[];
  /** Events, and virtual seconds. */
  readonly events: number;
  readonly seconds: number;
}

export interface RunOptions {
  readonly trace?: "keep" | "drop";
  readonly stores?: readonly StoreKind[] | undefined;
}

/** One world from one seed: its story, then fair weather, then the end state and silence. */
export const simulate = async (seed: number, options: RunOptions = {}): Promise<Outcome> => {
  const chance = new Chance(seed);
  const story = storyOf(chance.fork("story"), options.stores);
  const { store, world, steps, rules, crashes } = story;
  const simulation = new Simulation({ chance, store, hosts: world.hosts, crashes, trace: options.trace ?? "drop" });
  const { scheduler } = simulation;
  const began = scheduler.ms;
  let problems: readonly string[] = [];
  try {
    for (const { host } of simulation.hosts.values()) host.behaviour = { faults: rules };
    simulation.supervisor.begin();
    await simulation.want(world);
    for (const { pause, happening } of steps) {
      await simulation.pass(pause);
      if (simulation.alarms.length > 0) break;
      scheduler.note(`-> ${JSON.stringify(happening.what === "edit" ? { what: "edit" } : happening)}`);
      await happen(simulation, happening);
    }
    if (simulation.alarms.length === 0) problems = await end(simulation);
  } catch (error) {
    problems = [`the simulation itself failed: ${error instanceof Error ? error.stack : String(error)}`];
  }
  return {
    seed,
    store,
    hash: scheduler.hash,
    problems: [...simulation.alarms, ...problems],
    trace: scheduler.trace,
    events: scheduler.ran,
    seconds: Math.round((scheduler.ms - began) / 1000),
  };
};
