import type { FaultRule } from "../../../agents/simulator/model/faults.ts";
import { isPartial, isTrash } from "../../../agents/simulator/model/paths.ts";
import type { World } from "../../../agents/simulator/model/world.ts";
import { keyOf, keyText } from "../../../src/api/resource.ts";
import { namespace, type WorldSpec } from "../../property/world.ts";
import { standingOf } from "../../support/plane.ts";
import { differences } from "./oracle.ts";
import { leaks } from "./secrets.ts";
import type { Simulation } from "./simulation.ts";

const second = 1000;
/** Until all is as declared, once nothing goes wrong any more. */
const patienceMs = 5400 * second;
const stepMs = 5 * second;
/** Without any write or change: longer than an interval of inventories. */
const quietMs = 40 * second;
const silenceMs = 95 * second;

/** Nothing goes wrong any more: all must become as declared, and then be silent. What is not so; empty when all is well. */
export const end = async (simulation: Simulation): Promise<readonly string[]> => {
  const { scheduler, climate, supervisor, network, backend } = simulation;
  scheduler.note("-> from now on nothing goes wrong");
  climate.clear();
  supervisor.calm();
  backend.heal();
  // What was to end by itself ends, and a leader that is found frozen is replaced.
  await simulation.pass(Math.max(25 * second, simulation.troubleUntil - scheduler.ms + 5 * second));
  simulation.settled = true;
  for (const { host } of simulation.hosts.values()) {
    network.mend(host.name);
    host.behaviour = { ...host.behaviour, faults: [] as readonly FaultRule[] };
    // Nobody else frees a job that hangs until its deadline, which may be hours away.
    host.kill();
  }
  for (const { host, watch } of simulation.hosts.values())
    watch.byHand(() => host.change((world) => freeNames(world, watch.strangers, simulation.wanted)));
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
    ...leaks([...simulation.logged, ...backend.texts()]),
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

/** Whose names are wanted for ours go: a conflict of names is a person's to end. */
const freeNames = (world: World, strangers: readonly string[], wanted: WorldSpec): void => {
  const names = new Set(wanted.vms.map(({ name }) => name));
  for (const id of strangers) if (names.has(world.vm(id)?.name ?? "")) world.removeVm(id);
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
