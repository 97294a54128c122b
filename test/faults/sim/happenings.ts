import { isPartial, isTrash } from "../../../agents/simulator/model/paths.ts";
import { settle, stopped } from "../../../agents/simulator/model/settle.ts";
import type { Vm } from "../../../agents/simulator/model/types.ts";
import type { World } from "../../../agents/simulator/model/world.ts";
import { keyText } from "../../../src/api/resource.ts";
import { carryOut, mendable, type AdminAct } from "../../property/admin.ts";
import { namespace } from "../../property/world.ts";
import type { Chance } from "./chance.ts";
import type { Simulation, WatchedHost } from "./simulation.ts";
import type { Happening } from "./story.ts";

const second = 1000;

/** Makes one thing happen. */
export const happen = async (simulation: Simulation, happening: Happening): Promise<void> => {
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
      simulation.trouble(happening.ms, "", () => process?.resume());
      return;
    }
    case "supplant":
      simulation.trouble(happening.frozenMs + happening.livesMs, "", () => undefined);
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
      simulation.trouble(happening.ms, "the network is mended", () => network.mend(host.name));
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
      return addForeign(watched, (world) =>
        carryOut(world, { act: "foreign", on: happening.on }, scheduler.ms + watched.skewMs, simulation.chance),
      );
    case "grow":
      return growByHand(simulation, watched, happening.on);
    case "admin": {
      const names = Object.keys(mendable) as AdminAct["act"][];
      const act: AdminAct = { act: names[happening.act % names.length] ?? "setCpu", on: happening.on };
      scheduler.note(`admin: ${act.act}`);
      const now = scheduler.ms + watched.skewMs;
      byHand(watched, () =>
        host.change((world) => {
          // What is due comes first, and may change the order in which the host tells its machines.
          settle(world, now);
          if (!isHalfMade(world.vms(), act.on)) carryOut(world, act, now, simulation.chance);
        }),
      );
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

const goOffline = (simulation: Simulation, { host }: WatchedHost, ms: number): void => {
  host.behaviour = { ...host.behaviour, offline: true };
  host.kill();
  simulation.trouble(ms, `${host.name} is back`, () => (host.behaviour = { ...host.behaviour, offline: false }));
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

/** No space is left on any volume for a time. */
const fill = (simulation: Simulation, watched: WatchedHost, ms: number): void => {
  const { host } = watched;
  const before = host.read((world) => world.volumes());
  if (before.some(({ otherBytes, totalBytes }) => otherBytes === totalBytes)) return;
  const put = (volumes: typeof before): void =>
    byHand(watched, () => host.change((world) => volumes.forEach((one) => world.putVolume(one))));
  put(before.map((one) => ({ ...one, otherBytes: one.totalBytes })));
  simulation.trouble(ms, `${host.name} has space again`, () => put(before));
};
