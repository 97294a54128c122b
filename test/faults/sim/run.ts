import type { FaultRule } from "../../../agents/simulator/model/faults.ts";
import { isPartial, isTrash, pathKey } from "../../../agents/simulator/model/paths.ts";
import { stopped } from "../../../agents/simulator/model/settle.ts";
import type { Vm } from "../../../agents/simulator/model/types.ts";
import type { World } from "../../../agents/simulator/model/world.ts";
import { keyOf, keyText } from "../../../src/api/resource.ts";
import { carryOut, mendable, type AdminAct } from "../../property/admin.ts";
import { namespace, type WorldSpec } from "../../property/world.ts";
import { standingOf } from "../../support/plane.ts";
import { Chance } from "./chance.ts";
import { differences } from "./oracle.ts";
import { Simulation, type WatchedHost } from "./simulation.ts";
import { storyOf, type Happening, type StoreKind } from "./story.ts";

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

const second = 1000;
/** Until all is as declared, once nothing goes wrong any more. */
const patienceMs = 5400 * second;
const stepMs = 5 * second;
/** Without any write or change: longer than an unanswered inventory is waited for. */
const quietMs = 75 * second;
const silenceMs = 180 * second;

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
    seconds: Math.round((scheduler.ms - began) / second),
  };
};

const happen = async (simulation: Simulation, happening: Happening): Promise<void> => {
  const { supervisor, scheduler, backend } = simulation;
  switch (happening.what) {
    case "edit":
      return simulation.want(happening.world);
    case "approve":
      return simulation.approve();
    case "crash":
      return supervisor.crash(happening.slot);
    case "stop":
      return supervisor.stop(happening.slot);
    case "freeze": {
      const process = supervisor.processes[happening.slot % Math.max(supervisor.processes.length, 1)];
      process?.pause();
      scheduler.at(happening.ms, "", () => process?.resume());
      return;
    }
    case "supplant":
      return supervisor.supplant(happening.slot, { frozen: happening.frozenMs, lives: happening.livesMs });
    case "skew":
      for (const process of supervisor.processes) process.skewMs += happening.ms;
      return;
    case "store":
      return scheduler.note(backend.disturb());
    case "unheard":
      return backend.silence(happening.ms);
    default:
      return happenToHost(simulation, happening);
  }
};

const happenToHost = (simulation: Simulation, happening: Extract<Happening, { readonly host: string }>): void => {
  const { scheduler, network } = simulation;
  const watched = simulation.host(happening.host);
  const { host } = watched;
  switch (happening.what) {
    case "cut":
      network.cut(host.name);
      scheduler.at(happening.ms, "the network is mended", () => network.mend(host.name));
      return;
    case "offline":
      return goOffline(simulation, watched, happening.ms);
    case "kill":
      return host.kill();
    case "reboot":
      host.kill();
      byHand(watched, () => host.change((world) => world.vms().forEach((vm) => world.putVm(stopped(vm)))));
      return goOffline(simulation, watched, 30 * second);
    case "skewHost":
      watched.skewMs += happening.ms;
      return;
    case "fill":
      return fill(simulation, watched, happening.ms);
    case "copy":
      return addForeign(watched, (world) => copyBare(world, happening.on, simulation.chance));
    case "foreign":
      if (host.read((world) => isHalfMade(world.vms(), happening.on))) return;
      return addForeign(watched, (world) =>
        carryOut(world, { act: "foreign", on: happening.on }, scheduler.ms + watched.skewMs, simulation.chance),
      );
    case "grow":
      return growByHand(simulation, watched, happening.on);
    case "admin": {
      const names = Object.keys(mendable) as AdminAct["act"][];
      const act: AdminAct = { act: names[happening.act % names.length] ?? "setCpu", on: happening.on };
      scheduler.note(`admin: ${act.act}`);
      if (host.read((world) => isHalfMade(world.vms(), act.on))) return;
      const now = scheduler.ms + watched.skewMs;
      byHand(watched, () => host.change((world) => carryOut(world, act, now, simulation.chance)));
      return;
    }
    default:
      return happening satisfies never;
  }
};

/** Still under the name of its making. A hand that renames it then takes away what tells that it is not finished. */
const isHalfMade = (vms: readonly Vm[], on: number): boolean =>
  vms[on % Math.max(vms.length, 1)]?.name.startsWith("aetherv-") === true;

const byHand = ({ watch }: WatchedHost, work: () => void): void => watch.byHand(work);

const goOffline = ({ scheduler }: Simulation, { host }: WatchedHost, ms: number): void => {
  host.behaviour = { ...host.behaviour, offline: true };
  host.kill();
  scheduler.at(ms, `${host.name} is back`, () => (host.behaviour = { ...host.behaviour, offline: false }));
};

/** A machine that is not ours, and whatever comes with it: nobody may touch it from now on. */
const addForeign = (watched: WatchedHost, make: (world: World) => void): void => {
  const { host, watch } = watched;
  const ids = (): readonly string[] => host.read((world) => world.vms().map(({ id }) => id));
  const before = new Set(ids());
  byHand(watched, () => host.change(make));
  const made = host.read((world) => world.vms().filter(({ id }) => !before.has(id)));
  watch.protect(Object.fromEntries(made.map((vm) => [`vm:${vm.id}`, vm])));
};

/** An export of a machine, imported beside it without its devices: it carries the notes of its original. */
const copyBare = (world: World, on: number, chance: Chance): void => {
  const vms = world.vms().filter(({ name }) => !name.startsWith("aetherv-"));
  const vm = vms[on % Math.max(vms.length, 1)];
  if (!vm) return;
  const id = chance.uuid();
  const bare = { drives: [], adapters: [], checkpoints: [], bootOrder: [], due: [] };
  world.putVm({ ...stopped(vm), ...bare, id, name: `${vm.name}-copy`, path: `D:\\Exports\\${id}` });
};

/** An admin gives a data disk more than its owner declares; the owner takes it into the declaration at the end. */
const growByHand = ({ wanted, truth }: Simulation, watched: WatchedHost, on: number): void => {
  const { host } = watched;
  const disk = wanted.disks.filter((one) => one.host === host.name && one.source !== "Differencing")[on % 3];
  const uid = disk && truth.get(keyText({ kind: "VirtualDisk", namespace, name: disk.name }))?.metadata.uid;
  if (uid === undefined) return;
  byHand(watched, () =>
    host.change((world) => {
      const [file] = world.disksOfUid(uid);
      if (file && !isPartial(file.path) && !isTrash(file.path) && world.children(file.path).length === 0)
        world.putFile({ ...file, size: file.size + 7 * 2 ** 30 });
    }),
  );
};

/** What hosts have more than is declared is declared now. */
const declareGrowth = (simulation: Simulation): WorldSpec => ({
  ...simulation.wanted,
  disks: simulation.wanted.disks.map((disk) => {
    const { metadata } = simulation.truth.get(keyText({ kind: "VirtualDisk", namespace, name: disk.name })) ?? {};
    const sizes = simulation
      .host(disk.host)
      .host.read((world) =>
        world.disksOfUid(metadata?.uid ?? "").filter(({ path }) => !isTrash(path) && !isPartial(path)),
      )
      .map(({ size }) => size / 2 ** 30);
    return { ...disk, sizeGi: Math.max(disk.sizeGi, ...sizes) };
  }),
});

/** No space is left on any volume for a time. */
const fill = ({ scheduler }: Simulation, watched: WatchedHost, ms: number): void => {
  const { host } = watched;
  const before = host.read((world) => world.volumes());
  if (before.some(({ otherBytes, totalBytes }) => otherBytes === totalBytes)) return;
  const put = (volumes: typeof before): void =>
    byHand(watched, () => host.change((world) => volumes.forEach((one) => world.putVolume(one))));
  put(before.map((one) => ({ ...one, otherBytes: one.totalBytes })));
  scheduler.at(ms, `${host.name} has space again`, () => put(before));
};

// The end ------------------------------------------------------------------------------------------------------------

const end = async (simulation: Simulation): Promise<readonly string[]> => {
  const { scheduler, climate, supervisor, network, backend } = simulation;
  scheduler.note("-> from now on nothing goes wrong");
  climate.clear();
  supervisor.calm();
  backend.heal();
  // What was to end by itself ends: two minutes are the longest.
  await simulation.pass(125 * second);
  simulation.settled = true;
  for (const { host } of simulation.hosts.values()) {
    network.mend(host.name);
    host.behaviour = { ...host.behaviour, faults: [] as readonly FaultRule[] };
    // Nobody else frees a job that hangs until its deadline, which may be hours away.
    host.kill();
  }
  await simulation.want(declareGrowth(simulation));
  const standing = await converge(simulation);
  if (standing.length > 0 || simulation.alarms.length > 0) return standing;
  return [
    ...(await silence(simulation)),
    ...differences(
      simulation.wanted,
      simulation.truth.list(),
      [...simulation.hosts.values()].map(({ host }) => host),
    ),
    ...[...simulation.hosts.values()].flatMap(({ watch }) => watch.recorded()),
  ];
};

/** Lets time pass until everything is Ready, nothing is left to do, and nothing was written for a while. */
const converge = async (simulation: Simulation): Promise<readonly string[]> => {
  const { scheduler } = simulation;
  const until = scheduler.ms + patienceMs;
  let mark = "";
  let since = scheduler.ms;
  let waiting: readonly string[] = [];
  while (scheduler.ms < until) {
    await simulation.want(simulation.wanted);
    await simulation.approve();
    await simulation.pass(scheduler.ms - since < quietMs ? stepMs : 12 * stepMs);
    if (simulation.alarms.length > 0) return [];
    const now = activity(simulation);
    if (now !== mark) since = scheduler.ms;
    mark = now;
    if (scheduler.ms - since < quietMs) continue;
    waiting = unready(simulation);
    if (waiting.length === 0) return [];
  }
  return [`not as declared after ${patienceMs / second} s of fair weather`, ...waiting, ...unready(simulation)];
};

const activity = ({ truth, hosts }: Simulation): string =>
  [truth.writes, ...[...hosts.values()].map(({ watch }) => `${watch.changes}/${watch.audit.length}`)].join(" ");

const unready = (simulation: Simulation): readonly string[] => {
  const { plane } = simulation;
  if (!plane) return ["no control plane works"];
  return simulation.truth.list().flatMap((object) => {
    const standing = standingOf(object);
    const steps = plane.plan(object).map(({ operation, changes, reason }) => ({ operation, changes, reason }));
    const deleting = object.metadata.deletionTimestamp === undefined ? "" : " (deleting)";
    if (standing === "Ready" && steps.length === 0 && deleting === "") return [];
    const { conditions = [] } = (object.status ?? {}) as { conditions?: readonly { type: string; message: string }[] };
    const why = conditions.filter(({ message }) => message !== "").map(({ type, message }) => `${type}: ${message}`);
    return [`${keyText(keyOf(object))}: ${standing}${deleting} ${JSON.stringify(steps)} ${why.join("; ")}`];
  });
};

const silence = async (simulation: Simulation): Promise<readonly string[]> => {
  const before = activity(simulation);
  simulation.scheduler.note("-> silence");
  await simulation.pass(silenceMs);
  const after = activity(simulation);
  return before === after ? [] : [`no silence: ${before} became ${after}`];
};
