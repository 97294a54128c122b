import { apiVersion, isKind, kindInfo } from "../../api/kinds.ts";
import type { Key } from "../../api/resource.ts";

/** Path of a kind's objects: of one namespace, or of the whole cluster where none is given. */
export const collectionPath = (kind: string, namespace?: string): string => {
  if (!isKind(kind)) throw new Error(`unknown kind ${kind}`);
  const { plural, scope } = kindInfo(kind);
  const within = scope === "Cluster" || namespace === undefined ? "" : `namespaces/${encodeURIComponent(namespace)}/`;
  return `/apis/${apiVersion}/${within}${plural}`;
};

export const objectPath = ({ kind, namespace, name }: Key): string =>
  `${collectionPath(kind, namespace)}/${encodeURIComponent(name)}`;
