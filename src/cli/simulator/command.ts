import { join } from "node:path";
import { Command } from "commander";
import type { AdminAction } from "./act.ts";
import { addFault, clearFaults, setLatency } from "./faultActions.ts";
import {
  addImageFile,
  copyDisk,
  deleteDisk,
  deleteSwitch,
  fillVolume,
  offline,
  online,
  openDisk,
  renameSwitch,
  writeDisk,
} from "./hostActions.ts";
import { hostNames, list, show } from "./show.ts";
import {
  addCheckpoint,
  addVm,
  connect,
  copyVm,
  deleteVm,
  detachDisk,
  editNotes,
  hang,
  power,
  removeCheckpoint,
  renameVm,
  setCpu,
  setMemory,
  setVlan,
  unregisterVm,
} from "./vmActions.ts";

interface Entry {
  readonly words: string;
  readonly about: string;
  readonly example: string;
  readonly action: AdminAction;
}

const entry = (words: string, about: string, example: string, action: AdminAction): Entry => ({
  words,
  about,
  example,
  action,
});

/** Every action: its command line after HOST, what it does, an example's arguments. */
const ENTRIES: readonly Entry[] = [
  entry("show <host> [vm]", "show the host, or all of one machine", "hv1 web", show),
  entry("set-memory <host> <vm> <size>", "change a machine's memory by hand", "hv1 web 8Gi", setMemory),
  entry("set-cpu <host> <vm> <count>", "change a machine's processors by hand", "hv1 web 8", setCpu),
  entry("delete-vm <host> <vm>", "delete a machine; its disks' files stay", "hv1 web", deleteVm),
  entry("unregister-vm <host> <vm>", "unregister a machine; its .vmcx stays", "hv1 web", unregisterVm),
  entry("add-vm <host> <name> [memory] [state]", "add a machine that nobody manages", "hv1 foreign 4Gi Running", addVm),
  entry("copy-vm <host> <vm> [name]", "import an export copy of a machine, notes and all", "hv1 web web-copy", copyVm),
  entry("power <host> <vm> <state>", "Running, Off (pull the plug), Saved or Paused, at once", "hv1 web Off", power),
  entry("hang <host> <vm>", "make the guest hang until it is turned off", "hv1 web", hang),
  entry("rename-vm <host> <vm> <new-name>", "rename a machine", "hv1 web web2", renameVm),
  entry("edit-notes <host> <vm> [text...]", "replace Notes, which drops AetherV's mark", "hv1 web my notes", editNotes),
  entry("detach-disk <host> <vm> <disk>", "detach a disk, running or not", "hv1 web web-data", detachDisk),
  entry("delete-disk <host> <disk>", "delete a disk's file", "hv1 web-data", deleteDisk),
  entry(
    "copy-disk <host> <disk> <folder>",
    "copy a disk's file, identifier and all",
    "hv1 web-data D:\\Copies",
    copyDisk,
  ),
  entry("write-disk <host> <disk>", "write into a disk's file", "hv1 web-data", writeDisk),
  entry(
    "open-disk <host> <disk> [program]",
    "hold a disk's file open, as a backup does (- closes)",
    "hv1 web-data",
    openDisk,
  ),
  entry("set-vlan <host> <vm> <vlan> [adapter]", "set the VLAN of an adapter (0 = untagged)", "hv1 web 99", setVlan),
  entry(
    "connect <host> <vm> <switch> [adapter]",
    "connect an adapter to a switch (- = none)",
    "hv1 web Internal",
    connect,
  ),
  entry("add-checkpoint <host> <vm> [name] [type]", "make a checkpoint", "hv1 web before-update", addCheckpoint),
  entry("remove-checkpoint <host> <vm> [name]", "remove a checkpoint, which merges", "hv1 web", removeCheckpoint),
  entry("rename-switch <host> <switch> <new-name>", "rename a switch", "hv1 External Uplink", renameSwitch),
  entry("delete-switch <host> <switch>", "delete a switch", "hv1 Internal", deleteSwitch),
  entry("add-image <host> <file> [size] [folder]", "add an image file", "hv1 debian-13.vhdx 20Gi", addImageFile),
  entry("fill-volume <host> <volume> [free]", "fill a volume until so much is free", "hv1 D: 1Gi", fillVolume),
  entry("offline <host>", "cut the host off", "hv1", offline),
  entry("online <host>", "bring it back", "hv1", online),
  entry("latency <host> <factor>", "make everything slower or faster (0 = instant)", "hv1 0.1", setLatency),
];

const FAULTS: readonly Entry[] = [
  entry(
    "add <host> <fault> [rules...]",
    "slow=MS, hang, cut, garbage, duplicate, lost, partial, crash=POINT, error=CODE or incomplete=PART; rules: operation=, target=, count=, probability=",
    "hv1 lost operation=vm.create count=1",
    addFault,
  ),
  entry("clear <host> [ids...]", "remove faults (all, or by id)", "hv1", clearFaults),
];

const simulated = (data: string): string => join(data, "simulated");

const commandOf = (made: Entry, data: () => string, prefix: string): Command => {
  const command = new Command(made.words.split(" ")[0]).description(made.about);
  command.arguments(made.words.split(" ").slice(1).join(" "));
  command.addHelpText("after", `\nExample:\n  aetherv simulator ${prefix}${command.name()} ${made.example}`);
  return command.action(async () => {
    const [host = "", ...rest] = command.args;
    const text = await made.action(join(simulated(data()), host), rest);
    command.configureOutput().writeOut?.(`${text}\n`);
  });
};

const listCommand = (data: () => string): Command => {
  const command = new Command("list").description("the simulated hosts, or the machines of one").argument("[host]");
  return command.action(async (host?: string) => {
    const names = hostNames(simulated(data()));
    const text =
      host === undefined
        ? names.join("\n") || `no simulated hosts in ${simulated(data())}`
        : await list(join(simulated(data()), host), []);
    command.configureOutput().writeOut?.(`${text}\n`);
  });
};

/** `aetherv simulator ...`: what a careless admin does behind AetherV's back on a simulated host. HOST comes first. */
export const simulatorCommand = (data: () => string): Command => {
  const root = new Command("simulator").description("change a simulated host behind AetherV's back");
  root.addCommand(listCommand(data));
  for (const made of ENTRIES) root.addCommand(commandOf(made, data, ""));
  const faults = new Command("fault").description("let jobs on a simulated host go wrong");
  for (const made of FAULTS) faults.addCommand(commandOf(made, data, "fault "));
  return root.addCommand(faults);
};
