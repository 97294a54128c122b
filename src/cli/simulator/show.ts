import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { bytesText } from "../../api/quantity.ts";
import { readNotes, validStamp } from "../../../agents/simulator/model/stamp.ts";
import type { Vm } from "../../../agents/simulator/model/types.ts";
import type { World } from "../../../agents/simulator/model/world.ts";
import { readBehaviour } from "../../../agents/simulator/process/host.ts";
import { findVm, look, type AdminAction } from "./act.ts";

const columns = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("   ")
        .trimEnd(),
    )
    .join("\n");
};

const ownerText = (vm: Vm): string => {
  const stamp = validStamp(vm);
  if (stamp) return `${stamp.namespace}/${stamp.name}`;
  return readNotes(vm.notes).stamp ? "(copy)" : "(nobody)";
};

const vmRow = (vm: Vm): string[] => [
  vm.name,
  vm.state,
  String(vm.cpu.count),
  bytesText(vm.memory.startupBytes),
  String(vm.drives.length),
  vm.guest?.ipAddresses?.join(",") ?? "",
  ownerText(vm),
];

const vmTable = (world: World): string =>
  world.vms().length === 0
    ? "no virtual machines"
    : columns([["NAME", "STATE", "CPU", "MEMORY", "DISKS", "ADDRESSES", "OWNER"], ...world.vms().map(vmRow)]);

/** The machines of a host. */
export const list: AdminAction = async (stateDir) => look(stateDir, vmTable);

/** Names of the simulated hosts below the folder. */
export const hostNames = (simulated: string): readonly string[] => {
  try {
    return readdirSync(simulated).filter((name) =>
      statSync(join(simulated, name, "snapshot.json"), { throwIfNoEntry: false })?.isFile(),
    );
  } catch {
    return [];
  }
};

const behaviourText = (stateDir: string): readonly string[] => {
  const { offline, latency, faults = [] } = readBehaviour(stateDir);
  return [
    ...(offline ? ["The host is OFFLINE."] : []),
    ...(latency ? [`Latency: ${JSON.stringify(latency)}`] : []),
    ...faults.map(
      (rule) => `Fault ${rule.id}: ${JSON.stringify(rule.fault)} on ${rule.operation ?? "every operation"}`,
    ),
  ];
};

const hostText = (stateDir: string, world: World): string => {
  const host = world.host();
  const volumes = world
    .volumes()
    .map((one) => `  ${one.root} ${bytesText(world.freeBytes(one))} free of ${bytesText(one.totalBytes)}`);
  const switches = world.switches().map((one) => `  ${one.name} (${one.type}, bandwidth by ${one.bandwidthMode})`);
  const files = world.files().map((file) => `  ${file.path} (${file.type}, ${bytesText(file.fileSize)})`);
  return [
    `Host ${host.name}: ${host.logicalProcessors} logical processors, ${bytesText(world.availableMemory())} of ${bytesText(host.memoryBytes)} memory available`,
    ...behaviourText(stateDir),
    "Volumes:",
    ...volumes,
    "Switches:",
    ...switches,
    "Files:",
    ...files.toSorted(),
    "",
    vmTable(world),
  ].join("\n");
};

/** The host, or one machine with all that is known of it. */
export const show: AdminAction = async (stateDir, [vm]) =>
  look(stateDir, (world) =>
    vm === undefined ? hostText(stateDir, world) : JSON.stringify(findVm(world, vm), undefined, 2),
  );
