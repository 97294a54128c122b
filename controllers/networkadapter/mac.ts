import type { NetworkAdapter } from "../../src/api/generated/types.ts";
import { indexed, once, onceAVersion } from "../../src/engine/derived.ts";
import type { World } from "../../src/engine/ports.ts";
import type { AdapterState, VmState } from "../../src/protocol/generated/types.ts";
import { hostObjects } from "../shared/objects.ts";
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
