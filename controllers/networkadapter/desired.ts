import type { VMHost } from "../../src/api/generated/types.ts";
import type { Blocked } from "../../src/engine/ports.ts";
import type { Bandwidth, HostState, Vlan } from "../../src/protocol/generated/types.ts";
import { compact } from "../shared/objects.ts";
import type { Surroundings } from "./scene.ts";
import { vlanOf } from "./vlan.ts";

/** What the adapter is to be. Absent members stay as found (only for an adapter that was taken over). */
export interface Desired {
  /** The switch to be connected to; null: none. */
  readonly switchName?: string | null;
  readonly vlan?: Vlan;
  readonly macSpoofing?: boolean;
  readonly dhcpGuard?: boolean;
  readonly routerGuard?: boolean;
  /** Without members that mean none. */
  readonly bandwidth?: Bandwidth;
}

type Network = NonNullable<VMHost["spec"]["networks"]>[number];
type Switch = HostState["switches"][number];

const stalled = (reason: string, message: string): Blocked => ({ at: "stalled", reason, message });

export const isBlocked = (value: object): value is Blocked =>
  "at" in value && (value.at === "waiting" || value.at === "stalled");

/** What the spec and the host's network ask for, or why the host can't give it. */
export const desired = (scene: Surroundings): Desired | Blocked => {
  const { spec } = scene.adapter;
  const network = networkOf(scene);
  if (network && isBlocked(network)) return network;
  const seenSwitch = network && switchOf(scene, network);
  if (seenSwitch && isBlocked(seenSwitch)) return seenSwitch;
  const bandwidth = spec.bandwidth && plainBandwidth(spec.bandwidth);
  const unfit = bandwidth && seenSwitch && bandwidthProblem(bandwidth, seenSwitch);
  if (unfit) return unfit;
  const unset = spec.adopt ? undefined : false;
  return compact({
    switchName: switchName(scene, network),
    vlan: spec.vlan ? vlanOf(spec.vlan) : networkVlan(scene, network),
    macSpoofing: spec.macSpoofing ?? unset,
    dhcpGuard: spec.dhcpGuard ?? unset,
    routerGuard: spec.routerGuard ?? unset,
    bandwidth: bandwidth ?? (spec.adopt ? undefined : {}),
  });
};

const networkOf = ({ adapter, host, hostName }: Surroundings): Network | Blocked | undefined => {
  const name = adapter.spec.network;
  if (name === undefined) return undefined;
  const networks = host.spec.networks ?? [];
  const there = networks.map((one) => one.name).join(", ") || "none";
  return (
    networks.find((one) => one.name === name) ??
    stalled("NetworkNotFound", `spec.network: host ${hostName} has no network ${name}; it has: ${there}.`)
  );
};

const switchOf = ({ snapshot, hostName }: Surroundings, network: Network): Switch | Blocked => {
  const switches = snapshot.host?.switches ?? [];
  const found = switches.find(({ name }) => name.toLowerCase() === network.switchName.toLowerCase());
  if (found) return found;
  if (!snapshot.host || snapshot.unknownParts.has("switches"))
    return { at: "waiting", reason: "WaitingForHost", message: `Host ${hostName} has not told its switches yet.` };
  const there = switches.map(({ name }) => name).join(", ") || "none";
  const message = `The switch ${network.switchName} of network ${network.name} is not on host ${hostName}; it has: ${there}.`;
  return stalled("SwitchNotFound", message);
};

const switchName = ({ adapter: { spec } }: Surroundings, network: Network | undefined): string | null | undefined => {
  if (spec.connected === false) return null;
  if (network) return network.switchName;
  return spec.adopt ? undefined : null;
};

const networkVlan = ({ adapter: { spec } }: Surroundings, network: Network | undefined): Vlan | undefined => {
  if (network?.vlanId !== undefined) return { mode: "Access", id: network.vlanId };
  return spec.adopt && !network ? undefined : { mode: "Untagged" };
};

/** Rates without those that mean none. */
export const plainBandwidth = (bandwidth: Bandwidth): Bandwidth =>
  Object.fromEntries(Object.entries(bandwidth).filter(([, rate]) => rate !== undefined && rate !== 0));

const bandwidthProblem = (bandwidth: Bandwidth, { name, bandwidthMode }: Switch): Blocked | undefined => {
  const needs = { minimumWeight: "Weight", minimumMbps: "Absolute" } as const;
  const field = (["minimumWeight", "minimumMbps"] as const).find((one) => bandwidth[one] !== undefined);
  return field === undefined || needs[field] === bandwidthMode
    ? undefined
    : stalled(
        "InvalidSpec",
        `spec.bandwidth.${field}: needs a switch of mode ${needs[field]}; ${name} has ${bandwidthMode}.`,
      );
};
