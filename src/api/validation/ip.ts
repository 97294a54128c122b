/** An IP address: its family and its bits as a number. */
export interface Ip {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

/** Parses an address as Go's netip.ParseAddr does, without zones and without IPv4-mapped IPv6 (the rule of Kubernetes' CEL). */
export const parseIp = (text: string): Ip | undefined => {
  if (!text.includes(":")) return parseIpv4(text);
  const bits = parseIpv6(text);
  return bits === undefined || bits >> 32n === 0xffffn ? undefined : { family: 6, bits };
};

const parseIpv4 = (text: string): Ip | undefined => {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255))
    return undefined;
  return { family: 4, bits: parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n) };
};

const parseIpv6 = (text: string): bigint | undefined => {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map(groups);
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array.from({ length: missing }, () => 0n), ...(tail ?? [])];
  return all.reduce((bits, group) => (bits << 16n) | group, 0n);
};

/** The 16-bit groups of a half of an IPv6 address; its end may be written as IPv4. */
const groups = (half: string): bigint[] | undefined => {
  if (half === "") return [];
  const parts = half.split(":");
  const last = parts.at(-1) ?? "";
  const v4 = last.includes(".") ? parseIpv4(last) : undefined;
  const plain = v4 ? parts.slice(0, -1) : parts;
  if (!plain.every((part) => /^[0-9A-Fa-f]{1,4}$/.test(part))) return undefined;
  const values = plain.map((part) => BigInt(`0x${part}`));
  return v4 ? [...values, v4.bits >> 16n, v4.bits & 0xffffn] : values;
};

const width = (ip: Ip): bigint => (ip.family === 4 ? 32n : 128n);

const within = (ip: Ip, network: bigint, length: bigint): boolean =>
  ip.bits >> (width(ip) - length) === network >> (width(ip) - length);

const inV4 = (ip: Ip, network: bigint, length: bigint): boolean => ip.family === 4 && within(ip, network, length);
const inV6 = (ip: Ip, network: bigint, length: bigint): boolean => ip.family === 6 && within(ip, network, length);

export const isUnspecified = (ip: Ip): boolean => ip.bits === 0n;
export const isLoopback = (ip: Ip): boolean => inV4(ip, 0x7f000000n, 8n) || (ip.family === 6 && ip.bits === 1n);
export const isMulticast = (ip: Ip): boolean => inV4(ip, 0xe0000000n, 4n) || inV6(ip, 0xffn << 120n, 8n);
export const isLinkLocalUnicast = (ip: Ip): boolean => inV4(ip, 0xa9fe0000n, 16n) || inV6(ip, 0xfe8n << 116n, 10n);

/** As Go's IsGlobalUnicast: private addresses count, too. */
export const isGlobalUnicast = (ip: Ip): boolean =>
  !isUnspecified(ip) &&
  !isLoopback(ip) &&
  !isMulticast(ip) &&
  !isLinkLocalUnicast(ip) &&
  !(ip.family === 4 && ip.bits === 0xffffffffn);

/** A network: an address of it and the length of its prefix. */
export interface Cidr {
  readonly ip: Ip;
  readonly length: bigint;
}

export const parseCidr = (text: string): Cidr | undefined => {
  const [address, length, ...more] = text.split("/");
  if (address === undefined || length === undefined || more.length > 0 || !/^(0|[1-9][0-9]{0,2})$/.test(length))
    return undefined;
  const ip = parseIp(address);
  return ip && BigInt(length) <= width(ip) ? { ip, length: BigInt(length) } : undefined;
};

export const contains = (network: Cidr, ip: Ip): boolean =>
  network.ip.family === ip.family && within(ip, network.ip.bits, network.length);
