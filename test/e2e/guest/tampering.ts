import {
  chunkKey,
  manifestKey,
  manifestOf,
  manifestText,
  parseManifest,
  signerKey,
} from "../../../src/guest/format.ts";
import type { Items } from "./kvpBridge.ts";

/** What who runs the host may make of the items on their way to the guest. */
export type Alteration = (items: Items) => Items;

/** Another character in the midst of a chunk; the manifest stays. */
export const chunkChanged =
  (generation: number): Alteration =>
  (items) => {
    const key = chunkKey(generation, 1);
    const text = items[key];
    return text === undefined ? items : { ...items, [key]: otherMiddle(text) };
  };

/** The same, with the manifest that fits: as one does who knows the format. */
export const contentChanged =
  (generation: number): Alteration =>
  (items) => {
    const changed = chunkChanged(generation)(items);
    return manifestKey(generation) in items ? withManifest(changed, generation, generation) : items;
  };

/** The whole configuration under a higher number. */
export const renumbered =
  (generation: number, as: number): Alteration =>
  (items) => {
    const chunks = Object.entries(items).flatMap(([key, value]) => {
      const index = key.startsWith(`aetherv.config.${generation}.`) ? Number(key.split(".").at(-1)) : Number.NaN;
      return Number.isInteger(index) ? [[chunkKey(as, index), value] as const] : [];
    });
    return manifestKey(generation) in items
      ? withManifest({ ...items, ...Object.fromEntries(chunks) }, generation, as)
      : items;
  };

/** Another configuration instead, made by somebody who has a key of their own. */
export const replacedBy =
  (generation: number, other: Items): Alteration =>
  (items) =>
    manifestKey(generation) in items ? other : items;

/** The same, and said to be signed by the pinned signer. */
export const replacedUnderSigner =
  (generation: number, other: Items): Alteration =>
  (items) =>
    manifestKey(generation) in items ? { ...other, [signerKey]: items[signerKey] ?? "" } : items;

const withManifest = (items: Items, like: number, generation: number): Items => {
  const manifest = parseManifest(items[manifestKey(like)] ?? "");
  if (!manifest) throw new Error(`there is no manifest of generation ${like}`);
  const chunks = Array.from({ length: manifest.chunks }, (_, index) => items[chunkKey(generation, index)] ?? "");
  return { ...items, [manifestKey(generation)]: manifestText(manifestOf(generation, chunks.join(""))) };
};

const otherMiddle = (text: string): string => {
  const at = Math.floor(text.length / 2);
  return `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`;
};
