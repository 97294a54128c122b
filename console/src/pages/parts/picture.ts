import type { NetworkAdapter, VirtualDisk, VirtualMachine, VMHost } from "../../../../src/api/generated/types.ts";
import { bytes } from "../../lib/format.ts";
import { hrefOf } from "../../lib/kinds.ts";
import { standingOf, type Tone } from "../../lib/standing.ts";

/** A box of the picture. Column 0: hosts, 1: machines, 2: disks and adapters, 3: networks. */
export interface Node {
  readonly id: string;
  readonly column: 0 | 1 | 2 | 3;
  /** Middle, in rows from the top. */
  readonly row: number;
  readonly icon: string;
  readonly title: string;
  readonly text: string;
  readonly tone: Tone;
  /** Absent for networks, which are parts of their host. */
  readonly href?: string;
}

export interface Edge {
  readonly from: string;
  readonly to: string;
}

export interface Picture {
  readonly nodes: readonly Node[];
  readonly edges: readonly Edge[];
  /** Height in rows. */
  readonly rows: number;
}

export interface Things {
  readonly hosts: readonly VMHost[];
  readonly vms: readonly VirtualMachine[];
  readonly disks: readonly VirtualDisk[];
  readonly adapters: readonly NetworkAdapter[];
  readonly hostOf: (object: VirtualMachine | VirtualDisk | NetworkAdapter) => string | undefined;
}

const idOf = (kind: string, namespace: string | undefined, name: string): string =>
  `${kind}/${namespace ?? ""}/${name}`;

const nodeOf = (
  object: VMHost | VirtualMachine | VirtualDisk | NetworkAdapter,
  place: Pick<Node, "column" | "row" | "icon" | "text">,
): Node => {
  const { kind, metadata } = object;
  const { name, namespace } = metadata;
  return {
    ...place,
    id: idOf(kind, namespace, name),
    title: name,
    tone: standingOf(object).tone,
    href: hrefOf({ kind, namespace, name }),
  };
};

/** Lays out what hangs together from left to right; each machine is as high as its parts. */
export const pictureOf = (things: Things): Picture => {
  const nodes: Node[] = [];
  const edges: Edge[] = [];
  const vmKey = (namespace: string | undefined, vm: string): string => `${namespace ?? ""}/${vm}`;
  const disks = Map.groupBy(things.disks, ({ metadata, spec }) =>
    vmKey(metadata.namespace, spec.attachment?.virtualMachine ?? ""),
  );
  const adapters = Map.groupBy(things.adapters, ({ metadata, spec }) => vmKey(metadata.namespace, spec.virtualMachine));
  const vmsOn = Map.groupBy(things.vms, (vm) => things.hostOf(vm) ?? "");
  let row = 0;

  const addVm = (vm: VirtualMachine, host: string): void => {
    const key = vmKey(vm.metadata.namespace, vm.metadata.name);
    const id = idOf(vm.kind, vm.metadata.namespace, vm.metadata.name);
    const start = row;
    for (const disk of disks.get(key) ?? []) {
      const node = nodeOf(disk, {
        column: 2,
        row,
        icon: "disk",
        text: bytes(disk.status?.size) || (disk.spec.size ?? ""),
      });
      nodes.push(node);
      edges.push({ from: id, to: node.id });
      row += 1;
    }
    for (const adapter of adapters.get(key) ?? []) {
      const node = nodeOf(adapter, { column: 2, row, icon: "adapter", text: adapter.status?.ipAddresses?.[0] ?? "" });
      nodes.push(node);
      edges.push({ from: id, to: node.id });
      if (adapter.spec.network) edges.push({ from: node.id, to: `network/${host}/${adapter.spec.network}` });
      row += 1;
    }
    if (row === start) row += 1;
    nodes.push(
      nodeOf(vm, { column: 1, row: (start + row - 1) / 2, icon: "vm", text: vm.status?.powerState ?? "Not there" }),
    );
    if (host !== "") edges.push({ from: idOf("VMHost", "", host), to: id });
  };

  const addHost = (name: string, host: VMHost | undefined): void => {
    const vms = vmsOn.get(name) ?? [];
    const networks = host?.spec.networks ?? [];
    const start = row;
    for (const vm of vms) addVm(vm, name);
    const height = Math.max(row - start, networks.length, 1);
    row = start + height;
    if (host)
      nodes.push(
        nodeOf(host, {
          column: 0,
          row: start + (height - 1) / 2,
          icon: "host",
          text: `${vms.length} ${vms.length === 1 ? "machine" : "machines"}`,
        }),
      );
    for (const [at, network] of networks.entries()) {
      const text = network.vlanId === undefined ? network.switchName : `${network.switchName}, VLAN ${network.vlanId}`;
      const middle = start + ((at + 0.5) * height) / networks.length - 0.5;
      nodes.push({
        id: `network/${name}/${network.name}`,
        column: 3,
        row: middle,
        icon: "topology",
        title: network.name,
        text,
        tone: "idle",
      });
    }
    row += 0.6;
  };

  for (const host of things.hosts) addHost(host.metadata.name, host);
  const known = new Set(things.hosts.map(({ metadata }) => metadata.name));
  // Machines without a place yet, or on a host that was forgotten.
  for (const name of [...vmsOn.keys()].filter((each) => !known.has(each)).sort()) addHost(name, undefined);
  const ids = new Set(nodes.map(({ id }) => id));
  return { nodes, edges: edges.filter(({ from, to }) => ids.has(from) && ids.has(to)), rows: Math.max(1, row - 0.6) };
};

/** A node and all that hangs together with it, towards both ends. */
export const related = ({ edges }: Picture, id: string): ReadonlySet<string> => {
  const found = new Set([id]);
  const walk = (from: string, next: (edge: Edge, at: string) => string | undefined): void => {
    for (const edge of edges) {
      const to = next(edge, from);
      if (to !== undefined && !found.has(to)) {
        found.add(to);
        walk(to, next);
      }
    }
  };
  walk(id, (edge, at) => (edge.from === at ? edge.to : undefined));
  walk(id, (edge, at) => (edge.to === at ? edge.from : undefined));
  return found;
};
