import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { GuestKey } from "../engine/ports.ts";

const length = 422;
const prefix = "308201a2300d06092a864886f70d01010105000382018f003082018a0282018100";
const suffix = "0203010001";

/** Undefined when the text is not the one form that is taken: base64 of an RSA key of 3072 bits with the exponent 65537. */
export const guestKeyOf = (spki: string): GuestKey | undefined => {
  if (!/^[A-Za-z0-9+/]{560,563}={0,2}$/.test(spki) || spki.length % 4 !== 0) return undefined;
  const der = Uint8Array.from(atob(spki), (char) => char.charCodeAt(0));
  const hex = bytesToHex(der);
  const right = der.length === length && hex.startsWith(prefix) && hex.endsWith(suffix) && (der[33] ?? 0) >= 0x80;
  return right && btoa(String.fromCharCode(...der)) === spki
    ? { spki, fingerprint: bytesToHex(sha256(der)) }
    : undefined;
};
