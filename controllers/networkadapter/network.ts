import { deepEqual } from "../../src/engine/equal.ts";
import { changeIf } from "../../src/engine/plan.ts";
import type { Change } from "../../src/engine/ports.ts";
import type { AdapterState, NicConfig } from "../../src/protocol/generated/types.ts";
import { compact } from "../shared/objects.ts";
import type { Desired } from "./desired.ts";
import type { Scene } from "./scene.ts";
import { plainVlan } from "./vlan.ts";

/** Fields that differ, and what sets them. */
export interface Setting {
  readonly changes: readonly Change[];
  readonly set: NicConfig;
}

/** What connects the adapter and puts it into its VLAN. Both follow from spec.network unless the spec names a VLAN itself. */
export const networkSettings = (
  scene: Pick<Scene, "adapter" | "host">,
  want: Desired,
  state: AdapterState,
): readonly Setting[] => {
  const link = connection(scene, want, state);
  const vlan = vlanSetting(scene, want, state);
  const [path, other] = [link.changes[0]?.path, vlan.changes[0]?.path];
  // One edit of one field, told once.
  return path !== undefined && path === other
    ? [{ changes: vlan.changes, set: { ...link.set, ...vlan.set } }]
    : [link, vlan];
};

const vlanSetting = (
  { adapter, host }: Pick<Scene, "adapter" | "host">,
  want: Desired,
  state: AdapterState,
): Setting => {
  const { spec } = adapter;
  const changes = changeIf("spec.vlan", plainVlan(state.vlan), want.vlan && plainVlan(want.vlan));
  const set = compact({ vlan: want.vlan });
  const from = spec.vlan === undefined && spec.network !== undefined ? networkLike(host, state) : undefined;
  return changes.length === 0 || from === undefined || from === spec.network
    ? { changes, set }
    : { changes: [{ path: "spec.network", from, to: spec.network }], set };
};

/** The network of the host that the adapter is on, by switch and VLAN. */
const networkLike = (host: Scene["host"], { switchName, vlan }: AdapterState): string | undefined =>
  host.spec.networks?.find(
    (one) =>
      one.switchName.toLowerCase() === switchName?.toLowerCase() &&
      deepEqual(
        plainVlan(vlan),
        plainVlan(one.vlanId === undefined ? { mode: "Untagged" } : { mode: "Access", id: one.vlanId }),
      ),
  )?.name;

const connection = (
  { adapter: { spec }, host }: Pick<Scene, "adapter" | "host">,
  { switchName }: Desired,
  state: AdapterState,
): Setting => {
  const now = state.connected ? (state.switchName ?? null) : null;
  if (switchName === undefined || switchName?.toLowerCase() === now?.toLowerCase()) return { changes: [], set: {} };
  if (switchName === null) {
    const path = spec.connected === false ? "spec.connected" : "spec.network";
    const changes =
      path === "spec.connected" ? [{ path, from: true, to: false }] : [{ path, from: networkName(host, state, now) }];
    return { changes, set: { connected: false } };
  }
  const change =
    now === null
      ? { path: "spec.connected", from: false, to: true }
      : { path: "spec.network", from: networkName(host, state, now), to: spec.network };
  return { changes: [change], set: { connected: true, switchName } };
};

/** The network that the adapter is on, as the spec would name it; the switch itself when it belongs to none. */
const networkName = (host: Scene["host"], state: AdapterState, switchName: string | null): string | undefined =>
  networkLike(host, state) ??
  host.spec.networks?.find((one) => one.switchName === switchName)?.name ??
  switchName ??
  undefined;
