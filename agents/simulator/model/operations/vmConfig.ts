import type { DynamicMemory, VmConfig } from "../../../../src/protocol/generated/types.ts";
import { fail } from "../errors.ts";
import { bootDrive } from "../guest.ts";
import { requireMemory } from "../guards.ts";
import { readNotes, writeNotes } from "../stamp.ts";
import type { Vm } from "../types.ts";
import { MAXIMUM_MEMORY, MAXIMUM_PROCESSORS } from "../views.ts";
import type { World } from "../world.ts";
import { wantedOrder } from "./bootOrder.ts";

/** One setting's change: what it needs, and what it does. */
export interface Setting {
  readonly field: string;
  /** Effect's name, for crash points: settings of one group are one cmdlet. */
  readonly group: "name" | "notes" | "processor" | "memory" | "firmware" | "tpm" | "services" | "actions" | "boot";
  readonly needs: "off" | "any";
  readonly apply: (vm: Vm) => Vm;
}

const RUNNING_MEMORY_MINIMUM = 32 * 2 ** 20;
const DYNAMIC_DEFAULT_MINIMUM = 512 * 2 ** 20;
const DYNAMIC_DEFAULT_MAXIMUM = 2 ** 40;

const cpuSettings = (vm: Vm, set: NonNullable<VmConfig["cpu"]>): Setting[] => {
  const hot = new Set(["reservePercent", "limitPercent", "relativeWeight"]);
  return (Object.keys(set) as (keyof typeof set)[])
    .filter((field) => set[field] !== undefined && set[field] !== vm.cpu[field])
    .map((field) => ({
      field: `cpu.${field}`,
      group: "processor",
      needs: hot.has(field) ? "any" : "off",
      apply: (now) => ({ ...now, cpu: { ...now.cpu, [field]: set[field] } }),
    }));
};

const wantedDynamic = (vm: Vm, set: NonNullable<VmConfig["memory"]>): DynamicMemory | undefined => {
  const enabled = set.dynamicEnabled ?? vm.memory.dynamic !== undefined;
  if (!enabled) return undefined;
  const startup = set.startupBytes ?? vm.memory.startupBytes;
  const now = vm.memory.dynamic;
  return {
    minimumBytes: set.minimumBytes ?? now?.minimumBytes ?? Math.min(DYNAMIC_DEFAULT_MINIMUM, startup),
    maximumBytes: set.maximumBytes ?? now?.maximumBytes ?? Math.max(DYNAMIC_DEFAULT_MAXIMUM, startup),
    bufferPercent: set.bufferPercent ?? now?.bufferPercent ?? 20,
  };
};

const checkMemory = (vm: Vm, set: NonNullable<VmConfig["memory"]>): void => {
  const startup = set.startupBytes ?? vm.memory.startupBytes;
  if (startup < RUNNING_MEMORY_MINIMUM || startup > MAXIMUM_MEMORY)
    fail("InvalidRequest", `memory.startupBytes: ${startup} is outside ${RUNNING_MEMORY_MINIMUM} to ${MAXIMUM_MEMORY}`);
  const dynamic = wantedDynamic(vm, set);
  if (!dynamic) {
    if (set.minimumBytes !== undefined || set.maximumBytes !== undefined)
      fail("InvalidRequest", "memory.minimumBytes and maximumBytes are possible only with dynamic memory on");
    return;
  }
  if (dynamic.minimumBytes > startup || dynamic.maximumBytes < startup)
    fail(
      "InvalidRequest",
      `memory: expected minimumBytes <= startupBytes <= maximumBytes, got ${dynamic.minimumBytes}, ${startup}, ${dynamic.maximumBytes}`,
    );
};

/** Startup memory of a running static machine: the guest must take part; Linux with hot-add can't give back. */
const hotStartup = (world: World, vm: Vm, bytes: number): "off" | "any" => {
  if (vm.state !== "Running" || vm.memory.dynamic || vm.heartbeat !== "OK") return "off";
  const growth = bytes - vm.memory.startupBytes;
  if (growth < 0 && bootDrive(world, vm)?.os.family !== "Windows") return "off";
  requireMemory(world, vm, growth);
  return "any";
};

const withMemory = (vm: Vm, change: Partial<Vm["memory"]>): Vm => ({ ...vm, memory: { ...vm.memory, ...change } });

const startupSetting = (world: World, vm: Vm, bytes: number): Setting => ({
  field: "memory.startupBytes",
  group: "memory",
  needs: hotStartup(world, vm, bytes),
  apply: (now) =>
    withMemory(now, {
      startupBytes: bytes,
      ...(now.memory.assignedBytes === undefined ? {} : { assignedBytes: bytes }),
    }),
});

const dynamicNeeds = (before: DynamicMemory | undefined, after: DynamicMemory | undefined): "off" | "any" => {
  if (!before || !after) return "off";
  return after.minimumBytes > before.minimumBytes || after.maximumBytes < before.maximumBytes ? "off" : "any";
};

const memorySettings = (world: World, vm: Vm, set: NonNullable<VmConfig["memory"]>): Setting[] => {
  checkMemory(vm, set);
  const settings: Setting[] = [];
  const { startupBytes, weight } = set;
  if (startupBytes !== undefined && startupBytes !== vm.memory.startupBytes)
    settings.push(startupSetting(world, vm, startupBytes));
  const dynamic = wantedDynamic(vm, set);
  if (JSON.stringify(dynamic) !== JSON.stringify(vm.memory.dynamic))
    settings.push({
      field: "memory.dynamic",
      group: "memory",
      needs: dynamicNeeds(vm.memory.dynamic, dynamic),
      apply: ({ memory: { dynamic: _before, ...memory }, ...now }) => ({
        ...now,
        memory: { ...memory, ...(dynamic ? { dynamic } : {}) },
      }),
    });
  if (weight !== undefined && weight !== vm.memory.weight)
    settings.push({
      field: "memory.weight",
      group: "memory",
      needs: "any",
      apply: (now) => withMemory(now, { weight }),
    });
  return settings;
};

const firmwareSettings = (vm: Vm, set: NonNullable<VmConfig["firmware"]>): Setting[] => {
  const now = vm.firmware ?? fail("InvalidRequest", "firmware: Secure Boot needs a machine of generation 2");
  return (Object.keys(set) as (keyof typeof set)[])
    .filter((field) => set[field] !== undefined && set[field] !== now[field])
    .map((field) => ({
      field: `firmware.${field}`,
      group: "firmware",
      needs: "off",
      apply: (before) => ({ ...before, firmware: { secureBoot: true, ...before.firmware, [field]: set[field] } }),
    }));
};

const tpmSetting = (vm: Vm, tpm: boolean): Setting[] => {
  if (tpm && vm.generation === 1) fail("InvalidRequest", "tpm: a TPM needs a machine of generation 2");
  if (tpm === vm.tpm) return [];
  return [{ field: "tpm", group: "tpm", needs: "off", apply: (now) => ({ ...now, tpm }) }];
};

const serviceSettings = (vm: Vm, set: NonNullable<VmConfig["integrationServices"]>): Setting[] =>
  (Object.keys(set) as (keyof typeof set)[])
    .filter((field) => set[field] !== undefined && set[field] !== vm.integrationServices[field])
    .map((field) => ({
      field: `integrationServices.${field}`,
      group: "services",
      needs: "any",
      apply: (now) => ({ ...now, integrationServices: { ...now.integrationServices, [field]: set[field] } }),
    }));

const ACTIONS = {
  automaticStartAction: "any",
  automaticStopAction: "off",
  automaticStartDelaySeconds: "any",
  checkpointType: "any",
  automaticCheckpoints: "any",
} as const;

const actionSettings = (vm: Vm, set: VmConfig): Setting[] =>
  (Object.keys(ACTIONS) as (keyof typeof ACTIONS)[])
    .filter((field) => set[field] !== undefined && set[field] !== vm[field])
    .map((field) => ({
      field,
      group: "actions",
      needs: ACTIONS[field],
      apply: (now) => ({ ...now, [field]: set[field] }),
    }));

const bootSetting = (vm: Vm, wanted: NonNullable<VmConfig["bootOrder"]>): Setting[] => {
  const order = wantedOrder(vm, wanted);
  if (JSON.stringify(order) === JSON.stringify(vm.bootOrder)) return [];
  // UEFI takes a new order at any time, for the next boot; a BIOS only while off.
  const needs = vm.generation === 2 ? "any" : "off";
  return [
    { field: "bootOrder", group: "boot", needs, apply: (now) => ({ ...now, bootOrder: wantedOrder(now, wanted) }) },
  ];
};

const nameSetting = (world: World, vm: Vm, name: string): Setting[] => {
  if (name === vm.name) return [];
  const other = world.vms().find((one) => one.id !== vm.id && one.name.toLowerCase() === name.toLowerCase());
  if (other) fail("NameConflict", `the host has another virtual machine named "${other.name}" (${other.id})`);
  return [{ field: "name", group: "name", needs: "any", apply: (now) => ({ ...now, name }) }];
};

const notesSetting = (vm: Vm, notes: string): Setting[] => {
  const before = readNotes(vm.notes).notes;
  if (before === notes) return [];
  const apply = (now: Vm): Vm => ({ ...now, notes: writeNotes(notes, readNotes(now.notes).stamp) });
  return [{ field: "notes", group: "notes", needs: "any", apply }];
};

const checkCpu = (world: World, count: number | undefined): void => {
  const limit = Math.min(MAXIMUM_PROCESSORS, world.host().logicalProcessors);
  if (count !== undefined && count > limit)
    fail("InsufficientCpu", `cpu.count: ${count} is above the host's limit of ${limit}`);
};

/** What the wanted settings change on this machine; unchanged ones give nothing. Throws what the host refuses whatever the state. */
export const settingsOf = (world: World, vm: Vm, set: VmConfig): readonly Setting[] => {
  checkCpu(world, set.cpu?.count);
  return [
    ...(set.notes === undefined ? [] : notesSetting(vm, set.notes)),
    ...(set.cpu ? cpuSettings(vm, set.cpu) : []),
    ...(set.memory ? memorySettings(world, vm, set.memory) : []),
    ...(set.firmware ? firmwareSettings(vm, set.firmware) : []),
    ...(set.tpm === undefined ? [] : tpmSetting(vm, set.tpm)),
    ...(set.integrationServices ? serviceSettings(vm, set.integrationServices) : []),
    ...actionSettings(vm, set),
    ...(set.bootOrder ? bootSetting(vm, set.bootOrder) : []),
    ...(set.name === undefined ? [] : nameSetting(world, vm, set.name)),
  ];
};
