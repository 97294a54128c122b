import fc from "../support/fc.ts";
import type { Manifest } from "../support/plane.ts";

/** A small world as a user wants it: plain data that every test can change and compare. */
export interface WorldSpec {
  readonly hosts: readonly string[];
  readonly vms: readonly VmSpec[];
  readonly disks: readonly DiskSpec[];
  readonly nics: readonly NicSpec[];
  /** Things named so far: no name is given twice, since one that comes back is a question of its own. */
  readonly named: number;
}

export interface VmSpec {
  readonly name: string;
  readonly host: string;
  /** Placed by the scheduler, wherever `host` says. */
  readonly loose?: boolean;
  readonly generation: 1 | 2;
  readonly cpu: number;
  readonly memoryMi: number;
  readonly power: "Running" | "Stopped";
  readonly approval: "Manual" | "Automatic";
  readonly notes: string;
  readonly secureBoot: boolean;
}

/** A data disk; every machine has its system disk besides, made of an image. */
export interface DiskSpec {
  readonly name: string;
  readonly host: string;
  readonly vm?: string;
  readonly source: "Blank" | "Image" | "Differencing";
  readonly sizeGi: number;
  readonly storageClass: "standard" | "fast";
}

export interface NicSpec {
  readonly name: string;
  readonly vm: string;
  readonly network: "lan" | "dmz";
  readonly vlan: number;
  readonly connected: boolean;
  readonly macSpoofing: boolean;
}

export const namespace = "default";

const hostManifest = (name: string): Manifest => ({
  kind: "VMHost",
  metadata: { name },
  spec: {
    driver: "Simulated",
    connection: { type: "Local" },
    storageClasses: [
      { name: "standard", path: "D:\\VMs", default: true },
      { name: "fast", path: "C:\\Fast" },
    ],
    networks: [
      { name: "lan", switchName: "External" },
      { name: "dmz", switchName: "Internal" },
    ],
    imagePaths: ["D:\\Images"],
  },
});

const vmManifest = (vm: VmSpec): Manifest => ({
  kind: "VirtualMachine",
  metadata: { namespace, name: vm.name },
  spec: {
    ...(!vm.loose && { host: vm.host }),
    generation: vm.generation,
    osFamily: "Linux",
    cpu: { count: vm.cpu },
    memory: { startup: `${vm.memoryMi}Mi` },
    ...(vm.generation === 2 && { firmware: { secureBoot: vm.secureBoot } }),
    ...(vm.notes !== "" && { notes: vm.notes }),
    boot: { order: [{ type: "Disk", name: `${vm.name}-os` }] },
    powerState: vm.power,
    shutdown: { mode: "GracefulThenTurnOff", timeoutSeconds: 60 },
    disruption: { approval: vm.approval },
  },
});

const systemDisk = ({ name, generation }: VmSpec): Manifest => ({
  kind: "VirtualDisk",
  metadata: { namespace, name: `${name}-os` },
  spec: {
    source: { type: "Image", image: generation === 1 ? "debian-12-gen1" : "debian-12" },
    ...(generation === 1 && { format: "VHD" }),
    attachment: {
      virtualMachine: name,
      ...(generation === 1 && { controller: "IDE", controllerNumber: 0, controllerLocation: 0 }),
    },
  },
});

const sourceOf = ({ source }: DiskSpec): object => {
  switch (source) {
    case "Blank":
      return { type: "Blank" };
    case "Image":
      return { type: "Image", image: "debian-12" };
    case "Differencing":
      return { type: "Differencing", parent: { type: "Image", name: "debian-12" } };
    default:
      return source satisfies never;
  }
};

const diskManifest = (disk: DiskSpec): Manifest => ({
  kind: "VirtualDisk",
  metadata: { namespace, name: disk.name },
  spec: {
    host: disk.host,
    source: sourceOf(disk),
    storageClass: disk.storageClass,
    ...(disk.source !== "Differencing" && { size: `${disk.sizeGi}Gi` }),
    ...(disk.vm !== undefined && { attachment: { virtualMachine: disk.vm } }),
  },
});

const nicManifest = (nic: NicSpec): Manifest => ({
  kind: "NetworkAdapter",
  metadata: { namespace, name: nic.name },
  spec: {
    virtualMachine: nic.vm,
    network: nic.network,
    connected: nic.connected,
    macSpoofing: nic.macSpoofing,
    vlan: nic.vlan === 0 ? { mode: "Untagged" } : { mode: "Access", id: nic.vlan },
  },
});

/** The documents of a world. */
export const manifests = (world: WorldSpec): readonly Manifest[] => [
  ...world.hosts.map(hostManifest),
  ...world.vms.flatMap((vm) => [vmManifest(vm), systemDisk(vm)]),
  ...world.disks.map(diskManifest),
  ...world.nics.map(nicManifest),
];

// Edits --------------------------------------------------------------------------------------------------------------

/** One edit as numbers, so that it shrinks well: which, on what, and to which value. */
export interface Edit {
  readonly what: number;
  readonly on: number;
  readonly value: number;
}

type Editing = (world: WorldSpec, on: number, value: number) => WorldSpec;

const pick = <T>(items: readonly T[], on: number): T | undefined => items[on % Math.max(items.length, 1)];

const changeVm = (world: WorldSpec, on: number, change: (vm: VmSpec) => Partial<VmSpec>): WorldSpec => {
  const vm = pick(world.vms, on);
  return vm ? { ...world, vms: world.vms.map((one) => (one === vm ? { ...vm, ...change(vm) } : one)) } : world;
};

const changeNic = (world: WorldSpec, on: number, change: (nic: NicSpec) => Partial<NicSpec>): WorldSpec => {
  const nic = pick(world.nics, on);
  return nic ? { ...world, nics: world.nics.map((one) => (one === nic ? { ...nic, ...change(nic) } : one)) } : world;
};

const changeDisk = (world: WorldSpec, on: number, change: (disk: DiskSpec) => DiskSpec): WorldSpec => {
  const disk = pick(world.disks, on);
  return disk ? { ...world, disks: world.disks.map((one) => (one === disk ? change(disk) : one)) } : world;
};

const memories = [256, 512, 1024, 2048];

/** Detached, or attached to a machine of its host. */
const attach: Editing = (world, on, value) => {
  const disk = pick(world.disks, on);
  const fitting = disk ? world.vms.filter(({ host }) => host === disk.host) : [];
  const vm = fitting[value % (fitting.length + 1)];
  return changeDisk(world, on, ({ vm: _, ...rest }) => (vm ? { ...rest, vm: vm.name } : rest));
};

const addDisk: Editing = (world, on, value) => {
  const host = pick(world.hosts, on);
  if (host === undefined || world.disks.length >= 6) return world;
  const fitting = world.vms.filter((vm) => vm.host === host);
  const vm = value % 2 === 0 ? pick(fitting, value) : undefined;
  const disk: DiskSpec = {
    name: `data${world.named}`,
    host,
    source: (["Blank", "Image", "Differencing"] as const)[value % 3] ?? "Blank",
    sizeGi: 20 + (value % 5),
    storageClass: value % 4 === 0 ? "fast" : "standard",
    ...(vm && { vm: vm.name }),
  };
  return { ...world, disks: [...world.disks, disk], named: world.named + 1 };
};

/** Only a detached one: the deletion of an attached disk waits for its machine's. */
const removeDisk: Editing = (world, on) => {
  const disk = pick(
    world.disks.filter(({ vm }) => vm === undefined),
    on,
  );
  return { ...world, disks: world.disks.filter((one) => one !== disk) };
};

const addNic: Editing = (world, on, value) => {
  const vm = pick(world.vms, on);
  if (!vm || world.nics.length >= 8) return world;
  const nic = nicOf(`nic${world.named}`, vm.name, value);
  return { ...world, nics: [...world.nics, nic], named: world.named + 1 };
};

const nicOf = (name: string, vm: string, value: number): NicSpec => ({
  name,
  vm,
  network: value % 2 === 0 ? "lan" : "dmz",
  vlan: value % 3 === 0 ? 0 : value % 4000,
  connected: value % 5 !== 0,
  macSpoofing: value % 7 === 0,
});

const addVm: Editing = (world, on, value) => {
  const host = pick(world.hosts, on);
  if (host === undefined || world.vms.length >= 4) return world;
  return { ...world, vms: [...world.vms, vmOf(`vm${world.named}`, host, value)], named: world.named + 1 };
};

const vmOf = (name: string, host: string, value: number): VmSpec => ({
  name,
  host,
  generation: value % 4 === 3 ? 1 : 2,
  cpu: 1 + (value % 4),
  memoryMi: memories[value % memories.length] ?? 512,
  power: value % 5 === 4 ? "Stopped" : "Running",
  approval: value % 2 === 0 ? "Automatic" : "Manual",
  notes: value % 3 === 0 ? `note ${value}` : "",
  secureBoot: value % 2 === 0,
});

/** The machine with its adapters and its system disk; data disks are left detached. */
const removeVm: Editing = (world, on) => {
  const vm = pick(world.vms, on);
  if (!vm) return world;
  return {
    ...world,
    vms: world.vms.filter((one) => one !== vm),
    nics: world.nics.filter((one) => one.vm !== vm.name),
    disks: world.disks.map((one) => {
      const { vm: holder, ...rest } = one;
      return holder === vm.name ? rest : one;
    }),
  };
};

export const editNames = [
  "cpu",
  "memory",
  "notes",
  "power",
  "secureBoot",
  "vlan",
  "network",
  "connected",
  "macSpoofing",
  "attach",
  "attach",
  "grow",
  "class",
  "addDisk",
  "removeDisk",
  "addNic",
  "removeNic",
  "addVm",
  "removeVm",
] as const;

const editings: Readonly<Record<(typeof editNames)[number], Editing>> = {
  cpu: (world, on, value) => changeVm(world, on, () => ({ cpu: 1 + (value % 8) })),
  memory: (world, on, value) => changeVm(world, on, () => ({ memoryMi: memories[value % memories.length] ?? 512 })),
  // Never taken back to unset: notes that no spec declares belong to the user and stay as they are.
  notes: (world, on, value) => changeVm(world, on, () => ({ notes: `note ${value}` })),
  power: (world, on) => changeVm(world, on, ({ power }) => ({ power: power === "Running" ? "Stopped" : "Running" })),
  secureBoot: (world, on) => changeVm(world, on, ({ secureBoot }) => ({ secureBoot: !secureBoot })),
  vlan: (world, on, value) => changeNic(world, on, () => ({ vlan: value % 4095 })),
  network: (world, on) => changeNic(world, on, ({ network }) => ({ network: network === "lan" ? "dmz" : "lan" })),
  connected: (world, on) => changeNic(world, on, ({ connected }) => ({ connected: !connected })),
  macSpoofing: (world, on) => changeNic(world, on, ({ macSpoofing }) => ({ macSpoofing: !macSpoofing })),
  attach,
  grow: (world, on, value) => changeDisk(world, on, (disk) => ({ ...disk, sizeGi: disk.sizeGi + 1 + (value % 10) })),
  class: (world, on) =>
    changeDisk(world, on, (disk) => ({ ...disk, storageClass: disk.storageClass === "fast" ? "standard" : "fast" })),
  addDisk,
  removeDisk,
  addNic,
  removeNic: (world, on) => ({ ...world, nics: world.nics.filter((one) => one !== pick(world.nics, on)) }),
  addVm,
  removeVm,
};

export const edited = (world: WorldSpec, { what, on, value }: Edit): WorldSpec =>
  editings[editNames[what % editNames.length] ?? "cpu"](world, on, value);

// Arbitraries --------------------------------------------------------------------------------------------------------

const small = fc.nat({ max: 59 });
export const anyEdit: fc.Arbitrary<Edit> = fc.record({
  what: fc.nat({ max: editNames.length - 1 }),
  on: fc.nat({ max: 11 }),
  value: small,
});

/** One or two hosts, one to four machines, some data disks and adapters. */
export const anyWorld: fc.Arbitrary<WorldSpec> = fc
  .record({
    hosts: fc.integer({ min: 1, max: 2 }),
    vms: fc.array(fc.tuple(small, small), { minLength: 1, maxLength: 4 }),
    disks: fc.array(fc.tuple(small, small), { maxLength: 4 }),
    nics: fc.array(fc.tuple(small, small), { maxLength: 5 }),
  })
  .map(({ hosts, vms, disks, nics }) => {
    let world: WorldSpec = { hosts: ["hv1", "hv2"].slice(0, hosts), vms: [], disks: [], nics: [], named: 0 };
    for (const [on, value] of vms) world = addVm(world, on, value);
    for (const [on, value] of disks) world = addDisk(world, on, value);
    for (const [on, value] of nics) world = addNic(world, on, value);
    return world;
  });

/** Two hosts, and machines without data disks that the scheduler places. */
export const anyLooseWorld: fc.Arbitrary<WorldSpec> = anyWorld.map((world) => ({
  ...world,
  hosts: ["hv1", "hv2"],
  disks: [],
  vms: world.vms.map((vm) => ({ ...vm, loose: true })),
}));
