import {
  fileName,
  folderOf,
  isPartial,
  isTrash,
  isUnder,
  nameUid,
  pathKey,
} from "../../../agents/simulator/model/paths.ts";
import { readNotes, validStamp } from "../../../agents/simulator/model/stamp.ts";
import type { Vm } from "../../../agents/simulator/model/types.ts";
import type { World } from "../../../agents/simulator/model/world.ts";
import { keyOf, keyText, type Resource } from "../../../src/api/resource.ts";
import {
  manifests,
  namespace,
  type DiskSpec,
  type NicSpec,
  type VmSpec,
  type WorldSpec,
} from "../../property/world.ts";
import type { SimHost } from "../../support/simHost.ts";
import { keyOfManifest } from "./memoryBackend.ts";

const classes = { standard: "D:\\VMs", fast: "C:\\Fast" } as const;
const switches = { lan: "External", dmz: "Internal" } as const;
const gib = 2 ** 30;

interface Scene {
  readonly wanted: WorldSpec;
  readonly objects: ReadonlyMap<string, Resource>;
  readonly hosts: readonly SimHost[];
}

const uidOf = ({ objects }: Scene, kind: string, name: string): string =>
  objects.get(keyText({ kind, namespace, name }))?.metadata.uid ?? `no ${kind} ${name}`;

/**
 * What hosts hold otherwise than the documents say, told from the documents alone and by none of the product's own comparisons. Empty when
 * all is as declared.
 */
export const differences = (wanted: WorldSpec, objects: readonly Resource[], hosts: readonly SimHost[]): string[] => {
  const scene: Scene = { wanted, objects: new Map(objects.map((one) => [keyText(keyOf(one)), one])), hosts };
  return [
    ...objectDifferences(scene),
    ...wanted.vms.flatMap((vm) => vmDifferences(scene, vm)),
    ...wanted.disks.flatMap((disk) => diskDifferences(scene, disk)),
    ...hosts.flatMap((host) => host.read((world) => leftovers(scene, host.name, world))),
  ];
};

const objectDifferences = ({ wanted, objects }: Scene): string[] => {
  const keys = new Set(manifests(wanted).map((one) => keyText(keyOfManifest(one))));
  const missing = [...keys].filter((key) => !objects.has(key)).map((key) => `${key} does not exist`);
  return [...missing, ...[...objects.keys()].filter((key) => !keys.has(key)).map((key) => `${key} still exists`)];
};

interface Found {
  readonly host: string;
  readonly world: World;
  readonly vm: Vm;
}

const machines = (scene: Scene, uid: string): readonly Found[] =>
  scene.hosts.flatMap((host) =>
    host.read((world) =>
      world
        .vms()
        .filter((vm) => validStamp(vm)?.uid === uid)
        .map((vm) => ({ host: host.name, world, vm })),
    ),
  );

const vmDifferences = (scene: Scene, wanted: VmSpec): string[] => {
  const [found, ...more] = machines(scene, uidOf(scene, "VirtualMachine", wanted.name));
  if (!found) return [`${wanted.name} has no machine`];
  if (more.length > 0) return [`${wanted.name} has ${more.length + 1} machines`];
  const { host, vm } = found;
  const nics = scene.wanted.nics.filter((nic) => nic.vm === wanted.name);
  return [
    ...differs(`${wanted.name}: host`, wanted.loose ? host : wanted.host, host),
    ...differs(`${wanted.name}: name`, wanted.name, vm.name),
    ...differs(`${wanted.name}: state`, wanted.power === "Running" ? "Running" : "Off", vm.state),
    ...differs(`${wanted.name}: cpu`, wanted.cpu, vm.cpu.count),
    ...differs(`${wanted.name}: memory`, wanted.memoryMi * 2 ** 20, vm.memory.startupBytes),
    ...(wanted.generation === 2
      ? differs(`${wanted.name}: secure boot`, wanted.secureBoot, vm.firmware?.secureBoot)
      : []),
    ...(wanted.notes === "" ? [] : differs(`${wanted.name}: notes`, wanted.notes, readNotes(vm.notes).notes)),
    ...differs(`${wanted.name}: disks`, diskUids(scene, wanted), vm.drives.map(({ path }) => nameUid(path)).toSorted()),
    ...differs(`${wanted.name}: adapters`, nicNames(scene, nics), vm.adapters.map(({ name }) => name).toSorted()),
    ...nics.flatMap((nic) => nicDifferences(scene, nic, found)),
  ];
};

const diskUids = (scene: Scene, { name }: VmSpec): readonly string[] =>
  [`${name}-os`, ...scene.wanted.disks.filter(({ vm }) => vm === name).map((disk) => disk.name)]
    .map((disk) => uidOf(scene, "VirtualDisk", disk))
    .toSorted();

const nicName = (scene: Scene, { name }: NicSpec): string =>
  `${name}.${uidOf(scene, "NetworkAdapter", name).slice(0, 8)}`;

const nicNames = (scene: Scene, nics: readonly NicSpec[]): readonly string[] =>
  nics.map((nic) => nicName(scene, nic)).toSorted();

const nicDifferences = (scene: Scene, nic: NicSpec, { world, vm }: Found): string[] => {
  const found = vm.adapters.find(({ name }) => name === nicName(scene, nic));
  if (!found) return [`${nic.name} is not in ${vm.name}, which has ${vm.adapters.map(({ name }) => name).join(", ")}`];
  const on = world.switches().find(({ id }) => id === found.switchId)?.name;
  const vlan = nic.vlan === 0 ? { mode: "Untagged" } : { mode: "Access", id: nic.vlan };
  return [
    ...differs(`${nic.name}: switch`, nic.connected ? switches[nic.network] : undefined, on),
    ...differs(`${nic.name}: VLAN`, vlan, found.vlan),
    ...differs(`${nic.name}: MAC spoofing`, nic.macSpoofing, found.macSpoofing),
  ];
};

const diskDifferences = (scene: Scene, wanted: DiskSpec): string[] => {
  const uid = uidOf(scene, "VirtualDisk", wanted.name);
  const files = scene.hosts.flatMap((host) =>
    host.read((world) =>
      world
        .disks()
        .filter(({ path }) => nameUid(path) === uid && !isTrash(path) && isOurs(path))
        .map((file) => ({ host: host.name, world, file })),
    ),
  );
  const [found, ...more] = files;
  if (!found) return [`${wanted.name} has no file`];
  if (more.length > 0) return [`${wanted.name} has ${files.map(({ file }) => file.path).join(" and ")}`];
  const { file, world } = found;
  const holders = world.holders(file.path).map(({ vm }) => vm.name);
  return [
    ...differs(`${wanted.name}: host`, wanted.host, found.host),
    ...differs(`${wanted.name}: folder`, classes[wanted.storageClass].toLowerCase(), ourRoot(file.path)),
    ...(wanted.source === "Differencing" ? [] : differs(`${wanted.name}: size`, wanted.sizeGi * gib, file.size)),
    ...differs(`${wanted.name}: attached to`, wanted.vm === undefined ? [] : [wanted.vm], holders),
  ];
};

const isOurs = (path: string): boolean => ourRoot(path) !== undefined;

const ourRoot = (path: string): string | undefined =>
  Object.values(classes)
    .map(pathKey)
    .find((root) => isUnder(path, root));

/** Things that carry our mark, and that nobody wants. */
const leftovers = ({ objects }: Scene, host: string, world: World): string[] => {
  const uids = new Set([...objects.values()].map(({ metadata }) => metadata.uid));
  const vms = world.vms().flatMap((vm) => {
    const uid = validStamp(vm)?.uid;
    return uid === undefined || uids.has(uid) ? [] : [`${host}: the machine ${vm.name} of ${uid} is left over`];
  });
  const files = world.disks().flatMap(({ path }) => {
    if (isTrash(path) || !isOurs(path)) return [];
    // A copy that was broken off and is no longer wanted: the host's purge takes it a day later, unless its disk goes before.
    const uid = (isPartial(path) ? fileName(path).split(".")[0] : nameUid(path)) ?? "";
    return uids.has(uid) ? [] : [`${host}: the disk ${path} in ${folderOf(path)} is left over`];
  });
  const kept = world.disks().filter(({ path }) => !isTrash(path) && !isPartial(path));
  const ids = kept.map(({ diskId }) => diskId);
  const twins = kept.filter(({ path, diskId }, at) => isOurs(path) && ids.indexOf(diskId) !== at);
  return [...vms, ...files, ...twins.map(({ path }) => `${host}: ${path} has the identity of another disk`)];
};

const differs = (what: string, wanted: unknown, is: unknown): string[] =>
  JSON.stringify(wanted) === JSON.stringify(is)
    ? []
    : [`${what} is ${JSON.stringify(is)}, not ${JSON.stringify(wanted)}`];
