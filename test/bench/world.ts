import { stringify } from "yaml";

/** What the bench asks of the control plane, and the least time that the hosts' own work takes. */

const GIB = 2 ** 30;

/** Every short operation takes exactly this long on a host, so that the floor is known exactly. Milliseconds. */
const SHORT_MS = 50;
const START_MS = 1000;
const COPY_BYTES_PER_SECOND = GIB;
/** debian-12 of the simulated hosts: bytes that a clone copies. */
const IMAGE_BYTES = 2 * GIB;

const CONCURRENCY = 4;
const LONG_CONCURRENCY = 2;
export const INTERVAL_SECONDS = 5;

/** behaviour.json of every host. */
export const behaviour = (factor: number): object => ({
  latency: {
    factor,
    shortMs: [SHORT_MS, SHORT_MS],
    operations: {},
    startMs: START_MS,
    copyBytesPerSecond: COPY_BYTES_PER_SECOND,
  },
});

export const hostName = (index: number): string => `hv${String(index + 1).padStart(2, "0")}`;

interface BenchObject {
  readonly apiVersion: "aetherv.io/v1alpha1";
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: object;
}

const object = (kind: string, name: string, spec: object): BenchObject => ({
  apiVersion: "aetherv.io/v1alpha1",
  kind,
  metadata: { name },
  spec,
});

/** A manifest of several documents, as people write them. */
export const manifestOf = (objects: readonly BenchObject[]): string =>
  objects.map((one) => stringify(one)).join("---\n");

export const hostObjects = (hosts: number): readonly BenchObject[] =>
  Array.from({ length: hosts }, (_, index) =>
    object("VMHost", hostName(index), {
      driver: "Simulated",
      connection: { type: "Local" },
      storageClasses: [{ name: "standard", path: "D:\\VMs", default: true }],
      networks: [{ name: "lan", switchName: "External" }],
      imagePaths: ["D:\\Images"],
      concurrency: CONCURRENCY,
      longConcurrency: LONG_CONCURRENCY,
      inventoryInterval: `${INTERVAL_SECONDS}s`,
    }),
  );

/** One machine with a disk made of an image and an adapter; the scheduler chooses its host. */
export const machineObjects = (index: number): readonly BenchObject[] => {
  const name = `vm${String(index).padStart(5, "0")}`;
  return [
    object("VirtualMachine", name, {
      osFamily: "Linux",
      cpu: { count: 1 },
      memory: { startup: "512Mi" },
      boot: { order: [{ type: "Disk", name }] },
    }),
    object("VirtualDisk", name, {
      source: { type: "Image", image: "debian-12" },
      attachment: { virtualMachine: name },
    }),
    object("NetworkAdapter", name, { virtualMachine: name, network: "lan" }),
  ];
};

/**
 * The least time that any control plane could take, milliseconds: the host with the most machines, machines spread evenly. Its clones
 * fill the long slots round after round, and the last clone is followed by attach and start; or its short work fills the short slots.
 * Needed short work of a machine: create, attach, adapter, power (which lasts until the machine runs).
 */
export const floorMs = (machines: number, hosts: number, factor: number): number => {
  const most = Math.ceil(machines / hosts);
  const clone = SHORT_MS + (IMAGE_BYTES / COPY_BYTES_PER_SECOND) * 1000;
  const start = SHORT_MS + START_MS;
  const long = Math.ceil(most / LONG_CONCURRENCY) * clone + SHORT_MS + start;
  const short = (most * (3 * SHORT_MS + start)) / CONCURRENCY;
  return Math.max(long, short) * factor;
};
