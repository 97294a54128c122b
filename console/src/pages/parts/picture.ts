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

const vmKey = (namespace: string | undefined, vm: string): string => `${namespace ?? ""}/${vm}`;

/** Puts one host after the other, from the top. */
class Layout {
  readonly nodes: Node[] = [];
  readonly edges: Edge[] = [];
  row = 0;
  readonly #things: Things;
  readonly #disks: ReadonlyMap<string, readonly VirtualDisk[]>;
  readonly #adapters: ReadonlyMap<string, readonly NetworkAdapter[]>;

  constructor(things: Things) {
    this.#things = things;
    this.#disks = Map.groupBy(things.disks, ({ metadata, spec }) =>
      vmKey(metadata.namespace, spec.attachment?.virtualMachine ?? ""),
    );
    this.#adapters = Map.groupBy(things.adapters, ({ metadata, spec }) =>
      vmKey(metadata.namespace, spec.virtualMachine),
    );
  }

  addHost(name: string, host: VMHost | undefined): void {
    const vms = this.#things.vms.filter((vm) => (this.#things.hostOf(vm) ?? "") === name);
    const start = this.row;
    for (const vm of vms) this.#addVm(vm, name);
    const height = Math.max(this.row - start, host?.spec.networks?.length ?? 0, 1);
    this.row = start + height;
    if (host) {
      const text = `${vms.length} ${vms.length === 1 ? "machine" : "machines"}`;
      this.nodes.push(nodeOf(host, { column: 0, row: start + (height - 1) / 2, icon: "host", text }));
      this.#addNetworks(host, start, height);
    }
    this.row += betweenHosts;
  }

  #addNetworks({ metadata, spec }: VMHost, start: number, height: number): void {
    const networks = spec.networks ?? [];
    for (const [at, { name, switchName, vlanId }] of networks.entries()) {
      this.nodes.push({
        id: `network/${metadata.name}/${name}`,
        column: 3,
        row: start + ((at + 0.5) * height) / networks.length - 0.5,
        icon: "topology",
        title: name,
        text: vlanId === undefined ? switchName : `${switchName}, VLAN ${vlanId}`,
        tone: "idle",
      });
    }
  }

  #addVm(vm: VirtualMachine, host: string): void {
    const key = vmKey(vm.metadata.namespace, vm.metadata.name);
    const id = idOf(vm.kind, vm.metadata.namespace, vm.metadata.name);
    const start = this.row;
    for (const disk of this.#disks.get(key) ?? []) {
      const text = bytes(disk.status?.size) || (disk.spec.size ?? "");
      this.#addPart(id, nodeOf(disk, { column: 2, row: this.row, icon: "disk", text }));
    }
    for (const adapter of this.#adapters.get(key) ?? []) {
      const text = adapter.status?.ipAddresses?.[0] ?? "";
      const node = nodeOf(adapter, { column: 2, row: this.row, icon: "adapter", text });
      this.#addPart(id, node);
      if (adapter.spec.network) this.edges.push({ from: node.id, to: `network/${host}/${adapter.spec.network}` });
    }
    if (this.row === start) this.row += 1;
    const text = vm.status?.powerState ?? "Not there";
    this.nodes.push(nodeOf(vm, { column: 1, row: (start + this.row - 1) / 2, icon: "vm", text }));
    if (host !== "") this.edges.push({ from: idOf("VMHost", "", host), to: id });
  }

  #addPart(vm: string, node: Node): void {
    this.nodes.push(node);
    this.edges.push({ from: vm, to: node.id });
    this.row += 1;
  }
}

/** Room between two hosts, in rows. */
const betweenHosts = 0.6;

/** Lays out what hangs together from left to right; each machine is as high as its parts. */
export const pictureOf = (things: Things): Picture => {
  const layout = new Layout(things);
  for (const host of things.hosts) layout.addHost(host.metadata.name, host);
  const known = new Set(things.hosts.map(({ metadata }) => metadata.name));
  // Machines without a place yet, or on a host that was forgotten.
  const others = new Set(things.vms.map((vm) => things.hostOf(vm) ?? "").filter((name) => !known.has(name)));
  for (const name of [...others].sort()) layout.addHost(name, undefined);
  const { nodes, edges, row } = layout;
  const ids = new Set(nodes.map(({ id }) => id));
  return {
    nodes,
    edges: edges.filter(({ from, to }) => ids.has(from) && ids.has(to)),
    rows: Math.max(1, row - betweenHosts),
  };
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
