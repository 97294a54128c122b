import type { AnyResource } from "../../../src/api/generated/types.ts";

export type ConsoleKind = AnyResource["kind"];

/** What the pages know of a kind. `path` is the first part of its pages' addresses. */
export interface KindWords {
  readonly kind: ConsoleKind;
  readonly plural: string;
  readonly path: string;
  readonly title: string;
  readonly one: string;
  readonly namespaced: boolean;
  readonly icon: string;
}

export const kindWords: readonly KindWords[] = [
  words("VMHost", "vmhosts", "hosts", "Hosts", "host", "host", false),
  words("VirtualMachine", "virtualmachines", "vms", "Virtual machines", "virtual machine", "vm"),
  words("VirtualDisk", "virtualdisks", "disks", "Disks", "disk", "disk"),
  words("NetworkAdapter", "networkadapters", "adapters", "Network adapters", "network adapter", "adapter"),
  words("ManagedDeployment", "manageddeployments", "deployments", "Deployments", "deployment", "deployment"),
];

function words(
  kind: ConsoleKind,
  plural: string,
  path: string,
  ...[title, one, icon, namespaced = true]: [string, string, string, boolean?]
): KindWords {
  return { kind, plural, path, title, one, icon, namespaced };
}

export const wordsOf = (kind: string): KindWords => {
  const found = kindWords.find((each) => each.kind === kind);
  if (!found) throw new Error(`unknown kind ${kind}`);
  return found;
};

export const pluralOf = (kind: string): string => wordsOf(kind).plural;

/** The page of an object. */
export const hrefOf = (where: { kind: string; namespace?: string | undefined; name: string }): string => {
  const { path, namespaced } = wordsOf(where.kind);
  const name = encodeURIComponent(where.name);
  return namespaced ? `/${path}/${encodeURIComponent(where.namespace || "default")}/${name}` : `/${path}/${name}`;
};
