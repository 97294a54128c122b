import type { ManagedDeployment } from "../../../../src/api/generated/types.ts";
import type { Key, Resource } from "../../../../src/api/resource.ts";
import { summary } from "../../../property/hostState.ts";
import { Plane, standingOf, type Manifest, type PlaneOptions } from "../../../support/plane.ts";

export const hostManifest: Manifest = {
  kind: "VMHost",
  metadata: { name: "hv1" },
  spec: {
    driver: "Simulated",
    connection: { type: "Local" },
    storageClasses: [{ name: "standard", path: "D:\\VMs", default: true }],
    networks: [{ name: "lan", switchName: "External" }],
    imagePaths: ["D:\\Images"],
  },
};

export const key = (kind: string, name: string): Key => ({ kind, namespace: "default", name });
export const webKey = key("ManagedDeployment", "web");

/** A machine with a system disk of an image, a data disk and an adapter. */
export const webSpec = {
  virtualMachine: {
    cpu: { count: 1 },
    memory: { startup: "1Gi" },
    boot: { order: [{ type: "Disk", name: "system" }] },
    shutdown: { mode: "TurnOff" },
    disruption: { approval: "Automatic" },
  },
  disks: [
    { name: "system", spec: { source: { type: "Image", image: "debian-12" } } },
    { name: "data", spec: { source: { type: "Blank" }, size: "10Gi" } },
  ],
  networkAdapters: [{ name: "lan", spec: { network: "lan" } }],
};

export const web = (spec: object = {}, name = "web"): Manifest => ({
  kind: "ManagedDeployment",
  metadata: { name, namespace: "default" },
  spec: { ...webSpec, ...spec },
});

export const startPlane = async (options: Partial<PlaneOptions> = {}): Promise<Plane> => {
  const plane = await new Plane({ hosts: [{ name: "hv1" }], ...options }).start();
  await plane.apply([hostManifest]);
  return plane;
};

export const deployment = (plane: Plane, name = "web"): ManagedDeployment =>
  plane.get(key("ManagedDeployment", name)) as ManagedDeployment;

export const standing = (plane: Plane, at: Key = webKey): string => {
  const object = plane.get(at);
  return object ? standingOf(object) : "gone";
};

/** Names of all objects but the host, with their kinds. */
export const names = (plane: Plane): readonly string[] =>
  plane
    .objects()
    .filter(({ kind }) => kind !== "VMHost")
    .map(({ kind, metadata }: Resource) => `${kind}/${metadata.name}`)
    .toSorted();

export const all = [
  "ManagedDeployment/web",
  "NetworkAdapter/web-lan",
  "VirtualDisk/web-data",
  "VirtualDisk/web-system",
  "VirtualMachine/web",
];

/** Names of the machines on the host, and how many disk files of ours are there outside the trash. */
export const onHost = (plane: Plane): { readonly vms: readonly string[]; readonly disks: number } => {
  const { vms = {}, disks = {} } = summary(plane)["hv1"] ?? {};
  return { vms: Object.values(vms).map((vm) => (vm as { name: string }).name), disks: Object.keys(disks).length };
};
