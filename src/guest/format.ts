import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";

/** One key-value pair as Hyper-V exchanges it. */
export interface KvpItem {
  readonly key: string;
  readonly value: string;
}

/** What a manifest says of a sealed configuration; docs/guest-protocol.md, section 1.1. */
export interface Manifest {
  readonly generation: number;
  readonly chunks: number;
  /** Characters of the joined chunks. */
  readonly characters: number;
  /** Hexadecimal SHA-256 of the joined chunks. */
  readonly hash: string;
}

/** Characters that a value holds at most. */
export const longestValue = 1000;
/** Generations count from 1 to this. */
export const highestGeneration = 2_147_483_647;

export const signerKey = "aetherv.signer";
export const handoverKey = (index: number): string => `aetherv.signer.handover.${index}`;
export const chunkKey = (generation: number, index: number): string => `aetherv.config.${generation}.${index}`;
export const manifestKey = (generation: number): string => `aetherv.config.${generation}.manifest`;

export const sha256Hex = (text: string): string => bytesToHex(sha256(utf8ToBytes(text)));

/** The text in pieces of at most 1000 characters; none of an empty text. */
export const chunksOf = (text: string): readonly string[] => {
  const chunks: string[] = [];
  for (let at = 0; at < text.length; at += longestValue) chunks.push(text.slice(at, at + longestValue));
  return chunks;
};

export const manifestText = ({ generation, chunks, characters, hash }: Manifest): string =>
  `aetherv1 ${generation} ${chunks} ${characters} ${hash}`;

/** Undefined when the value has another form. */
export const parseManifest = (value: string): Manifest | undefined => {
  const found = /^aetherv1 ([1-9]\d{0,9}) ([1-9]\d{0,5}) ([1-9]\d{0,8}) ([0-9a-f]{64})$/.exec(value);
  if (!found) return undefined;
  const [generation, chunks, characters] = found.slice(1, 4).map(Number);
  const hash = found[4];
  if (generation === undefined || chunks === undefined || characters === undefined || hash === undefined)
    return undefined;
  return generation > highestGeneration ? undefined : { generation, chunks, characters, hash };
};

export const manifestOf = (generation: number, sealed: string): Manifest => ({
  generation,
  chunks: chunksOf(sealed).length,
  characters: sealed.length,
  hash: sha256Hex(sealed),
});

/** The items of a sealed configuration in the order in which they are to be written: chunks, then the manifest. */
export const configItems = (generation: number, sealed: string): readonly KvpItem[] => [
  ...chunksOf(sealed).map((value, index) => ({ key: chunkKey(generation, index), value })),
  { key: manifestKey(generation), value: manifestText(manifestOf(generation, sealed)) },
];

/** All keys that the configuration of a manifest takes, the manifest's first: without it the rest is nothing. */
export const configKeys = ({ generation, chunks }: Pick<Manifest, "generation" | "chunks">): readonly string[] => [
  manifestKey(generation),
  ...Array.from({ length: chunks }, (_, index) => chunkKey(generation, index)),
];
