import { apiVersion, kinds } from "../../../../src/api/kinds.ts";

/** A collection that the server serves. */
export interface Collection {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  /** Custom resources have generations, a status of its own, and a schema. */
  readonly generations: boolean;
}

/** What a path names. */
export interface Place {
  readonly path: string;
  readonly collection: Collection;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly status: boolean;
  /** Of the object; and of all objects of the collection and namespace. */
  readonly key: string;
  readonly prefix: string;
}

const ours = kinds.map(({ kind, plural }) => ({ apiVersion, kind, plural, generations: true }));

const collections: readonly Collection[] = [
  ...ours,
  { apiVersion: "coordination.k8s.io/v1", kind: "Lease", plural: "leases", generations: false },
  { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps", generations: false },
  { apiVersion: "v1", kind: "Secret", plural: "secrets", generations: false },
];

const rootOf = ({ apiVersion: version }: Collection): string =>
  version.includes("/") ? `/apis/${version}` : `/api/${version}`;

const known = new Map<string, Place | undefined>();

/** Paths repeat themselves; they are read once. */
export const placeOf = (path: string): Place | undefined => {
  if (!known.has(path)) known.set(path, read(path));
  return known.get(path);
};

const read = (path: string): Place | undefined => {
  for (const collection of collections) {
    const root = rootOf(collection);
    if (!path.startsWith(`${root}/`)) continue;
    const parts = path
      .slice(root.length + 1)
      .split("/")
      .map(decodeURIComponent);
    const namespace = parts[0] === "namespaces" ? parts[1] : undefined;
    const [plural, name, sub] = namespace === undefined ? parts : parts.slice(2);
    if (plural !== collection.plural || (sub !== undefined && sub !== "status")) continue;
    const prefix = `${plural}/${namespace === undefined ? "" : `${namespace}/`}`;
    return { path, collection, namespace, name, status: sub === "status", prefix, key: `${prefix}${name ?? ""}` };
  }
  return undefined;
};
