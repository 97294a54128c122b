import { base64url } from "jose";
import type { GuestHeard } from "../engine/ports.ts";
import { sha256Hex } from "./format.ts";
import { guestKeyOf } from "./keys.ts";

const guestStates = ["Waiting", "Applying", "Rebooting", "Applied", "Failed"] as const;

type Items = Readonly<Record<string, string>>;

const prefix = "aetherv.guest.";
export const reportManifestKey = "aetherv.guest.manifest";

const byBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Value of the manifest that belongs to these items (their own manifest, if any, is not looked at). */
export const reportManifest = (items: Items): string => {
  const keys = Object.keys(items).filter((key) => key.startsWith(prefix) && key !== reportManifestKey);
  const text = keys.toSorted(byBytes).map((key) => `${key}=${items[key] ?? ""}\n`);
  return `aetherv1 ${sha256Hex(text.join(""))}`;
};

/** Reads a guest's items. Everything in them is the guest's word: it is bounded and checked, never trusted. */
export const reportOf = (items: Items): GuestHeard => {
  if (!Object.keys(items).some((key) => key.startsWith(prefix))) return { at: "silent" };
  if (items[reportManifestKey] !== reportManifest(items)) return torn("the manifest does not match the items");
  const take = (name: string): string => items[`${prefix}${name}`] ?? "";
  const key = guestKeyOf(publicKeyText(items));
  if (!key) return torn("the public key is no RSA key of 3072 bits");
  const version = take("version");
  if (!/^[A-Za-z0-9.+-]{1,64}$/.test(version)) return torn("the version is not readable");
  const state = guestStates.find((name) => name === take("state"));
  if (!state) return torn(`the state is none of ${guestStates.join(", ")}`);
  const generation = generationOf(take("generation"));
  if (generation === undefined) return torn(`the generation is no number up to ${believedGeneration}`);
  const hash = take("hash");
  if (!/^([0-9a-f]{64})?$/.test(hash)) return torn("the hash is no SHA-256");
  const report = {
    version,
    key,
    state,
    generation,
    hash,
    step: printable(take("step"), 64),
    error: printable(take("error"), 1000),
  };
  return { at: "heard", report: { ...report, facts: factsOf(take("facts")) } };
};

const torn = (why: string): GuestHeard => ({ at: "torn", why });

const publicKeyText = (items: Items): string => {
  const chunks: string[] = [];
  for (let index = 0; index < 4; index += 1) {
    const chunk = items[`${prefix}publicKey.${index}`];
    if (chunk === undefined) break;
    chunks.push(chunk);
  }
  return chunks.join("");
};

/** What a guest is believed to have come to: far below the highest there is, so that none can use the counter up. */
const believedGeneration = 1_000_000_000;

const generationOf = (text: string): number | undefined => {
  const value = /^(0|[1-9]\d{0,9})$/.test(text) ? Number(text) : Number.NaN;
  return value <= believedGeneration ? value : undefined;
};

const printable = (text: string, most: number): string => text.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, most);

const mostFacts = 64;

const factsOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text
      .slice(0, 1000)
      .split(" ")
      .flatMap((pair) => {
        const [, name, value] = /^([A-Za-z][A-Za-z0-9]{0,31})=([A-Za-z0-9_-]*)$/.exec(pair) ?? [];
        return name === undefined || value === undefined ? [] : [[name, decoded(value)] as const];
      })
      .slice(0, mostFacts),
  );

/** Controls, halves of pairs and marks that turn the direction of writing would reach terminals and pages. */
const unfit = /[\p{Cc}\p{Cs}\p{Bidi_Control}]/gu;

const decoded = (value: string): string => {
  try {
    return new TextDecoder().decode(base64url.decode(value)).replaceAll(unfit, "?");
  } catch {
    return "";
  }
};
