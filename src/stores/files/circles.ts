import { keyText } from "../../api/resource.ts";
import type { ObjectDocument } from "./part.ts";
import type { Problem } from "./place.ts";

interface Reference {
  readonly to: string;
  /** Field that refers. */
  readonly path: string;
}

/** Fields by which a VirtualDisk is made of another disk of its namespace. */
const referenceOf = ({ key, manifest }: ObjectDocument): Reference | undefined => {
  if (key.kind !== "VirtualDisk" || !manifest) return undefined;
  const { source } = manifest.spec as {
    source: { disk?: string; parent?: { type: string; name: string } };
  };
  if (source.disk !== undefined) return { to: keyText({ ...key, name: source.disk }), path: "spec.source.disk" };
  const { parent } = source;
  if (parent?.type !== "VirtualDisk") return undefined;
  return { to: keyText({ ...key, name: parent.name }), path: "spec.source.parent.name" };
};

/** Disks that are made of each other in a circle, none of which could ever be first; each with its problem. */
export const circular = (
  documents: ReadonlyMap<string, readonly ObjectDocument[]>,
): ReadonlyMap<string, readonly Problem[]> => {
  const references = new Map<string, Reference & { document: ObjectDocument }>();
  for (const [key, [document]] of documents) {
    const reference = document && referenceOf(document);
    if (document && reference) references.set(key, { ...reference, document });
  }
  const found = new Map<string, readonly Problem[]>();
  for (const [key, { document, path }] of references) {
    const way = circleFrom(key, references);
    if (way)
      found.set(key, document.problems([{ path, message: `is a circle: ${[...way, key].map(nameOf).join(" -> ")}` }]));
  }
  return found;
};

const nameOf = (key: string): string => key.slice(key.lastIndexOf("/") + 1);

/** The keys from one back to itself, if its references lead there. */
const circleFrom = (start: string, references: ReadonlyMap<string, Reference>): string[] | undefined => {
  const way = new Set([start]);
  for (let at = references.get(start)?.to; at !== undefined; at = references.get(at)?.to) {
    if (at === start) return [...way];
    if (way.has(at)) return undefined;
    way.add(at);
  }
  return undefined;
};
