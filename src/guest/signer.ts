import { exportPKCS8, exportSPKI, generateKeyPair, importPKCS8 } from "jose";
import type { CryptoKey } from "jose";
import { handoverKey, signerKey } from "./format.ts";
import type { KvpItem } from "./format.ts";
import { guestKeyOf } from "./keys.ts";
import { handoverHeader, signed } from "./seal.ts";

/** The control plane's key pair that guests pin. */
export interface Signer {
  readonly privateKey: CryptoKey;
  /** DER SubjectPublicKeyInfo in base64, on one line. */
  readonly spki: string;
  readonly fingerprint: string;
  /** Statements of retired keys that name this one, oldest first. */
  readonly handovers: readonly string[];
  /** Keys the digests by which a changed configuration is known; kept when the signer changes. */
  readonly digestKey: Uint8Array;
}

/** As it is kept: a 0600 file of the data folder, or a Secret. Texts. */
export interface SignerRecord {
  /** PKCS#8 in PEM. */
  readonly privateKey: string;
  /** SubjectPublicKeyInfo in PEM. */
  readonly publicKey: string;
  /** 32 bytes in base64. */
  readonly digestKey: string;
  readonly handovers: readonly string[];
  /** Keys that were replaced, oldest first: each of them has to name the next successor, too. */
  readonly retired?: readonly RetiredKey[];
}

export type RetiredKey = Pick<SignerRecord, "privateKey" | "publicKey">;

const bare = (pem: string): string => pem.replaceAll(/-----[A-Z ]+-----|\s/g, "");

/** A new pair, RSA 3072. */
export const newSigner = async (): Promise<SignerRecord> => {
  const pair = await generateKeyPair("RS256", { modulusLength: 3072, extractable: true });
  return {
    privateKey: await exportPKCS8(pair.privateKey),
    publicKey: await exportSPKI(pair.publicKey),
    digestKey: btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32)))),
    handovers: [],
  };
};

/** Reads a record from JSON. Throws when it has another form; no message holds any of it. */
export const parseSigner = (text: string): SignerRecord => {
  let value: Partial<Record<keyof SignerRecord, unknown>>;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    throw new Error("no JSON");
  }
  const { privateKey, publicKey, digestKey, handovers = [], retired = [] } = value;
  const texts = [
    privateKey,
    publicKey,
    digestKey,
    ...(Array.isArray(handovers) ? (handovers as unknown[]) : [undefined]),
    ...(Array.isArray(retired) ? retired.flatMap(keyTexts) : [undefined]),
  ];
  if (!texts.every((one) => typeof one === "string")) throw new Error("a member is missing or no text");
  return { privateKey, publicKey, digestKey, handovers, retired } as SignerRecord;
};

const keyTexts = (one: unknown): readonly unknown[] => {
  const { privateKey, publicKey } = (one ?? {}) as Partial<RetiredKey>;
  return [privateKey, publicKey];
};

/** Throws when the record does not hold a pair of the one form that guests take. No message holds any of it. */
export const openSigner = async (record: SignerRecord): Promise<Signer> => {
  const key = guestKeyOf(bare(record.publicKey));
  if (!key) throw new Error("publicKey is no RSA key of 3072 bits in PEM (SubjectPublicKeyInfo)");
  const digestKey = Uint8Array.from(atob(record.digestKey), (char) => char.charCodeAt(0));
  if (digestKey.length !== 32) throw new Error("digestKey is not 32 bytes in base64");
  const privateKey = await importPKCS8(record.privateKey, "RS256", { extractable: true });
  return { privateKey, spki: key.spki, fingerprint: key.fingerprint, handovers: record.handovers, digestKey };
};

/**
 * The successor of a record: a new pair, named by the old key and by all that the old one had replaced: a guest follows from whichever it
 * pinned. What tells a changed configuration stays: no configuration is sent for the change of key alone.
 */
export const succeed = async (record: SignerRecord): Promise<SignerRecord> => {
  const next = await newSigner();
  const { digestKey } = record;
  const { fingerprint } = await openSigner(next);
  const { privateKey, publicKey } = record;
  const retired = [...(record.retired ?? []), { privateKey, publicKey }];
  const handovers: string[] = [];
  for (const pair of retired) {
    const old = await openSigner({ ...pair, digestKey, handovers: [] });
    handovers.push(await signed(old, handoverHeader(old.fingerprint, fingerprint), fingerprint));
  }
  return { ...next, digestKey, handovers, retired };
};

/** The successor of what is kept, as it is to be kept, and what to tell of it. Throws as `parseSigner` and `openSigner` do. */
export const rotated = async (text: string) => {
  const record = parseSigner(text);
  const next = await succeed(record);
  const [before, after] = [await openSigner(record), await openSigner(next)];
  const report = { before: before.fingerprint, after: after.fingerprint, handovers: next.handovers.length };
  return { text: `${JSON.stringify(next, null, 2)}\n`, report };
};

/** What tells a guest who signs: written before a configuration. */
export const signerItems = ({ spki, handovers }: Signer): readonly KvpItem[] => [
  { key: signerKey, value: spki },
  ...handovers.map((value, index) => ({ key: handoverKey(index), value })),
];
