import {
  constants,
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  privateDecrypt,
  randomBytes,
  verify,
} from "node:crypto";
import type { KeyObject } from "node:crypto";
import { chunkKey, handoverKey, manifestKey, parseManifest, signerKey } from "../../../src/guest/format.ts";

/** What a guest keeps and is, as far as opening needs it; docs/guest-protocol.md, section 2. */
export interface Opener {
  readonly vmId: string;
  readonly privateKey: KeyObject;
  /** Of its public key. */
  readonly fingerprint: string;
  readonly highestGeneration: number;
  readonly pinnedSigner?: PinnedSigner | undefined;
  readonly applied?: { readonly generation: number; readonly hash: string } | undefined;
}

export interface PinnedSigner {
  readonly fingerprint: string;
  /** Base64 of the DER. */
  readonly spki: string;
}

export type Refusal =
  "Replayed" | "SignerChanged" | "Malformed" | "HeaderMismatch" | "Tampered" | "BadSignature" | "UnknownFormat";

/** The outcome of looking at what the host wrote. */
export type Opened =
  | { readonly verdict: "Nothing" }
  | { readonly verdict: "Unchanged"; readonly generation: number; readonly hash: string }
  | {
      readonly verdict: "Accepted";
      readonly generation: number;
      readonly hash: string;
      readonly payload: string;
      readonly jws: string;
      readonly signer: PinnedSigner;
      readonly values: ReadonlyMap<string, string>;
    }
  | { readonly verdict: Refusal; readonly generation: number; readonly hash: string };

type Items = Readonly<Record<string, string>>;

class Refused extends Error {
  readonly verdict: Refusal;
  constructor(verdict: Refusal) {
    super(verdict);
    this.verdict = verdict;
  }
}

const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");
const b64url = (text: string): string => Buffer.from(text, "utf8").toString("base64url");

const spkiPrefix = "308201a2300d06092a864886f70d01010105000382018f003082018a0282018100";

interface Chosen {
  readonly generation: number;
  readonly hash: string;
  readonly text: string;
}

/** The complete manifest of the highest generation, with the text of its chunks. */
const chosen = (items: Items): Chosen | undefined => {
  const all = Object.entries(items).flatMap(([key, value]): Chosen[] => {
    const manifest = key.startsWith("aetherv.config.") ? parseManifest(value) : undefined;
    if (!manifest || key !== manifestKey(manifest.generation)) return [];
    const parts = Array.from({ length: manifest.chunks }, (_, index) => items[chunkKey(manifest.generation, index)]);
    if (parts.includes(undefined)) return [];
    const text = parts.join("");
    const whole = text.length === manifest.characters && sha256(text) === manifest.hash;
    return whole ? [{ generation: manifest.generation, hash: manifest.hash, text }] : [];
  });
  return all.toSorted((a, b) => b.generation - a.generation)[0];
};

/** Looks at the host's items as a guest does: what counts, whether it is for this guest and by its signer, and what it says. */
export const open = (opener: Opener, items: Items): Opened => {
  const found = chosen(items);
  if (!found) return { verdict: "Nothing" };
  const { generation, hash } = found;
  const { applied } = opener;
  if (applied?.generation === generation && applied.hash === hash) return { verdict: "Unchanged", generation, hash };
  try {
    if (generation < opener.highestGeneration) throw new Refused("Replayed");
    const signer = signerOf(opener, items);
    const jws = decrypted(opener, found);
    const payload = verified(opener, { jws, signer, generation });
    return {
      verdict: "Accepted",
      generation,
      hash,
      payload,
      jws,
      signer,
      values: valuesOf(opener, generation, payload),
    };
  } catch (error) {
    if (error instanceof Refused) return { verdict: error.verdict, generation, hash };
    throw error;
  }
};

const publicKeyOf = (spki: string): KeyObject =>
  createPublicKey({ key: Buffer.from(spki, "base64"), format: "der", type: "spki" });

const signerOf = ({ pinnedSigner }: Opener, items: Items): PinnedSigner => {
  const spki = items[signerKey] ?? "";
  const der = Buffer.from(spki, "base64");
  const hex = der.toString("hex");
  if (der.length !== 422 || !hex.startsWith(spkiPrefix) || !hex.endsWith("0203010001")) throw new Refused("Malformed");
  const signer = { spki, fingerprint: sha256(der) };
  if (!pinnedSigner || pinnedSigner.fingerprint === signer.fingerprint) return signer;
  const header = b64url(
    `{"alg":"RS256","typ":"aetherv-signer","kid":"${pinnedSigner.fingerprint}","key":"${signer.fingerprint}"}`,
  );
  for (let index = 0; ; index += 1) {
    const handover = items[handoverKey(index)];
    if (handover === undefined) throw new Refused("SignerChanged");
    const [first, second, third = ""] = handover.split(".");
    if (first !== header || second !== b64url(signer.fingerprint)) continue;
    if (signs(pinnedSigner.spki, `${first}.${second}`, third)) return signer;
  }
};

const signs = (spki: string, text: string, signature: string): boolean =>
  verify("sha256", Buffer.from(text, "ascii"), publicKeyOf(spki), Buffer.from(signature, "base64url"));

const partsOf = (text: string, count: number): readonly string[] => {
  const parts = text.split(".");
  if (parts.length !== count || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part))) throw new Refused("Malformed");
  return parts;
};

const decrypted = (opener: Opener, { text, generation }: Chosen): string => {
  const [header = "", key = "", iv = "", ciphertext = "", tag = ""] = partsOf(text, 5);
  const expected = `{"alg":"RSA-OAEP-256","enc":"A256CBC-HS512","typ":"aetherv-guest","kid":"${opener.fingerprint}","vm":"${opener.vmId}","gen":${generation}}`;
  if (header !== b64url(expected)) throw new Refused("HeaderMismatch");
  const content = unwrapped(opener.privateKey, Buffer.from(key, "base64url"));
  const data = openContent({
    key: content,
    header,
    iv: Buffer.from(iv, "base64url"),
    ciphertext: Buffer.from(ciphertext, "base64url"),
    tag: Buffer.from(tag, "base64url"),
  });
  return data.toString("latin1");
};

const unwrapped = (privateKey: KeyObject, wrapped: Buffer): Buffer => {
  try {
    const key = privateDecrypt(
      { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" },
      wrapped,
    );
    if (key.length === 64) return key;
  } catch {
    // Told as one code with all else that may be wrong with it.
  }
  throw new Refused("Tampered");
};

interface Content {
  readonly key: Buffer;
  /** The JWE's first part, as it stands. */
  readonly header: string;
  readonly iv: Buffer;
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

/** A256CBC-HS512 (RFC 7518, 5.2.5). */
export const openContent = ({ key, header, iv, ciphertext, tag }: Content): Buffer => {
  const bits = Buffer.alloc(8);
  bits.writeBigUInt64BE(BigInt(header.length * 8));
  const mac = createHmac("sha512", key.subarray(0, 32))
    .update(header, "ascii")
    .update(iv)
    .update(ciphertext)
    .update(bits);
  if (iv.length !== 16 || tag.length !== 32 || !sameBytes(mac.digest().subarray(0, 32), tag))
    throw new Refused("Tampered");
  try {
    const decipher = createDecipheriv("aes-256-cbc", key.subarray(32), iv);
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  } catch {
    throw new Refused("Malformed");
  }
};

/** As the shell does it: no difference in time tells where they differ. */
const sameBytes = (one: Buffer, other: Buffer): boolean => {
  const nonce = randomBytes(32);
  return sha256(Buffer.concat([nonce, one])) === sha256(Buffer.concat([nonce, other]));
};

const verified = (
  opener: Opener,
  { jws, signer, generation }: { readonly jws: string; readonly signer: PinnedSigner; readonly generation: number },
): string => {
  const [header = "", payload = "", signature = ""] = partsOf(jws, 3);
  const expected = `{"alg":"RS256","typ":"aetherv-guest","kid":"${signer.fingerprint}","vm":"${opener.vmId}","gen":${generation},"key":"${opener.fingerprint}"}`;
  if (header !== b64url(expected)) throw new Refused("HeaderMismatch");
  if (!signs(signer.spki, `${header}.${payload}`, signature)) throw new Refused("BadSignature");
  return Buffer.from(payload, "base64url").toString("utf8");
};

const valuesOf = ({ vmId }: Opener, generation: number, payload: string): ReadonlyMap<string, string> => {
  const lines = payload.split("\n");
  if (lines.pop() !== "") throw new Refused("Malformed");
  const values = new Map<string, string>();
  for (const line of lines) {
    const [, key = "", value = ""] = /^([A-Za-z0-9.]+) ([A-Za-z0-9_-]*)$/.exec(line) ?? [];
    if (key === "" || values.has(key)) throw new Refused("Malformed");
    values.set(key, Buffer.from(value, "base64url").toString("utf8"));
  }
  if (values.get("format") !== "1") throw new Refused(values.has("format") ? "UnknownFormat" : "Malformed");
  if (values.get("vm") !== vmId || values.get("generation") !== String(generation)) throw new Refused("Malformed");
  return values;
};
