import { BlockList, isIP } from "node:net";
import { InvalidArgumentError, Option } from "commander";

/** A span as 30s, 5m, 1h30m, 90d or 250ms, in milliseconds; a bare number is refused: its unit would be a guess. */
export const parseDuration = (text: string): number => {
  const match = /^(?=.)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(text);
  if (!match) throw new InvalidArgumentError("expected a time as 30s, 5m or 1h30m");
  const [, days = 0, hours = 0, minutes = 0, seconds = 0, milliseconds = 0] = match;
  return (
    (((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(milliseconds)
  );
};

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** As 0.0.0.0:8443 or [::1]:8443; port 0 takes a free one. */
export const parseAddress = (text: string): Address => {
  const [, host = "", digits = ""] = /^(\[[0-9a-fA-F:]+\]|[^:\s]+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (host === "" || port > 65_535) throw new InvalidArgumentError("expected HOST:PORT as 0.0.0.0:8443");
  return { host: host.replace(/^\[|\]$/g, ""), port };
};

/** An address without a port, of either family, at which others reach this machine: no zone, which is another one there. */
export const parseIp = (text: string): string => {
  if (isIP(text) === 0) throw new InvalidArgumentError("expected an IP address");
  if (text.includes("%")) throw new InvalidArgumentError("expected an IP address without a zone");
  if (everywhere.check(text, isIP(text) === 6 ? "ipv6" : "ipv4"))
    throw new InvalidArgumentError("expected the IP address of this machine or pod: nobody else reaches it there");
  return text;
};

/** Where a process listens at all of its addresses. */
const everywhere = new BlockList();
everywhere.addAddress("0.0.0.0", "ipv4");
everywhere.addAddress("::", "ipv6");

const mostShards = 64;

/** How many shards hosts are spread over. */
export const parseShards = (text: string): number => {
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > mostShards) throw new InvalidArgumentError(`expected a number from 1 to ${mostShards}`);
  return value;
};

export const limitOption = (least: number): Option =>
  new Option("--limit <number>", "at most so many").default(least).argParser((text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("expected a number of 1 or more");
    return value;
  });

/** Collects a repeatable option's values. */
export const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
];
