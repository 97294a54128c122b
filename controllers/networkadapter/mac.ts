import { annotations } from "../../src/api/annotations.ts";
import type { NetworkAdapter } from "../../src/api/generated/types.ts";
import { indexed, once, onceAVersion } from "../../src/engine/derived.ts";
import type { World } from "../../src/engine/ports.ts";
import type { AdapterState, VmState } from "../../src/protocol/generated/types.ts";
import { annotationOf, hostObjects } from "../shared/objects.ts";
import { MacIndex } from "./macIndex.ts";
import type { Surroundings } from "./scene.ts";

/** "00:15:5D:01:02:03" as hosts write it: "00155D010203". */
export const bareMac = (mac: string): string => mac.replaceAll(":", "").toUpperCase();

/** "00155D010203" as people write it: "00:15:5D:01:02:03". */
export const macText = (mac: string): string => (mac.match(/../g) ?? []).join(":");

/** Before the first start of a machine, a dynamic address is all zeros. */
export const isNoMac = (mac: string): boolean => /^0*$/.test(mac);

/** The address that the adapter is to have: the spec's, else the one it had first; undefined lets the agent choose. */
export const wantedMac = ({ spec, status }: NetworkAdapter): string | undefined => {
  const mac = spec.macAddress ?? (spec.adopt ? undefined : status?.macAddress);
  return mac === undefined ? undefined : bareMac(mac);
};

interface Holder {
  readonly host: string;
  readonly machine: string;
  readonly adapter: AdapterState;
}

/** Adapters of machines; replicas have their originals' addresses rightly. */
const holdersOn = (host: string, vms: readonly VmState[]): readonly Holder[] =>
  vms.flatMap((vm) => (vm.replica ? [] : vm.adapters.map((adapter) => ({ host, machine: vm.name, adapter }))));

/** Another adapter, on any managed host, that has this address. `ownId` is the adapter's own Hyper-V id, if it has one. */
export const otherWith = (world: World, mac: string, ownId: string | undefined): Holder | undefined =>
  hostObjects(world)
    .flatMap(({ metadata: { name } }) => holdersOn(name, world.host(name)?.snapshot?.vmsWithMac(mac) ?? []))
    .find(({ adapter }) => adapter.id !== ownId && adapter.macAddress === mac);

/** The addresses that are an adapter's own, wherever it is. */
const macsKept = once(({ spec, status }: NetworkAdapter): readonly string[] =>
  [spec.macAddress ?? [], status?.macAddress ?? []].flat().map(bareMac),
);

const keptIndex = indexed<NetworkAdapter, MacIndex>({
  kind: "NetworkAdapter",
  make: () => new MacIndex(),
  update: (index, gone, come) => {
    for (const mac of gone.flatMap(macsKept)) index.remove(mac);
    for (const mac of come.flatMap(macsKept)) index.add(mac);
  },
});

const usedIndex = onceAVersion((snapshot) => MacIndex.of(snapshot.macs()));

/**
 * Addresses of the host's pool that a new adapter must not get: in use on other hosts, or kept for machines that are gone for now. All
 * such addresses while the pool is not known.
 */
export const macsElsewhere = ({ world, adapter: self, hostName, snapshot }: Surroundings): string[] => {
  const { minimum, maximum } = snapshot.host?.macPool ?? { minimum: "0", maximum: "G" };
  const kept = keptIndex(world.objects);
  const own = macsKept(self);
  const ofOthers = (mac: string): boolean => kept.count(mac) > own.filter((one) => one === mac).length;
  const found = new Set([...kept.within(minimum, maximum)].filter(ofOthers));
  for (const { metadata } of hostObjects(world)) {
    const other = metadata.name === hostName ? undefined : world.host(metadata.name)?.snapshot;
    if (other) for (const mac of usedIndex(other).within(minimum, maximum)) found.add(mac);
  }
  return [...found].toSorted();
};

/**
 * Whether the adapter's address is also another's, and this one is to give way: it was chosen by the host and is not told yet, so nobody
 * counts on it. The host could not know better when the other one was out of its sight: its machine not registered, its removal later than
 * the order of this one. An adapter that was taken over, or taken back, was known to others before.
 */
export const givesWay = (world: World, adapter: NetworkAdapter, { id, macAddress }: AdapterState): boolean => {
  if (wantedMac(adapter) !== undefined || isNoMac(macAddress)) return false;
  if (adapter.spec.adopt || annotationOf(adapter, annotations.reclaim) !== undefined) return false;
  return keptIndex(world.objects).count(macAddress) > 0 || otherWith(world, macAddress, id) !== undefined;
};

const macOf = (value: number): string => value.toString(16).toUpperCase().padStart(12, "0");

/**
 * An address of the host's pool that nobody has or keeps; undefined when there is none. The search begins at a place of the adapter's
 * own: two that look at once seldom find the same, and what was found, and perhaps approved, stays the same while others come and go.
 */
export const freeMac = (around: Surroundings): string | undefined => {
  const { adapter, snapshot } = around;
  const { macPool } = snapshot.host ?? {};
  if (!macPool) return undefined;
  const first = Number.parseInt(macPool.minimum, 16);
  const taken = new Set([...macsElsewhere(around), ...snapshot.macs()]);
  const size = Number.parseInt(macPool.maximum, 16) - first + 1;
  const own = Number.parseInt(adapter.metadata.uid.slice(0, 8), 16) % size;
  for (let at = 0; at < size; at += 1) {
    const mac = macOf(first + ((own + at) % size));
    if (!taken.has(mac)) return mac;
  }
  return undefined;
};
