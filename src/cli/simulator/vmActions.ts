import { randomUUID } from "node:crypto";
import { freeMacs } from "../../../agents/simulator/model/macs.ts";
import { refreshedOrder } from "../../../agents/simulator/model/operations/bootOrder.ts";
import { newVm } from "../../../agents/simulator/model/operations/vmDefaults.ts";
import { fileName, folderOf, join, samePath } from "../../../agents/simulator/model/paths.ts";
import { stopped } from "../../../agents/simulator/model/settle.ts";
import { readNotes, writeNotes } from "../../../agents/simulator/model/stamp.ts";
import type { DiskFile, Vm } from "../../../agents/simulator/model/types.ts";
import type { World } from "../../../agents/simulator/model/world.ts";
import { bytesText } from "../../api/quantity.ts";
import {
  change,
  choice,
  findDisk,
  findSwitch,
  findVm,
  invalid,
  numberArgument,
  sizeArgument,
  type AdminAction,
} from "./act.ts";

const GIB = 2 ** 30;

/** Sets the startup memory, running or not (as the host's own tools would after a stop and start). */
export const setMemory: AdminAction = async (stateDir, [name = "", size = ""]) =>
  change(stateDir, (world) => {
    const vm = findVm(world, name);
    const startupBytes = sizeArgument(size);
    const assigned = vm.memory.assignedBytes === undefined ? {} : { assignedBytes: startupBytes };
    world.putVm({ ...vm, memory: { ...vm.memory, startupBytes, ...assigned } });
    return `Memory of ${vm.name} is now ${bytesText(startupBytes)} (was ${bytesText(vm.memory.startupBytes)}).`;
  });

export const setCpu: AdminAction = async (stateDir, [name = "", count = ""]) =>
  change(stateDir, (world) => {
    const vm = findVm(world, name);
    const next = numberArgument("COUNT", count, 1, 240);
    world.putVm({ ...vm, cpu: { ...vm.cpu, count: next } });
    return `${vm.name} now has ${next} virtual processors (had ${vm.cpu.count}).`;
  });

export const deleteVm: AdminAction = async (stateDir, [name = ""]) =>
  change(stateDir, (world) => {
    const vm = findVm(world, name);
    world.removeVm(vm.id);
    return `${vm.name} (${vm.id}) is gone; the files of its ${vm.drives.length} disks stay.`;
  });

/** The machine is no longer registered, but its .vmcx file stays where it was. */
export const unregisterVm: AdminAction = async (stateDir, [name = ""]) =>
  change(stateDir, (world) => {
    const vm = findVm(world, name);
    const path = join(vm.path, "Virtual Machines", `${vm.id.toUpperCase()}.vmcx`);
    world.removeVm(vm.id);
    world.putFile({ type: "vmcx", path, fileSize: 65536, vm: stopped(vm) });
    return `${vm.name} is no longer registered; its configuration stays in ${path}.`;
  });

/** A machine that nobody manages; running when there is a system to boot or not. */
export const addVm: AdminAction = async (stateDir, [name = "", memory = "1Gi", state = "Off"]) =>
  change(stateDir, (world) => {
    if (name === "") invalid("NAME: expected a name for the machine");
    const id = randomUUID();
    const adapterId = `Microsoft:${id.toUpperCase()}\\${randomUUID().toUpperCase()}`;
    const made = newVm({ id, adapterId, name, generation: 2, path: `D:\\Foreign\\${name}` });
    const startupBytes = sizeArgument(memory);
    const vm = { ...made, memory: { ...made.memory, startupBytes } };
    world.putVm(withState(world, vm, choice("STATE", state, ["Off", "Running"])));
    return `${name} (${id}) was made by hand: generation 2, ${bytesText(startupBytes)}, ${state}, owned by nobody.`;
  });

const STATES = ["Running", "Off", "Saved", "Paused"] as const;

const withState = (world: World, vm: Vm, state: (typeof STATES)[number]): Vm => {
  if (state === "Off") return stopped(vm);
  const { assignedBytes: _assigned, ...memory } = vm.memory;
  if (state === "Saved") return { ...stopped(vm), state, memory };
  const now = Date.now();
  const macs = freeMacs(world, []);
  return {
    ...vm,
    state,
    startedAt: vm.startedAt ?? new Date(now).toISOString(),
    memory: { ...memory, assignedBytes: memory.startupBytes },
    heartbeat: "NoContact",
    adapters: vm.adapters.map((one) =>
      one.macAddress === "000000000000" ? { ...one, macAddress: macs.next().value ?? one.macAddress } : one,
    ),
    due: state === "Running" ? [...vm.due, { at: now + 1000, what: "GuestUp" }] : vm.due,
  };
};

/** Puts the machine into a state at once: Off is a pulled plug. */
export const power: AdminAction = async (stateDir, [name = "", state = ""]) =>
  change(stateDir, (world) => {
    const vm = findVm(world, name);
    const next = choice("STATE", state, STATES);
    world.putVm(withState(world, vm, next));
    return `${vm.name} is now ${next} (was ${vm.state}).`;
  });

/** The guest answers nothing any more, until the machine is turned off. */
export const hang: AdminAction = async (stateDir, [name = ""]) =>
  change(stateDir, (world) => {
    const { guest: _guest, ...vm } = findVm(world, name);
    world.putVm({ ...vm, hung: true, heartbeat: "NoContact" });
    return `The guest of ${vm.name} hangs: no heartbeat, no graceful shutdown, until it is turned off.`;
  });

export const renameVm: AdminAction = async (stateDir, [name = "", to = ""]) =>
  change(stateDir, (world) => {
    const vm = findVm(world, name);
    if (to === "") invalid("NEW-NAME: expected the new name");
    world.putVm({ ...vm, name: to });
    return `${vm.name} is now named ${to}.`;
  });

/** Replaces Notes by a text, which drops the stamp. */
export const editNotes: AdminAction = async (stateDir, [name = "", ...text]) =>
  change(stateDir, (world) => {
    const vm = findVm(world, name);
    const had = readNotes(vm.notes).stamp !== undefined;
    world.putVm({ ...vm, notes: writeNotes(text.join(" "), undefined) });
    return `Notes of ${vm.name} are now "${text.join(" ")}"${had ? "; AetherV's mark went with the old ones" : ""}.`;
  });

export const detachDisk: AdminAction = async (stateDir, [name = "", disk = ""]) =>
  change(stateDir, (world) => {
    const vm = findVm(world, name);
    const attached = vm.drives.flatMap((drive) => world.disk(drive.path) ?? []);
    const file = findDisk(world, disk, attached);
    const drives = vm.drives.filter((drive) => !samePath(drive.path, file.path));
    world.putVm(refreshedOrder({ ...vm, drives }));
    return `${file.path} is no longer attached to ${vm.name}${vm.state === "Off" ? "" : " (pulled out while running)"}.`;
  });

const findAdapter = (vm: Vm, wanted: string | undefined): Vm["adapters"][number] => {
  const text = (wanted ?? "").toLowerCase();
  const found =
    wanted === undefined ? vm.adapters : vm.adapters.filter((one) => one.name.toLowerCase().startsWith(text));
  const names = vm.adapters.map((one) => one.name).join(", ") || "none";
  return found[0] ?? invalid(`${vm.name} has no adapter "${wanted ?? ""}"; there are: ${names}`);
};

/** VLAN id, or 0 for untagged; of the first adapter when none is named. */
export const setVlan: AdminAction = async (stateDir, [name = "", id = "", adapter]) =>
  change(stateDir, (world) => {
    const vm = findVm(world, name);
    const wanted = findAdapter(vm, adapter);
    const number = numberArgument("VLAN", id, 0, 4094);
    const vlan = number === 0 ? { mode: "Untagged" as const } : { mode: "Access" as const, id: number };
    world.putVm({ ...vm, adapters: vm.adapters.map((one) => (one === wanted ? { ...one, vlan } : one)) });
    return `Adapter ${wanted.name} of ${vm.name} is now ${number === 0 ? "untagged" : `in VLAN ${number}`}.`;
  });

/** Connects an adapter to a switch, or to none ("-"). */
export const connect: AdminAction = async (stateDir, [name = "", to = "-", adapter]) =>
  change(stateDir, (world) => {
    const vm = findVm(world, name);
    const wanted = findAdapter(vm, adapter);
    const target = to === "-" ? undefined : findSwitch(world, to);
    const { switchId: _switch, ...bare } = wanted;
    const next = { ...bare, ...(target ? { switchId: target.id } : {}) };
    world.putVm({ ...vm, adapters: vm.adapters.map((one) => (one === wanted ? next : one)) });
    return `Adapter ${wanted.name} of ${vm.name} is now connected to ${target?.name ?? "nothing"}.`;
  });

/** An export copy beside the original: new id, same notes (so the stamp is a copy's), disks copied with the same identifiers. */
export const copyVm: AdminAction = async (stateDir, [name = "", to]) =>
  change(stateDir, (world) => {
    const vm = findVm(world, name);
    const copyName = to ?? `${vm.name}-copy`;
    const id = randomUUID();
    const folder = `D:\\Exports\\${copyName}`;
    const copied = (path: string): string => join(folder, "Virtual Hard Disks", fileName(path));
    const drives = vm.drives.map((drive) => {
      const file = world.disk(drive.path);
      if (file) world.putFile(copyOf(file, copied));
      return { ...drive, path: copied(drive.path) };
    });
    const adapters = vm.adapters.map((one) => ({
      ...one,
      id: `Microsoft:${id.toUpperCase()}\\${randomUUID().toUpperCase()}`,
    }));
    world.putVm(
      refreshedOrder({ ...stopped(vm), id, name: copyName, path: folder, drives, adapters, checkpoints: [] }),
    );
    return `${copyName} (${id}) is an export copy of ${vm.name}: same notes, disks copied to ${folder}.`;
  });

const copyOf = (file: DiskFile, copied: (path: string) => string): DiskFile => ({ ...file, path: copied(file.path) });

const childPath = (path: string, id: string): string =>
  join(
    folderOf(path),
    `${fileName(path)
      .replace(/\.a?vhdx?$/i, "")
      .replace(/_[0-9A-F-]{36}$/, "")}_${id.toUpperCase()}.avhdx`,
  );

/** A checkpoint: every disk goes on in an .avhdx. Type Recovery is a backup product's. */
export const addCheckpoint: AdminAction = async (stateDir, [name = "", label = "by hand", type = "Production"]) =>
  change(stateDir, (world) => {
    const vm = findVm(world, name);
    const id = randomUUID();
    const files: string[] = [];
    const drives = vm.drives.map((drive) => {
      const parent = findDisk(world, drive.path);
      const path = childPath(drive.path, randomUUID());
      world.putFile(childOf(parent, path));
      files.push(path);
      return { ...drive, path };
    });
    const kind = choice("TYPE", type, ["Standard", "Production", "Recovery"]);
    const checkpoint = { id, name: label, type: kind, createdAt: new Date().toISOString(), files };
    world.putVm({ ...vm, drives, checkpoints: [...vm.checkpoints, checkpoint] });
    return `Checkpoint "${label}" of ${vm.name} made; ${files.length} disks go on in .avhdx files.`;
  });

const childOf = (parent: DiskFile, path: string): DiskFile => {
  const { os: _os, openBy: _open, parent: _parent, writtenAt: _written, ...rest } = parent;
  const fileSize = Math.min(GIB, parent.size);
  return {
    ...rest,
    path,
    diskType: "Differencing",
    format: "VHDX",
    fileSize,
    parentPath: parent.path,
    diskId: randomUUID(),
    readOnly: false,
  };
};

const MERGE_MS = 2000;

/** Removes a checkpoint (the oldest when none is named); the merge ends two seconds later. */
export const removeCheckpoint: AdminAction = async (stateDir, [name = "", label]) =>
  change(stateDir, (world) => {
    const vm = findVm(world, name);
    const found = vm.checkpoints.find((one) => label === undefined || one.name === label || one.id === label);
    const names = vm.checkpoints.map((one) => `"${one.name}"`).join(", ") || "none";
    if (!found) return invalid(`${vm.name} has no checkpoint "${label ?? ""}"; there are: ${names}`);
    world.putVm({
      ...vm,
      checkpoints: vm.checkpoints.filter((one) => one !== found),
      merging: true,
      due: [...vm.due, { at: Date.now() + MERGE_MS, what: "Merged", files: found.files }],
    });
    return `Checkpoint "${found.name}" of ${vm.name} is removed; its files are being merged.`;
  });
