import { readFileSync } from "node:fs";
import type { GuestHeard } from "../../../src/engine/ports.ts";
import { reportManifest, reportManifestKey, reportOf } from "../../../src/guest/report.ts";
import type { Target } from "../fuzzer.ts";

type Items = Readonly<Record<string, string>>;

const cases = JSON.parse(
  readFileSync(new URL("../../fixtures/guest/report.json", import.meta.url), "utf8"),
) as readonly {
  readonly items: Items;
}[];

/** Items as a guest may set them: any names and texts. `sealed` makes the manifest fit, so that what is behind it is reached. */
const itemsOf = (bytes: Buffer): Items | undefined => {
  try {
    const value = JSON.parse(bytes.toString("utf8")) as unknown;
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const texts = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string");
    return Object.fromEntries(texts);
  } catch {
    return undefined;
  }
};

const checkOne = (bytes: Buffer): void => {
  const items = itemsOf(bytes);
  if (!items) return;
  expectSound(reportOf(items), items);
  const sealed = { ...items, [reportManifestKey]: reportManifest(items) };
  expectSound(reportOf(sealed), sealed);
};

const plain = /^[\x20-\x7e]*$/;

const expectSound = (heard: GuestHeard, items: Items): void => {
  if (heard.at !== "heard") return;
  if (items[reportManifestKey] !== reportManifest(items)) throw new Error("heard without its manifest");
  const { version, generation, hash, step, error, facts } = heard.report;
  if (!Number.isSafeInteger(generation) || generation < 0 || generation > 1e9)
    throw new Error(`generation ${generation}`);
  if (!/^([0-9a-f]{64})?$/.test(hash)) throw new Error("hash");
  for (const [text, most] of [
    [version, 64],
    [step, 64],
    [error, 1000],
  ] as const)
    if (text.length > most || !plain.test(text)) throw new Error(`a text beyond its bounds: ${JSON.stringify(text)}`);
  const known = Object.entries(facts);
  if (known.length > 64) throw new Error("too many facts");
  for (const [name, text] of known) {
    if (!/^[A-Za-z][A-Za-z0-9]{0,31}$/.test(name) || text.length > 1000) throw new Error(`fact ${name}`);
    // What people are shown in a terminal and a page: no controls, no halves.
    if (/[\p{Cc}\p{Cs}]/u.test(text)) throw new Error(`fact ${name} holds ${JSON.stringify(text)}`);
  }
};

export const report: Target = {
  name: "report",
  shape: "json",
  coverage: "guides",
  seeds: [...cases.map(({ items }) => Buffer.from(JSON.stringify(items))), Buffer.from("{}")],
  check: (inputs) => inputs.forEach(checkOne),
};
