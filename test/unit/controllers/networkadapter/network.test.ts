import { expect, test } from "vitest";
import { networkSettings } from "../../../../controllers/networkadapter/network.ts";
import type { NetworkAdapter, VMHost } from "../../../../src/api/generated/types.ts";
import type { AdapterState } from "../../../../src/protocol/generated/types.ts";

const networks = [
  { name: "lan", switchName: "External" },
  { name: "dmz", switchName: "External", vlanId: 20 },
  { name: "inner", switchName: "Internal" },
];
const host = { spec: { networks } } as unknown as VMHost;
const untagged = { mode: "Untagged" } as const;
const access = (id: number) => ({ mode: "Access", id }) as const;
const on = (switchName: string, vlan: AdapterState["vlan"]): AdapterState =>
  ({ switchName, connected: true, vlan }) as AdapterState;

test.each([
  {
    why: "an edit of the network that differs by its VLAN only is told as that edit",
    spec: { network: "dmz" },
    want: { switchName: "External", vlan: access(20) },
    state: on("External", untagged),
    changes: [{ path: "spec.network", from: "lan", to: "dmz" }],
    set: { vlan: access(20) },
  },
  {
    why: "an edit of the network with another switch and VLAN is told once",
    spec: { network: "inner" },
    want: { switchName: "Internal", vlan: untagged },
    state: on("External", access(20)),
    changes: [{ path: "spec.network", from: "dmz", to: "inner" }],
    set: { connected: true, switchName: "Internal", vlan: untagged },
  },
  {
    why: "a VLAN of no network was set by hand",
    spec: { network: "lan" },
    want: { switchName: "External", vlan: untagged },
    state: on("External", access(99)),
    changes: [{ path: "spec.vlan", from: access(99), to: untagged }],
    set: { vlan: untagged },
  },
  {
    why: "a VLAN that the spec names is the spec's",
    spec: { network: "lan", vlan: access(7) },
    want: { switchName: "External", vlan: access(7) },
    state: on("External", access(20)),
    changes: [{ path: "spec.vlan", from: access(20), to: access(7) }],
    set: { vlan: access(7) },
  },
  {
    why: "of two networks on a switch the one with its VLAN is left",
    spec: { network: "inner", vlan: access(20) },
    want: { switchName: "Internal", vlan: access(20) },
    state: on("External", access(20)),
    changes: [{ path: "spec.network", from: "dmz", to: "inner" }],
    set: { connected: true, switchName: "Internal" },
  },
])("$why", ({ spec, want, state, changes, set }) => {
  const adapter = { spec: { virtualMachine: "web", ...spec } } as unknown as NetworkAdapter;
  const left = networkSettings({ adapter, host }, want as never, state).filter((one) => one.changes.length > 0);
  expect(left).toEqual([{ changes, set }]);
});
