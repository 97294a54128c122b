import { CompactEncrypt, CompactSign, importSPKI } from "jose";
import type { CryptoKey } from "jose";
import type { GuestKey } from "../engine/ports.ts";
import type { Signer } from "./signer.ts";

/** Whom a configuration is sealed for, and which one it is. */
export interface Recipient {
  /** Hyper-V's id of the machine, lower case. */
  readonly vmId: string;
  readonly generation: number;
  readonly key: GuestKey;
}

/** Header of the outer JWE. The order of its members is part of the format: guests compare the text. */
export const encryptionHeader = ({ vmId, generation, key }: Recipient) => ({
  alg: "RSA-OAEP-256",
  enc: "A256CBC-HS512",
  typ: "aetherv-guest",
  kid: key.fingerprint,
  vm: vmId,
  gen: generation,
});

/** Header of the inner JWS. The order of its members is part of the format. */
export const signatureHeader = ({ vmId, generation, key }: Recipient, signerFingerprint: string) => ({
  alg: "RS256",
  typ: "aetherv-guest",
  kid: signerFingerprint,
  vm: vmId,
  gen: generation,
  key: key.fingerprint,
});

/** Header of a statement by a retired signer that names the present one. */
export const handoverHeader = (retired: string, present: string) => ({
  alg: "RS256",
  typ: "aetherv-signer",
  kid: retired,
  key: present,
});

/** Signs the text with the control plane's key; a JWS in compact form. */
export const signed = async (
  signer: Signer,
  header: ReturnType<typeof signatureHeader | typeof handoverHeader>,
  text: string,
): Promise<string> =>
  new CompactSign(new TextEncoder().encode(text)).setProtectedHeader(header).sign(signer.privateKey);

/** Seals a configuration for one guest: a JWE (RFC 7516) around a JWS (RFC 7515), both in compact form. Never the same twice. */
export const seal = async (signer: Signer, recipient: Recipient, payload: string): Promise<string> => {
  const inner = await signed(signer, signatureHeader(recipient, signer.fingerprint), payload);
  return new CompactEncrypt(new TextEncoder().encode(inner))
    .setProtectedHeader(encryptionHeader(recipient))
    .encrypt(await encryptionKey(recipient.key));
};

const encryptionKey = (key: GuestKey): Promise<CryptoKey> =>
  importSPKI(`-----BEGIN PUBLIC KEY-----\n${key.spki}\n-----END PUBLIC KEY-----`, "RSA-OAEP-256");
