import { apiVersion } from "../../../../src/api/kinds.ts";
import { wordsOf, type ConsoleKind } from "../../lib/kinds.ts";
import type { Json } from "./path.ts";

/** What the address of a new form may say already. */
export interface Wish {
  readonly namespace?: string | undefined;
  readonly vm?: string | undefined;
  readonly host?: string | undefined;
}

/** What a form for a new object begins with: nothing that would surprise whoever just saves it. */
export const startOf = (kind: ConsoleKind, wish: Wish): Json => {
  const metadata = wordsOf(kind).namespaced ? { namespace: wish.namespace ?? "default" } : {};
  return { apiVersion, kind, metadata, spec: specs[kind](wish) };
};

const machine = { cpu: { count: 2 }, memory: { startup: "4Gi" } };

const specs: Readonly<Record<ConsoleKind, (wish: Wish) => Json>> = {
  VirtualMachine: ({ host }) => ({ ...(host ? { host } : {}), ...machine }),
  VirtualDisk: ({ vm, host }) => ({
    source: { type: vm ? "Blank" : "Image" },
    ...(vm ? { attachment: { virtualMachine: vm } } : host ? { host } : {}),
  }),
  NetworkAdapter: ({ vm }) => (vm ? { virtualMachine: vm } : {}),
  ManagedDeployment: () => ({
    virtualMachine: { osFamily: "Linux", ...machine, boot: { order: [{ type: "Disk", name: "system" }] } },
    disks: [{ name: "system", spec: { source: { type: "Image" } } }],
    networkAdapters: [{ name: "lan", spec: {} }],
  }),
  VMHost: () => ({ driver: "HyperV", connection: { type: "SSH", ssh: { port: 22 } } }),
};
