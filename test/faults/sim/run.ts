import { keyOf } from "../../../src/api/resource.ts";
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
  /** What it was about: happenings of the story, effects on hosts, things that went wrong by chance. */
  readonly steps: number;
  readonly effects: number;
  readonly faults: number;
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
  const notes = chance.fork("notes");
  let problems: readonly string[] = [];
  let taken = 0;
  try {
    for (const { host } of simulation.hosts.values()) host.behaviour = { faults: rules };
    simulation.supervisor.begin();
    await simulation.want(world);
    takeNotes(simulation, notes);
    for (const { pause, happening } of steps) {
      await simulation.pass(pause);
      if (simulation.alarms.length > 0) break;
      scheduler.note(`-> ${JSON.stringify(happening.what === "edit" ? { what: "edit" } : happening)}`);
      await happen(simulation, happening);
      taken += 1;
      if (happening.what === "edit") takeNotes(simulation, notes);
    }
    if (simulation.alarms.length === 0) problems = await end(simulation);
  } catch (error) {
    problems = [`the simulation itself failed: ${error instanceof Error ? error.stack : String(error)}`];
  }
  const outcome: Outcome = {
    seed,
    store,
    hash: scheduler.hash,
    problems: [...simulation.alarms, ...problems],
    trace: [...scheduler.trace],
    steps: taken,
    effects: simulation.effects,
    faults: simulation.climate.struck,
    events: scheduler.ran,
    seconds: Math.round((scheduler.ms - began) / 1000),
  };
  await simulation.close();
  return outcome;
};

/** People and their tools annotate things while the control plane has just begun with them. */
const takeNotes = (simulation: Simulation, chance: Chance): void => {
  const { scheduler, truth, backend } = simulation;
  for (let count = chance.int(0, 2); count > 0; count -= 1) {
    const ms = chance.wide(1, 3000);
    scheduler.at(ms, "somebody takes a note", () => {
      const fresh = truth.list().filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      const object = chance.pick(fresh);
      if (object) void backend.annotate(keyOf(object), "example.com/note", `${Math.round(ms)}`);
    });
  }
};
