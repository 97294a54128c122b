import { annotations as words } from "../../src/api/annotations.ts";
import type { ManagedDeployment, ManagedDeploymentSpec, VirtualMachineSpec } from "../../src/api/generated/types.ts";
import type { Key } from "../../src/api/resource.ts";
import { compact, namespaceOf } from "../shared/objects.ts";

/** An object that a deployment stands for: as an author would write it, without the defaults of its kind. */
export interface Child {
  readonly kind: "VirtualMachine" | "VirtualDisk" | "NetworkAdapter";
  readonly name: string;
  readonly spec: object;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Greatest length of an object's name, as metadata.name of every kind has it. */
const longestName = 63;

/** The objects that a deployment stands for: the machine, its disks, its adapters, in the order of the spec. */
export const expand = (deployment: ManagedDeployment): readonly Child[] => {
  const { spec, metadata } = deployment;
  const { labels = {}, annotations = {} } = spec.childMetadata ?? {};
  const common = { labels, annotations: withoutWord(annotations) };
  const names = namesIn(deployment);
  const full = (short: string): string => `${metadata.name}-${short}`;
  return [
    { kind: "VirtualMachine", name: metadata.name, spec: machineSpec(spec, names), ...common },
    ...(spec.disks ?? []).map(({ name, spec: disk }): Child => {
      const attachment = { ...disk.attachment, virtualMachine: metadata.name };
      const inner = { ...disk, source: sourceOf(disk.source, names), attachment };
      return { kind: "VirtualDisk", name: full(name), spec: { ...inner, ...passedOn(spec, disk) }, ...common };
    }),
    ...(spec.networkAdapters ?? []).map(({ name, spec: adapter }): Child => {
      const inner = { ...adapter, virtualMachine: metadata.name };
      return { kind: "NetworkAdapter", name: full(name), spec: { ...inner, ...passedOn(spec, adapter) }, ...common };
    }),
  ];
};

/** Annotations that AetherV keeps itself, and those by which a person decides on one object: never given to all children. */
const ofOneObject: ReadonlySet<string> = new Set([
  words.host,
  words.guestGeneration,
  words.guestDigest,
  words.fromDeployment,
  words.approve,
  words.approveGuestKey,
  words.confirmDelete,
  words.forceOrphan,
  words.reclaim,
]);

const withoutWord = (annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(annotations).filter(([name]) => !ofOneObject.has(name)));

/** Full names by short names. What is no short name of the deployment is the name of an object beside it. */
interface Names {
  readonly disk: (short: string) => string;
  readonly adapter: (short: string) => string;
  readonly attached: readonly string[];
  readonly adapters: readonly string[];
}

const namesIn = ({ spec, metadata }: ManagedDeployment): Names => {
  const full = (short: string): string => `${metadata.name}-${short}`;
  const disks = (spec.disks ?? []).map(({ name }) => name);
  const adapters = (spec.networkAdapters ?? []).map(({ name }) => name);
  return {
    disk: (short) => (disks.includes(short) ? full(short) : short),
    adapter: (short) => (adapters.includes(short) ? full(short) : short),
    attached: disks.map(full),
    adapters: adapters.map(full),
  };
};

const machineSpec = (spec: ManagedDeploymentSpec, names: Names): object => {
  const { boot, waitFor, ...machine } = spec.virtualMachine;
  const order = boot?.order.map((entry) => {
    if (entry.type === "Disk") return { ...entry, name: names.disk(entry.name) };
    return entry.type === "NetworkAdapter" ? { ...entry, name: names.adapter(entry.name) } : entry;
  });
  return compact({
    ...machine,
    ...passedOn(spec, machine),
    boot: order && { ...boot, order },
    waitFor: waiting(waitFor, names),
  });
};

/** A machine of a deployment starts with all that belongs to it, unless its author says what it waits for. */
const waiting = (
  wanted: ManagedDeploymentSpec["virtualMachine"]["waitFor"],
  names: Names,
): VirtualMachineSpec["waitFor"] => {
  const disks = wanted?.disks?.map(names.disk) ?? names.attached;
  const networkAdapters = wanted?.networkAdapters?.map(names.adapter) ?? names.adapters;
  if (disks.length + networkAdapters.length === 0) return undefined;
  return {
    ...(disks.length > 0 && { disks: [...disks] }),
    ...(networkAdapters.length > 0 && { networkAdapters: [...networkAdapters] }),
  };
};

type EmbeddedDisk = NonNullable<ManagedDeploymentSpec["disks"]>[number]["spec"];

const sourceOf = (source: EmbeddedDisk["source"], names: Names): EmbeddedDisk["source"] =>
  compact({
    ...source,
    disk: source.disk === undefined ? undefined : names.disk(source.disk),
    parent:
      source.parent?.type === "VirtualDisk"
        ? { ...source.parent, name: names.disk(source.parent.name) }
        : source.parent,
  }) as EmbeddedDisk["source"];

interface Policies {
  readonly managementPolicy?: "Manage" | "Observe";
  readonly deletionPolicy?: "Delete" | "Orphan";
  readonly deletionProtection?: boolean;
}

/** Policies of the deployment that hold for a child which says nothing else. */
const passedOn = (spec: ManagedDeploymentSpec, child: Policies): Policies =>
  compact({
    managementPolicy: child.managementPolicy ?? (spec.managementPolicy === "Observe" ? "Observe" : undefined),
    deletionPolicy: child.deletionPolicy ?? spec.deletionPolicy,
    deletionProtection: child.deletionProtection ?? (spec.deletionProtection ? true : undefined),
  }) as Policies;

export const childKey = (deployment: ManagedDeployment, { kind, name }: Pick<Child, "kind" | "name">): Key => ({
  kind,
  namespace: namespaceOf(deployment),
  name,
});

/** What is wrong with the names of the children; undefined when nothing is. */
export const nameProblem = (children: readonly Child[]): string | undefined => {
  const long = children.find(({ name }) => name.length > longestName);
  return (
    long &&
    `${long.kind} ${long.name} would have a name of ${long.name.length} characters, at most ${longestName} are possible: shorten the name of the deployment or of its part.`
  );
};
