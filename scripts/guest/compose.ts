import { constants, createCipheriv, createHmac, createPublicKey, publicEncrypt, randomBytes, sign } from "node:crypto";
import type { KeyFixture } from "./keys.ts";
import { privateKeyOf } from "./keys.ts";

/** Everything that a sealed configuration is made of, each part to be spoilt at will. */
export interface Composition {
  readonly guest: KeyFixture;
  readonly signer: KeyFixture;
  readonly jweHeader: string;
  readonly jwsHeader: string;
  readonly payload: string;
}

const b64url = (data: string | Buffer): string => Buffer.from(data as string).toString("base64url");

export const jweHeader = (guest: KeyFixture, vmId: string, generation: number): string =>
  `{"alg":"RSA-OAEP-256","enc":"A256CBC-HS512","typ":"aetherv-guest","kid":"${guest.fingerprint}","vm":"${vmId}","gen":${generation}}`;

export const jwsHeader = (signer: KeyFixture, guest: KeyFixture, vmId: string, generation: number): string =>
  `{"alg":"RS256","typ":"aetherv-guest","kid":"${signer.fingerprint}","vm":"${vmId}","gen":${generation},"key":"${guest.fingerprint}"}`;

/** A JWS in compact form. */
export const jws = (signer: KeyFixture, header: string, payload: string): string => {
  const text = `${b64url(header)}.${b64url(payload)}`;
  return `${text}.${b64url(sign("sha256", Buffer.from(text), privateKeyOf(signer)))}`;
};

/** A JWE in compact form around any text. */
export const jwe = (guest: KeyFixture, header: string, plaintext: string): string => {
  const key = randomBytes(64);
  const iv = randomBytes(16);
  const wrapped = publicEncrypt(
    { key: createPublicKey(guest.publicKey), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" },
    key,
  );
  const cipher = createCipheriv("aes-256-cbc", key.subarray(32), iv);
  const ciphertext = Buffer.concat([cipher.update(plaintext, "latin1"), cipher.final()]);
  const aad = b64url(header);
  const bits = Buffer.alloc(8);
  bits.writeBigUInt64BE(BigInt(aad.length * 8));
  const tag = createHmac("sha512", key.subarray(0, 32)).update(aad).update(iv).update(ciphertext).update(bits).digest();
  return [aad, b64url(wrapped), b64url(iv), b64url(ciphertext), b64url(tag.subarray(0, 32))].join(".");
};

export const compose = (all: Composition): string =>
  jwe(all.guest, all.jweHeader, jws(all.signer, all.jwsHeader, all.payload));
