import type { Metadata, Resource } from "../../api/resource.ts";
import { frozenInDepth } from "../equal.ts";

/** Where `kubectl apply` keeps what it applied. */
export const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

const metadataFields = [
  "name",
  "namespace",
  "uid",
  "generation",
  "resourceVersion",
  "creationTimestamp",
  "deletionTimestamp",
  "labels",
  "annotations",
  "finalizers",
  "ownerReferences",
] as const satisfies readonly (keyof Metadata)[];

/** The object as the rest of the program knows it, frozen: without managedFields and kubectl's copy of the manifest. */
export const trimmed = (raw: Resource): Resource => {
  const { apiVersion, kind, spec, status } = raw;
  const metadata: Record<string, unknown> = {};
  for (const name of metadataFields) {
    const value = name === "annotations" ? annotationsOf(raw.metadata) : raw.metadata[name];
    if (value !== undefined) metadata[name] = value;
  }
  const object = { apiVersion, kind, metadata, spec, ...(status === undefined ? {} : { status }) };
  return frozenInDepth(object) as unknown as Resource;
};

const annotationsOf = ({ annotations = {} }: Metadata): Metadata["annotations"] => {
  const { [lastApplied]: _, ...rest } = annotations;
  return Object.keys(rest).length === 0 ? undefined : rest;
};
