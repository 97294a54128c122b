import { annotations as names } from "../api/annotations.ts";
import { apiVersion, isKind, kindInfo } from "../api/kinds.ts";
import type { Condition, Key, Metadata, Resource } from "../api/resource.ts";
import type { Draft } from "../engine/ports.ts";
import { equalJson } from "./equal.ts";

export type Annotations = Readonly<Record<string, string>>;

/** An object as a store keeps it: what people see, and which of its annotations come from where. */
export interface Row {
  readonly object: Resource;
  /** document: its spec comes from a manifest, whose removal is the deletion. controller: made by `create`. */
  readonly origin: "document" | "controller";
  /** Annotations of the manifest; they win. */
  readonly declared: Annotations;
  /** Annotations written by controllers and the CLI. */
  readonly own: Annotations;
}

/** What a manifest says about its object. */
export interface Manifest {
  readonly key: Key;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Annotations;
  readonly spec: unknown;
}

const isEmpty = (record: object): boolean => Object.keys(record).length === 0;

/** Sets or, if the value is empty, leaves out a member. */
const optional = <K extends string, V extends object>(name: K, value: V | undefined): { [P in K]?: V } =>
  value === undefined || isEmpty(value) ? {} : ({ [name]: value } as { [P in K]?: V });

const withMetadata = (object: Resource, metadata: Metadata): Resource => ({ ...object, metadata });

const without = <T extends object, K extends keyof T>(value: T, ...names: K[]): Omit<T, K> => {
  const copy = { ...value };
  for (const name of names) delete copy[name];
  return copy;
};

/** Merges the annotations of both origins into the object. */
const merged = (row: Row): Row => {
  const rest = without(row.object.metadata, "annotations");
  const metadata = { ...rest, ...optional("annotations", { ...row.own, ...row.declared }) };
  return { ...row, object: withMetadata(row.object, metadata) };
};

export interface Birth {
  readonly uid: string;
  readonly now: Date;
}

const newMetadata = (key: Key, birth: Birth): Metadata => ({
  name: key.name,
  ...(key.namespace === "" ? {} : { namespace: key.namespace }),
  uid: birth.uid,
  generation: 1,
  resourceVersion: "0",
  creationTimestamp: timestamp(birth.now),
});

/** RFC 3339 with seconds, as metav1.Time has it. */
export const timestamp = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, "Z");

/** A new row for a manifest seen for the first time. */
export const bornOfManifest = (manifest: Manifest, birth: Birth): Row => {
  const metadata = { ...newMetadata(manifest.key, birth), ...optional("labels", manifest.labels) };
  const object: Resource = { apiVersion, kind: manifest.key.kind, metadata, spec: manifest.spec };
  return merged({ object, origin: "document", declared: manifest.annotations, own: {} });
};

/** A new row for an object made by a controller. */
export const bornOfDraft = (draft: Draft, birth: Birth): Row => {
  const { labels, annotations = {}, finalizers, ownerReferences } = draft.metadata;
  const metadata = {
    ...newMetadata(keyOfDraft(draft), birth),
    ...optional("labels", labels),
    ...optional("finalizers", finalizers),
    ...optional("ownerReferences", ownerReferences),
  };
  const object: Resource = { apiVersion, kind: draft.kind, metadata, spec: draft.spec };
  return merged({ object, origin: "controller", declared: {}, own: annotations });
};

export const keyOfDraft = (draft: Draft): Key => ({
  kind: draft.kind,
  namespace: namespaceOf(draft.kind, draft.metadata.namespace),
  name: draft.metadata.name,
});

/** The namespace an object lives in: "" for cluster-scoped kinds, "default" where none is given. */
export const namespaceOf = (kind: string, given: string | undefined): string => {
  if (isKind(kind) && kindInfo(kind).scope === "Cluster") return "";
  return given === undefined || given === "" ? "default" : given;
};

/** The manifest's present content; the same row if nothing differs. Only a change of spec raises the generation. */
export const manifestWritten = (row: Row, manifest: Manifest): Row => {
  const { metadata, spec } = row.object;
  const sameSpec = equalJson(spec, manifest.spec);
  const sameLabels = equalJson(metadata.labels ?? {}, manifest.labels);
  if (sameSpec && sameLabels && equalJson(row.declared, manifest.annotations)) return row;
  const next = {
    ...without(metadata, "labels"),
    ...optional("labels", manifest.labels),
    generation: sameSpec ? metadata.generation : metadata.generation + 1,
  };
  return merged({
    ...row,
    declared: manifest.annotations,
    object: { ...row.object, metadata: next, spec: manifest.spec },
  });
};

/** Finalizers and annotations of `next`; annotations that the manifest declares stay as declared. */
export const metadataWritten = (row: Row, next: Metadata): Row => {
  const wanted = Object.entries(next.annotations ?? {}).filter(([name]) => !Object.hasOwn(row.declared, name));
  const hidden = Object.entries(row.own).filter(([name]) => Object.hasOwn(row.declared, name));
  const own = Object.fromEntries([...hidden, ...wanted]);
  const { metadata } = row.object;
  const sameFinalizers = equalJson(metadata.finalizers ?? [], next.finalizers ?? []);
  if (sameFinalizers && equalJson(own, row.own)) return row;
  const changed = { ...without(metadata, "finalizers"), ...optional("finalizers", next.finalizers) };
  return merged({ ...row, own, object: withMetadata(row.object, changed) });
};

/** With one annotation set, or removed (null); one that the manifest declares stays as declared. */
export const annotated = (row: Row, name: string, value: string | null): Row => {
  const { [name]: _, ...others } = row.object.metadata.annotations ?? {};
  const annotations = value === null ? others : { ...others, [name]: value };
  return metadataWritten(row, { ...row.object.metadata, annotations });
};

/** Spec, labels, annotations and owners of `next`; the same row if nothing differs. Only a change of spec raises the generation. */
export const desiredWritten = (row: Row, next: Resource): Row => {
  const { metadata, spec } = row.object;
  const { labels, ownerReferences } = next.metadata;
  const sameSpec = equalJson(spec, next.spec);
  const sameRest =
    equalJson(metadata.labels ?? {}, labels ?? {}) &&
    equalJson(metadata.ownerReferences ?? [], ownerReferences ?? []) &&
    equalJson(row.own, next.metadata.annotations ?? {});
  if (sameSpec && sameRest) return row;
  const changed = {
    ...without(metadata, "labels", "ownerReferences"),
    ...optional("labels", labels),
    ...optional("ownerReferences", ownerReferences),
    generation: sameSpec ? metadata.generation : metadata.generation + 1,
  };
  const own = next.metadata.annotations ?? {};
  return merged({ ...row, own, object: { ...row.object, metadata: changed, spec: next.spec } });
};

export const statusWritten = (row: Row, status: unknown): Row =>
  equalJson(row.object.status, status)
    ? row
    : { ...row, object: { ...without(row.object, "status"), ...statusMember(status) } };

const statusMember = (status: unknown): { status?: unknown } => (status === undefined ? {} : { status });

/** From now on a manifest stands for it; the same row if one does. */
export const declaredByDocument = (row: Row): Row => (row.origin === "document" ? row : { ...row, origin: "document" });

/** Marks the object as under deletion; the same row if it is already. */
export const deletionAsked = (row: Row, now: Date): Row => {
  const { metadata } = row.object;
  if (metadata.deletionTimestamp !== undefined) return row;
  const next = { ...metadata, deletionTimestamp: timestamp(now), generation: metadata.generation + 1 };
  return { ...row, object: withMetadata(row.object, next) };
};

/** Reasons of Stalled under deletion for which no destructive job is sent. */
const heldReasons: ReadonlySet<string> = new Set(["MassDeleteGuard", "DeletionProtected", "InUse", "DiskHasChildren"]);

/** Whether its deletion waits for a person before it destroys anything: all of it is still there. */
export const isHeld = ({ object }: Row): boolean => {
  const { conditions = [] } = (object.status ?? {}) as { readonly conditions?: readonly Condition[] };
  return (
    object.metadata.deletionTimestamp !== undefined &&
    conditions.some(({ type, status, reason }) => type === "Stalled" && status === "True" && heldReasons.has(reason))
  );
};

/** No longer under deletion; what its status says of it is decided anew. */
export const deletionCancelled = (row: Row): Row => {
  const metadata = without(row.object.metadata, "deletionTimestamp");
  const { [names.confirmDelete]: _confirmed, ...own } = row.own;
  return merged({
    ...row,
    own,
    object: withMetadata(row.object, { ...metadata, generation: metadata.generation + 1 }),
  });
};

/** Under deletion and held by nothing: to be removed. */
export const isFinished = (row: Row): boolean => {
  const { deletionTimestamp, finalizers = [] } = row.object.metadata;
  return deletionTimestamp !== undefined && finalizers.length === 0;
};

export const revised = (row: Row, resourceVersion: string): Row => ({
  ...row,
  object: withMetadata(row.object, { ...row.object.metadata, resourceVersion }),
});

/** Its owner forbade the deletion. */
export const isProtected = ({ object }: Row): boolean =>
  (object.spec as { deletionProtection?: unknown } | null | undefined)?.deletionProtection === true;

/** Value of the annotation confirm-delete by which an object goes although the folder of its document was emptied. */
export const emptiedBatch = "emptied";

export const isConfirmed = (row: Row | undefined): boolean => row?.own[names.confirmDelete] === emptiedBatch;

/** Without the confirmation: the document is there again. The same row if there was none. */
export const withoutConfirmation = (row: Row): Row => {
  const { [names.confirmDelete]: value, ...own } = row.own;
  return value === emptiedBatch ? merged({ ...row, own }) : row;
};
