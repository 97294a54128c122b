import { stringify } from "yaml";
import type { Resource } from "../../src/api/resource.ts";

const apiVersion = "aetherv.io/v1alpha1";

const host = {
  driver: "Simulated",
  connection: { type: "Local" },
  storageClasses: [
    { name: "standard", path: "D:\\VMs", default: true },
    { name: "fast", path: "D:\\Fast" },
  ],
  networks: [
    { name: "lan", switchName: "External" },
    { name: "dmz", switchName: "Internal" },
  ],
  imagePaths: ["D:\\Images"],
  inventoryInterval: "5s",
};

const machine = (name: string, spec: object): Manifest => ({
  kind: "VirtualMachine",
  name,
  spec: {
    host: "hv1",
    osFamily: "Linux",
    memory: { startup: "1Gi" },
    boot: { order: [{ type: "Disk", name: `${name}-os` }] },
    disruption: { approval: "Automatic" },
    shutdown: { mode: "TurnOff" },
    ...spec,
  },
});

const systemDisk = (name: string): Manifest => ({
  kind: "VirtualDisk",
  name: `${name}-os`,
  spec: { source: { type: "Image", image: "debian-12" }, attachment: { virtualMachine: name } },
});

const dataDisk = (name: string, spec: object): Manifest => ({
  kind: "VirtualDisk",
  name: `${name}-data`,
  spec: { source: { type: "Blank" }, attachment: { virtualMachine: name }, ...spec },
});

const adapter = (name: string, spec: object): Manifest => ({
  kind: "NetworkAdapter",
  name: `${name}-lan`,
  spec: { virtualMachine: name, ...spec },
});

export interface Manifest {
  readonly kind: string;
  readonly name: string;
  readonly spec: object;
}

/** A machine with two disks and an adapter, as it is first declared. */
export const firstly = (name: string): readonly Manifest[] => [
  machine(name, { cpu: { count: 1 }, notes: "first" }),
  systemDisk(name),
  dataDisk(name, { size: "10Gi", storageClass: "standard" }),
  adapter(name, { network: "lan", vlan: { mode: "Access", id: 10 } }),
];

/** What it is edited to: in place, through a restart, and by moving a disk elsewhere. */
export const secondly = (name: string): readonly Manifest[] => [
  machine(name, { cpu: { count: 2 }, notes: "second" }),
  systemDisk(name),
  dataDisk(name, { size: "12Gi", storageClass: "fast" }),
  adapter(name, { network: "dmz", vlan: { mode: "Access", id: 20 } }),
];

const hosts: readonly Manifest[] = [{ kind: "VMHost", name: "hv1", spec: host }];

export type World = Readonly<Record<string, readonly Manifest[]>>;

/** One host and two machines. */
export const declared: World = {
  hosts,
  a: firstly("a"),
  b: [machine("b", { cpu: { count: 1 } }), systemDisk("b"), adapter("b", { network: "lan" })],
};

/** `a` is edited, and `b` deleted. */
export const edited: World = { hosts, a: secondly("a") };

export const objectOf = ({ kind, name, spec }: Manifest): Resource =>
  ({ apiVersion, kind, metadata: { name }, spec }) as unknown as Resource;

export const fileText = (manifests: readonly Manifest[]): string =>
  manifests.map((manifest) => stringify(objectOf(manifest))).join("---\n");

export const objectsIn = (world: World): readonly Resource[] => Object.values(world).flat().map(objectOf);

/** Whether the objects are just those of a world, each with what its manifest says. */
export const isWorld = (objects: readonly Resource[], world: World): boolean => {
  const wanted = objectsIn(world);
  return (
    objects.length === wanted.length &&
    wanted.every(({ kind, metadata, spec }) =>
      objects.some((one) => one.kind === kind && one.metadata.name === metadata.name && follows(one.spec, spec)),
    )
  );
};

/** Whether an object has what its manifest says; what defaults add counts for nothing. */
const follows = (spec: unknown, wanted: unknown): boolean => {
  if (typeof wanted !== "object" || wanted === null) return Object.is(spec, wanted);
  if (typeof spec !== "object" || spec === null) return false;
  return Object.entries(wanted).every(([name, value]) => follows((spec as Record<string, unknown>)[name], value));
};
