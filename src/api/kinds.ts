import { crds } from "./generated/crds.ts";
import type { Kind } from "./generated/crds.ts";
import type { CustomResourceDefinition, PrinterColumn, Schema } from "./schema.ts";
import { nearest } from "./nearest.ts";

export type { Kind } from "./generated/crds.ts";

export const apiVersion = "aetherv.io/v1alpha1";

/** What is known of a kind, all of it from its CRD. */
export interface KindInfo {
  readonly kind: Kind;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly scope: "Cluster" | "Namespaced";
  readonly printerColumns: readonly PrinterColumn[];
  /** Schema of the whole object: apiVersion, kind, metadata, spec, status. */
  readonly schema: Schema;
}

const infoOf = (kind: Kind, crd: CustomResourceDefinition): KindInfo => {
  const [latest] = crd.spec.versions;
  if (!latest) throw new Error(`${kind}: the CRD has no version`);
  const { plural, singular, shortNames } = crd.spec.names;
  return {
    kind,
    plural,
    singular,
    shortNames,
    scope: crd.spec.scope === "Cluster" ? "Cluster" : "Namespaced",
    printerColumns: latest.additionalPrinterColumns,
    schema: latest.schema.openAPIV3Schema,
  };
};

/** All kinds, in the order in which people list them. */
export const kinds: readonly KindInfo[] = (Object.entries(crds) as [Kind, CustomResourceDefinition][]).map(
  ([kind, crd]) => infoOf(kind, crd),
);

const byKind: ReadonlyMap<string, KindInfo> = new Map(kinds.map((info) => [info.kind, info]));

export const isKind = (text: string): text is Kind => byKind.has(text);

export const kindInfo = (kind: Kind): KindInfo => {
  const info = byKind.get(kind);
  if (!info) throw new Error(`unknown kind ${kind}`);
  return info;
};

const namesOf = (info: KindInfo): readonly string[] => [
  info.kind.toLowerCase(),
  info.plural,
  info.singular,
  ...info.shortNames,
];

/** Finds a kind by what people type: kind, plural, singular or short name, with or without the group; any case. */
export const findKind = (typed: string): KindInfo | undefined => {
  const name = typed.toLowerCase().replace(/\.aetherv\.io$/, "");
  return kinds.find((info) => namesOf(info).includes(name));
};

/** The name of a kind that is nearest to what was typed, for an error's hint. */
export const nearestKind = (typed: string): string | undefined =>
  nearest(
    typed,
    kinds.map((info) => info.kind),
  ) ??
  nearest(
    typed.toLowerCase(),
    kinds.flatMap((info) => [info.plural, ...info.shortNames]),
  );
