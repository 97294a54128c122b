import { createHash, createPrivateKey, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";

/** One RSA pair in the forms that the languages want. */
export interface KeyFixture {
  readonly privateKey: string;
  /** PEM. */
  readonly publicKey: string;
  /** Base64 of the DER. */
  readonly spki: string;
  readonly fingerprint: string;
  /** Base64url. */
  readonly n: string;
  readonly e: string;
}

export interface Keys {
  readonly guests: { readonly a: KeyFixture; readonly b: KeyFixture };
  readonly signers: { readonly one: KeyFixture; readonly two: KeyFixture };
}

const pair = (): KeyFixture => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 3072 });
  const der = publicKey.export({ type: "spki", format: "der" });
  const { n = "", e = "" } = publicKey.export({ format: "jwk" });
  return {
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
    spki: der.toString("base64"),
    fingerprint: createHash("sha256").update(der).digest("hex"),
    n,
    e,
  };
};

export const makeKeys = (): Keys => ({ guests: { a: pair(), b: pair() }, signers: { one: pair(), two: pair() } });

export const privateKeyOf = (key: KeyFixture): KeyObject => createPrivateKey(key.privateKey);
