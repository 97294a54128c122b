import { reportManifest, reportManifestKey } from "../../src/guest/report.ts";
import type { Keys } from "./keys.ts";

/** Sets of guest-to-host items, and whether the control plane believes them. */
export const reportCases = (keys: Keys): unknown => {
  const items: Record<string, string> = {
    "aetherv.guest.version": "0.1.0",
    "aetherv.guest.publicKey.0": keys.guests.a.spki,
    "aetherv.guest.state": "Failed",
    "aetherv.guest.generation": "3",
    "aetherv.guest.hash": "ab".repeat(32),
    "aetherv.guest.step": "network",
    "aetherv.guest.error": "NetworkUnreachable: the gateway 192.0.2.1 is silent; the old configuration is back",
    "aetherv.guest.facts": `os=${Buffer.from("Debian 12").toString("base64url")} network=${Buffer.from("networkd").toString("base64url")}`,
  };
  const manifest = reportManifest(items);
  const waiting = {
    ...items,
    "aetherv.guest.state": "Waiting",
    "aetherv.guest.generation": "0",
    "aetherv.guest.hash": "",
    "aetherv.guest.step": "",
    "aetherv.guest.error": "",
  };
  return [
    { why: "a failed module", believed: true, items: { ...items, [reportManifestKey]: manifest } },
    { why: "first contact", believed: true, items: { ...waiting, [reportManifestKey]: reportManifest(waiting) } },
    {
      why: "other programs' items do not count",
      believed: true,
      items: { ...items, [reportManifestKey]: manifest, NetworkAddress: "192.0.2.10", "aetherv.other": "x" },
    },
    { why: "no manifest yet", believed: false, items },
    {
      why: "a state written after the manifest",
      believed: false,
      items: { ...items, [reportManifestKey]: manifest, "aetherv.guest.state": "Applied" },
    },
  ];
};

const record = (key: string, value: string, stale: string): Buffer => {
  const bytes = Buffer.alloc(2560, stale);
  bytes.write(`${key}\0`, 0, "utf8");
  bytes.write(`${value}\0`, 512, "utf8");
  return bytes;
};

/** A Linux pool file with what earlier, longer texts left behind the NULs. */
export const poolCase = (): unknown => {
  const items = [
    { key: "aetherv.signer", value: "s".repeat(564) },
    { key: "aetherv.config.1.0", value: "c".repeat(1000) },
    { key: "another.program", value: "" },
  ];
  const file = Buffer.concat(items.map(({ key, value }) => record(key, value, "stale tail ")));
  return { items, file: file.toString("base64") };
};
