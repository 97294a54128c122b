import { findWindows } from "windows-iana";
import type { DraftLine, Family } from "./derive.ts";
import { refuse } from "./refused.ts";

const longest = { Linux: 63, Windows: 15 } as const;

/** The declared host name, or the machine's name made valid. */
export const hostnameOf = (declared: string | undefined, vmName: string, family: Family): string => {
  const most = longest[family];
  const name = declared ?? madeValid(vmName, most);
  if (name.length > most)
    return refuse(
      "stalled",
      "InvalidSpec",
      `spec.guest.hostname: ${name} has ${name.length} characters; Windows takes ${most}.`,
    );
  if (family === "Windows" && /^\d+$/.test(name))
    return refuse("stalled", "InvalidSpec", `spec.guest.hostname: ${name} has digits only, which Windows refuses.`);
  return name;
};

/** Letters, digits and single hyphens inside, cut to the length; "guest" when nothing is left. */
const madeValid = (vmName: string, most: number): string => {
  const clean = vmName.replaceAll(/[^A-Za-z0-9-]+/g, "-").replaceAll(/^-+/g, "");
  return clean.slice(0, most).replaceAll(/-+$/g, "") || "guest";
};

const isKnown = (timeZone: string): boolean => {
  try {
    return new Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
};

export const timeZoneLines = (timeZone: string | undefined, family: Family): readonly DraftLine[] => {
  if (timeZone === undefined) return [];
  if (!isKnown(timeZone))
    return refuse("stalled", "InvalidSpec", `spec.guest.timeZone: ${timeZone} is no IANA time zone, as Europe/Berlin.`);
  if (family === "Linux") return [["timeZone", timeZone]];
  const [windows] = findWindows(timeZone);
  if (windows === undefined)
    return refuse("stalled", "InvalidSpec", `spec.guest.timeZone: Windows has no time zone for ${timeZone}.`);
  return [
    ["timeZone", timeZone],
    ["timeZone.windows", windows],
  ];
};
