import type { FaultRule, Fault } from "../../../agents/simulator/model/faults.ts";
import type { Operation } from "../../../src/protocol/generated/types.ts";
import { edited, editNames, type WorldSpec } from "../../property/world.ts";
import type { Chance } from "./chance.ts";

export const stores = ["memory", "files", "kubernetes"] as const;
export type StoreKind = (typeof stores)[number];

/** What happens to the world from outside, one thing at a time. */
export type Happening =
  | { readonly what: "edit"; readonly world: WorldSpec }
  | { readonly what: "approve" }
  | { readonly what: "crash" | "stop"; readonly slot: number }
  | { readonly what: "freeze"; readonly slot: number; readonly ms: number }
  | { readonly what: "supplant"; readonly slot: number; readonly frozenMs: number; readonly livesMs: number }
  | { readonly what: "cut" | "offline" | "fill"; readonly host: string; readonly ms: number }
  | { readonly what: "kill" | "reboot"; readonly host: string }
  | { readonly what: "skew"; readonly ms: number }
  | { readonly what: "skewHost"; readonly host: string; readonly ms: number }
  | { readonly what: "admin"; readonly host: string; readonly act: number; readonly on: number }
  | { readonly what: "copy" | "foreign" | "grow"; readonly host: string; readonly on: number }
  | { readonly what: "unheard"; readonly ms: number }
  | { readonly what: "store" };

export interface Step {
  /** Milliseconds before it. */
  readonly pause: number;
  readonly happening: Happening;
}

/** All of a run that is decided beforehand. */
export interface Story {
  readonly store: StoreKind;
  readonly world: WorldSpec;
  readonly steps: readonly Step[];
  readonly rules: readonly FaultRule[];
  readonly crashes: boolean;
}

const addNames = ["addVm", "addDisk", "addNic"] as const;

const change = (world: WorldSpec, name: (typeof editNames)[number], chance: Chance): WorldSpec =>
  edited(world, { what: editNames.indexOf(name), on: chance.int(0, 11), value: chance.int(0, 59) });

const worldOf = (chance: Chance): WorldSpec => {
  const hosts = chance.is(0.6) ? ["hv1"] : ["hv1", "hv2"];
  let world: WorldSpec = { hosts, vms: [], disks: [], nics: [], named: 0 };
  for (const [index, most] of [3, 3, 2].entries()) {
    const count = index === 0 ? chance.int(1, most) : chance.int(0, most);
    for (let made = 0; made < count; made += 1) world = change(world, addNames[index] ?? "addVm", chance);
  }
  const loose = hosts.length > 1 && chance.is(0.3);
  return loose ? { ...world, disks: [], vms: world.vms.map((vm) => ({ ...vm, loose: true })) } : world;
};

const editOf = (world: WorldSpec, chance: Chance): WorldSpec => {
  let next = world;
  for (let count = chance.int(1, 3); count > 0; count -= 1) next = change(next, chance.pick(editNames), chance);
  // Where a loose machine will be nobody knows: a disk of a named host can't be meant for it.
  const loose = new Set(next.vms.filter((vm) => vm.loose).map(({ name }) => name));
  const disks = next.disks.map(({ vm, ...disk }) => (vm === undefined || loose.has(vm) ? disk : { ...disk, vm }));
  return { ...next, disks };
};

/** A machine goes with all that is its own, and comes again under the same name. */
const without = (world: WorldSpec, chance: Chance): WorldSpec => change(world, "removeVm", chance);

const happeningOf = (world: WorldSpec, chance: Chance): Happening => {
  const host = chance.pick(world.hosts) ?? "hv1";
  const slot = chance.int(0, 1);
  const drawn = chance.next() * 100;
  if (drawn < 30) return { what: "edit", world: editOf(world, chance) };
  if (drawn < 38) return { what: "edit", world: without(world, chance) };
  if (drawn < 44) return { what: "approve" };
  if (drawn < 49) return { what: "crash", slot };
  if (drawn < 51) return { what: "stop", slot };
  if (drawn < 56) return { what: "freeze", slot, ms: chance.wide(100, 60_000) };
  if (drawn < 62)
    return { what: "supplant", slot, frozenMs: chance.wide(1, 30_000), livesMs: chance.wide(100, 60_000) };
  if (drawn < 67) return { what: "cut", host, ms: chance.wide(500, 120_000) };
  if (drawn < 71) return { what: "offline", host, ms: chance.wide(500, 120_000) };
  if (drawn < 75) return { what: "kill", host };
  if (drawn < 78) return { what: "reboot", host };
  if (drawn < 81) return { what: "skew", ms: chance.is(0.7) ? chance.wide(100, 600_000) : -chance.wide(10, 5000) };
  if (drawn < 83) return { what: "skewHost", host, ms: chance.wide(100, 600_000) };
  if (drawn < 85) return { what: "fill", host, ms: chance.wide(1000, 120_000) };
  if (drawn < 91) return { what: "admin", host, act: chance.int(0, 100), on: chance.int(0, 7) };
  if (drawn < 95) return { what: chance.pick(["copy", "foreign", "grow"] as const), host, on: chance.int(0, 7) };
  return { what: "store" };
};

/** The earlier world, but for what can't be taken back: disks only grow. */
const again = (earlier: WorldSpec, now: WorldSpec): WorldSpec => ({
  ...earlier,
  named: now.named,
  disks: earlier.disks.map((disk) => {
    const sizes = now.disks.filter(({ name }) => name === disk.name).map(({ sizeGi }) => sizeGi);
    return { ...disk, sizeGi: Math.max(disk.sizeGi, ...sizes) };
  }),
});

const stepsOf = (first: WorldSpec, chance: Chance): readonly Step[] => {
  const steps: Step[] = [];
  let world = first;
  const earlier: WorldSpec[] = [];
  for (let count = chance.int(2, 9); count > 0; count -= 1) {
    const pause = chance.is(0.3) ? chance.wide(1, 300) : chance.wide(300, 40_000);
    let happening = happeningOf(world, chance);
    // A-B-A: what was wanted before is wanted again, things that were removed come back under their names.
    const back = chance.is(0.2) ? chance.pick(earlier) : undefined;
    if (happening.what === "edit" && back) happening = { what: "edit", world: again(back, world) };
    if (happening.what === "edit") {
      earlier.push(world);
      world = happening.world;
    }
    steps.push({ pause, happening });
  }
  return steps;
};

const faulty: readonly Operation[] = [
  "vm.create",
  "vm.update",
  "vm.power",
  "vm.delete",
  "disk.create",
  "disk.clone",
  "disk.update",
  "disk.attach",
  "disk.detach",
  "disk.move",
  "disk.delete",
  "nic.create",
  "nic.update",
  "nic.delete",
  "host.inventory",
];

const faultOf = (chance: Chance): Fault =>
  chance.pick<Fault>([
    { type: "cut" },
    { type: "garbage" },
    { type: "duplicate" },
    { type: "lost" },
    { type: "partial" },
    { type: "hang" },
    { type: "slow", ms: chance.wide(500, 60_000) },
    { type: "error", code: "HyperVError" },
    { type: "error", code: "Busy" },
    { type: "incomplete", part: "vms" },
    { type: "incomplete", part: "disks" },
    { type: "crash", point: `#${chance.int(0, 6)}` },
  ]);

const rulesOf = (chance: Chance): readonly FaultRule[] =>
  Array.from({ length: chance.is(0.4) ? chance.int(1, 4) : 0 }, (_, index) => ({
    id: `f${index}`,
    ...(chance.is(0.7) && { operation: chance.pick(faulty) }),
    probability: chance.pick([0.2, 0.5, 1] as const),
    count: chance.int(1, 4),
    fault: faultOf(chance),
  })) as readonly FaultRule[];

/** The first machine has a data disk, and needs nobody's approval. */
const withData = (world: WorldSpec): WorldSpec => {
  const vms = world.vms.map(({ loose: _, ...vm }) => ({ ...vm, approval: "Automatic" as const }));
  const [vm] = vms;
  if (!vm) return world;
  const disk = { name: "kept", host: vm.host, vm: vm.name, source: "Blank", sizeGi: 20, storageClass: "fast" } as const;
  return { ...world, vms, disks: [...world.disks, disk] };
};

/**
 * A change of mind that the control plane does not hear of: a disk is taken from its machine while the host is away, and given back once
 * the news of it no longer comes.
 */
const changeOfMind = (first: WorldSpec, chance: Chance): readonly Step[] => {
  const held = chance.pick(first.disks.filter(({ vm }) => vm !== undefined));
  if (!held) return [];
  const { host } = held;
  const disks = first.disks.map((disk) => {
    const { vm: _, ...free } = disk;
    return disk === held ? free : disk;
  });
  return [
    { pause: 60_000, happening: { what: "approve" } },
    { pause: 1000, happening: { what: "offline", host, ms: 70_000 } },
    { pause: 500, happening: { what: "edit", world: { ...first, disks } } },
    { pause: chance.wide(500, 5000), happening: { what: "unheard", ms: 110_000 } },
    { pause: 100, happening: { what: "edit", world: first } },
    { pause: 115_000, happening: { what: "approve" } },
  ];
};

export const storyOf = (chance: Chance, only: readonly StoreKind[] = stores): Story => {
  const store = chance.pick(only) ?? "memory";
  const world = worldOf(chance);
  if (store === "kubernetes" && chance.is(0.1)) {
    const freely = withData(world);
    return { store, world: freely, steps: changeOfMind(freely, chance), rules: [], crashes: false };
  }
  return { store, world, steps: stepsOf(world, chance), rules: rulesOf(chance), crashes: chance.is(0.4) };
};
