import fc from "../support/fc.ts";
import { refreshedOrder } from "../../agents/simulator/model/operations/bootOrder.ts";
import { newVm } from "../../agents/simulator/model/operations/vmDefaults.ts";
import { fileName, join } from "../../agents/simulator/model/paths.ts";
import { settle, stopped } from "../../agents/simulator/model/settle.ts";
import { readNotes, writeNotes } from "../../agents/simulator/model/stamp.ts";
import type { Vm } from "../../agents/simulator/model/types.ts";
import type { World } from "../../agents/simulator/model/world.ts";
import type { Random } from "../../src/engine/ports.ts";

/** What a careless admin does to a host. Every machine counts, foreign ones too. */
type Act = (world: World, vm: Vm, chance: Random) => void;

const adapters = (vm: Vm, change: (one: Vm["adapters"][number]) => Vm["adapters"][number]): Vm => ({
  ...vm,
  adapters: vm.adapters.map((one, index) => (index === 0 ? change(one) : one)),
});

const detach: Act = (world, vm, chance) => {
  const [first, ...rest] = vm.drives;
  if (!first) return;
  const last = chance.next() < 0.5;
  const drives = last ? vm.drives.slice(0, -1) : rest;
  world.putVm(refreshedOrder({ ...vm, drives }));
};

/** An export copy: another id, the same notes, copies of the files. */
const copy: Act = (world, vm, chance) => {
  const id = chance.uuid();
  const folder = `D:\\Exports\\${id}`;
  const drives = vm.drives.map((drive) => {
    const file = world.disk(drive.path);
    const path = join(folder, fileName(drive.path));
    if (file) world.putFile({ ...file, path, diskId: chance.uuid() });
    return { ...drive, path };
  });
  const own = vm.adapters.map((one) => ({
    ...one,
    id: `Microsoft:${id.toUpperCase()}\\${chance.uuid().toUpperCase()}`,
  }));
  const name = `${vm.name}-copy`;
  world.putVm(refreshedOrder({ ...stopped(vm), id, name, path: folder, drives, adapters: own, checkpoints: [] }));
};

const foreign: Act = (world, vm, chance) => {
  const id = chance.uuid();
  const adapterId = `Microsoft:${id.toUpperCase()}\\${chance.uuid().toUpperCase()}`;
  world.putVm(newVm({ id, adapterId, name: vm.name, generation: 2, path: `D:\\Foreign\\${id}` }));
};

/** Acts that leave nothing to doubt: the loop must bring everything back by itself (approvals given). */
export const mendable = {
  setMemory: (world, vm) => world.putVm({ ...vm, memory: { ...vm.memory, startupBytes: 3 * 2 ** 29 } }),
  setCpu: (world, vm) => world.putVm({ ...vm, cpu: { ...vm.cpu, count: 7 } }),
  deleteVm: (world, vm) => world.removeVm(vm.id),
  unregisterVm: (world, vm) => {
    const path = join(vm.path, "Virtual Machines", `${vm.id.toUpperCase()}.vmcx`);
    world.removeVm(vm.id);
    world.putFile({ type: "vmcx", path, fileSize: 65_536, vm: stopped(vm) });
  },
  renameVm: (world, vm) => world.putVm({ ...vm, name: `${vm.name.slice(0, 40)}-by-hand` }),
  pullPlug: (world, vm) => world.putVm(stopped(vm)),
  setVlan: (world, vm) => world.putVm(adapters(vm, (one) => ({ ...one, vlan: { mode: "Access", id: 99 } }))),
  unplugAdapter: (world, vm) => world.putVm(adapters(vm, ({ switchId: _, ...one }) => one)),
  removeAdapter: (world, vm) => world.putVm(refreshedOrder({ ...vm, adapters: vm.adapters.slice(1) })),
  detach,
} satisfies Record<string, Act>;

/** Acts that may end in a question to a person. */
export const doubtful = {
  ...mendable,
  /** Notes that no spec declares are the user's. */
  userNotes: (world, vm) => world.putVm({ ...vm, notes: writeNotes("typed by hand", readNotes(vm.notes).stamp) }),
  editNotes: (world, vm) => world.putVm({ ...vm, notes: "who needs marks" }),
  copy,
  foreign,
  save: (world, vm) => world.putVm({ ...stopped(vm), state: "Saved" }),
  hang: (world, { guest: _, ...vm }) => world.putVm({ ...vm, hung: true, heartbeat: "NoContact" }),
  renameSwitch: (world) => {
    const [found] = world.switches();
    if (found) world.putSwitch({ ...found, name: `${found.name}-2` });
  },
} satisfies Record<string, Act>;

export interface AdminAct {
  readonly act: keyof typeof doubtful;
  readonly on: number;
}

export const anyAct = (among: Readonly<Record<string, Act>>): fc.Arbitrary<AdminAct> =>
  fc.record({
    act: fc.constantFrom(...(Object.keys(among) as (keyof typeof doubtful)[])),
    on: fc.nat({ max: 7 }),
  });

/** Carries the act out on one of the host's machines. Nothing where it has none. */
export const carryOut = (world: World, { act, on }: AdminAct, now: number, chance: Random): void => {
  settle(world, now);
  const vms = world.vms();
  const vm = vms[on % Math.max(vms.length, 1)];
  if (vm) doubtful[act](world, vm, chance);
};
