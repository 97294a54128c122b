import { Environment } from "@marcbachmann/cel-js";
import { parseQuantity } from "../quantity.ts";
import { contains, isGlobalUnicast, isLinkLocalUnicast, isLoopback, isMulticast, isUnspecified } from "./ip.ts";
import { parseCidr, parseIp } from "./ip.ts";
import type { Cidr, Ip } from "./ip.ts";

/** Values of the Kubernetes CEL library; classes, since the environment knows types by their constructors. */
class Quantity {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}
class IpAddress {
  readonly ip: Ip;
  constructor(ip: Ip) {
    this.ip = ip;
  }
}
class Network {
  readonly cidr: Cidr;
  constructor(cidr: Cidr) {
    this.cidr = cidr;
  }
}

const one = 10n ** 9n;

const needed = <T>(value: T | undefined, what: string): T => {
  if (value === undefined) throw new Error(`${what} parse error`);
  return value;
};

const quantityLibrary = (env: Environment): Environment =>
  env
    .registerType("Quantity", { ctor: Quantity, fields: {} })
    .registerFunction("isQuantity(string): bool", (text: string) => parseQuantity(text) !== undefined)
    .registerFunction("quantity(string): Quantity", (t: string) => new Quantity(needed(parseQuantity(t), "quantity")))
    .registerFunction("Quantity.compareTo(Quantity): int", (a: Quantity, b: Quantity) => sign(a.nanos - b.nanos))
    .registerFunction("Quantity.isLessThan(Quantity): bool", (a: Quantity, b: Quantity) => a.nanos < b.nanos)
    .registerFunction("Quantity.isGreaterThan(Quantity): bool", (a: Quantity, b: Quantity) => a.nanos > b.nanos)
    .registerFunction("Quantity.sign(): int", (a: Quantity) => sign(a.nanos))
    .registerFunction("Quantity.isInteger(): bool", (a: Quantity) => a.nanos % one === 0n)
    .registerFunction("Quantity.asInteger(): int", (a: Quantity) => wholeOf(a))
    .registerFunction("Quantity.add(Quantity): Quantity", (a: Quantity, b: Quantity) => new Quantity(a.nanos + b.nanos))
    .registerFunction(
      "Quantity.sub(Quantity): Quantity",
      (a: Quantity, b: Quantity) => new Quantity(a.nanos - b.nanos),
    );

const sign = (value: bigint): bigint => (value < 0n ? -1n : value > 0n ? 1n : 0n);

const wholeOf = ({ nanos }: Quantity): bigint => {
  if (nanos % one !== 0n) throw new Error("cannot convert value to integer");
  return nanos / one;
};

const ipLibrary = (env: Environment): Environment =>
  env
    .registerType("IpAddress", { ctor: IpAddress, fields: {} })
    .registerFunction("isIP(string): bool", (text: string) => parseIp(text) !== undefined)
    .registerFunction("ip(string): IpAddress", (text: string) => new IpAddress(needed(parseIp(text), "IP address")))
    .registerFunction("IpAddress.family(): int", ({ ip }: IpAddress) => BigInt(ip.family))
    .registerFunction("IpAddress.isUnspecified(): bool", ({ ip }: IpAddress) => isUnspecified(ip))
    .registerFunction("IpAddress.isLoopback(): bool", ({ ip }: IpAddress) => isLoopback(ip))
    .registerFunction("IpAddress.isMulticast(): bool", ({ ip }: IpAddress) => isMulticast(ip))
    .registerFunction("IpAddress.isLinkLocalUnicast(): bool", ({ ip }: IpAddress) => isLinkLocalUnicast(ip))
    .registerFunction("IpAddress.isGlobalUnicast(): bool", ({ ip }: IpAddress) => isGlobalUnicast(ip));

const cidrLibrary = (env: Environment): Environment =>
  env
    .registerType("Network", { ctor: Network, fields: {} })
    .registerFunction("isCIDR(string): bool", (text: string) => parseCidr(text) !== undefined)
    .registerFunction("cidr(string): Network", (text: string) => new Network(needed(parseCidr(text), "CIDR")))
    .registerFunction("Network.prefixLength(): int", ({ cidr }: Network) => cidr.length)
    .registerFunction("Network.containsIP(IpAddress): bool", ({ cidr }: Network, { ip }: IpAddress) =>
      contains(cidr, ip),
    )
    .registerFunction("Network.containsIP(string): bool", ({ cidr }: Network, text: string) =>
      contains(cidr, needed(parseIp(text), "IP address")),
    );

/** Kubernetes' list library, as far as rules use it. */
const listLibrary = (env: Environment): Environment =>
  env.registerFunction("list.sum(): int", (all: readonly bigint[]) => all.reduce((sum, one) => sum + BigInt(one), 0n));

/** CEL as rules of CRDs may use it here: the standard functions, strings, and Kubernetes' quantity, ip and cidr libraries. */
export const environment = listLibrary(
  cidrLibrary(
    ipLibrary(quantityLibrary(new Environment().registerVariable("self", "dyn").registerVariable("oldSelf", "dyn"))),
  ),
);
