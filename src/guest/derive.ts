import type { NetworkAdapter, VirtualMachine } from "../api/generated/types.ts";
import { tooLarge, type SizedValue } from "../api/guestLimits.ts";
import type { Blocked, GuestSources } from "../engine/ports.ts";
import { Refused, refuse } from "./refused.ts";
import { accountLines, fileLines, scriptLines, serviceLines, type Guest } from "./sections.ts";
import { hostnameOf, timeZoneLines } from "./names.ts";

/** A value of a Secret in the machine's namespace, to be read when the configuration is sealed. */
export interface SecretValue {
  readonly secret: string;
  readonly key: string;
}

export type Value = string | SecretValue;
export type DraftLine = readonly [key: string, value: Value];

export type Derived = { readonly at: "derived"; readonly lines: readonly DraftLine[] } | Blocked;

export type Family = "Linux" | "Windows";

/**
 * The guest configuration of a machine, but for `format`, `vm` and `generation`: exactly the keys of docs/guest-protocol.md, section 5,
 * that apply to it, in their order. Values of Secrets are named, not read. Pure. Undefined when the machine declares none.
 */
export const derive = (vm: VirtualMachine, sources: GuestSources): Derived | undefined => {
  const { guest, osFamily } = vm.spec;
  if (!guest) return undefined;
  try {
    if (osFamily === undefined)
      return refuse("stalled", "InvalidSpec", "spec.guest needs spec.osFamily: Linux or Windows.");
    return { at: "derived", lines: linesOf(vm, guest, { ...sources, family: osFamily }) };
  } catch (error) {
    if (error instanceof Refused) return error.blocked;
    throw error;
  }
};

const linesOf = (
  vm: VirtualMachine,
  guest: Guest,
  { family, adapters, rootDiskBytes }: GuestSources & { readonly family: Family },
): readonly DraftLine[] => {
  const lines = [
    line("os", family),
    line("hostname", hostnameOf(guest.hostname, vm.spec.vmName ?? vm.metadata.name, family)),
    ...timeZoneLines(guest.timeZone, family),
    ...adapterLines(adapters),
    ...accountLines(guest, family),
    ...diskLines(guest, rootDiskBytes),
    ...fileLines(guest, family),
    ...serviceLines(guest),
    ...scriptLines(guest, family),
  ];
  refuseNul(lines);
  refuseLarge(lines);
  return lines;
};

const line = (key: string, value: Value): DraftLine => [key, value];

const adapterLines = (adapters: GuestSources["adapters"]): readonly DraftLine[] => {
  const configured = (adapters as readonly { object: NetworkAdapter; macAddress?: string | undefined }[])
    .filter(({ object: { spec } }) => spec.ipv4 !== undefined || spec.ipv6 !== undefined)
    .map(({ object, macAddress }) => ({ object, mac: macAddress ?? macMissing(object.metadata.name) }))
    .toSorted((a, b) => (a.mac < b.mac ? -1 : 1));
  const twin = configured.find(({ mac }, at) => configured[at + 1]?.mac === mac);
  if (twin) return refuse("stalled", "DuplicateMacAddress", `Two network adapters have the address ${twin.mac}.`);
  return configured.flatMap(({ object, mac }, at) => [
    line(`adapter.${at}.mac`, mac),
    line(`adapter.${at}.name`, object.metadata.name),
    ...addressLines(`adapter.${at}.ipv4`, object.spec.ipv4),
    ...addressLines(`adapter.${at}.ipv6`, object.spec.ipv6),
  ]);
};

const macMissing = (name: string): never =>
  refuse("waiting", "WaitingForReference", `NetworkAdapter ${name} has no MAC address yet.`);

const addressLines = (prefix: string, spec: NetworkAdapter["spec"]["ipv4"]): readonly DraftLine[] => {
  if (!spec) return [];
  const { method, address, prefixLength, gateway, dnsServers = [], searchDomains = [] } = spec;
  return [
    line(`${prefix}.method`, method),
    ...optional(`${prefix}.address`, address),
    ...optional(`${prefix}.prefixLength`, prefixLength?.toString()),
    ...optional(`${prefix}.gateway`, gateway),
    ...dnsServers.map((one, at) => line(`${prefix}.dns.${at}`, one)),
    ...searchDomains.map((one, at) => line(`${prefix}.search.${at}`, one)),
  ];
};

const optional = (key: string, value: string | undefined): readonly DraftLine[] =>
  value === undefined ? [] : [line(key, value)];

const diskLines = (guest: Guest, bytes: GuestSources["rootDiskBytes"]): readonly DraftLine[] => {
  if (guest.growFilesystems === false) return [];
  if (bytes === "unknown")
    return refuse("waiting", "WaitingForReference", "The size of the boot disk is not known yet.");
  return [line("growFilesystems", "true"), ...optional("rootDisk.bytes", bytes?.toString())];
};

const refuseNul = (lines: readonly DraftLine[]): void => {
  const bad = lines.find(([, value]) => typeof value === "string" && value.includes("\0"));
  if (bad) refuse("stalled", "InvalidSpec", `spec.guest: ${bad[0]} holds a NUL character.`);
};

const refuseLarge = (lines: readonly DraftLine[]): void => {
  const inline = lines.flatMap(([key, value]) => (typeof value === "string" ? [[key, value] as const] : []));
  const problem = sizeProblem(inline);
  if (problem) throw new Refused(problem);
};

/** Set when a value, or files and scripts together, are more than a guest takes; the field is named. */
export const sizeProblem = (lines: readonly (readonly [key: string, value: string])[]): Blocked | undefined => {
  const encoder = new TextEncoder();
  const problem = tooLarge(
    lines.flatMap(([key, value]) => {
      const field = fieldOf(key);
      return field ? [{ ...field, bytes: encoder.encode(value).length }] : [];
    }),
  );
  return (
    problem && {
      at: "stalled",
      reason: "GuestConfigTooLarge",
      message: `spec.guest.${problem.path} ${problem.message}.`,
    }
  );
};

const passwords: Readonly<Record<string, string>> = {
  "admin.password": "localAdministrator.passwordSecretRef",
  "domain.username": "domainJoin.credentialsSecretRef",
  "domain.password": "domainJoin.credentialsSecretRef",
};

/** The field that a line with a limit comes from. */
const fieldOf = (key: string): Pick<SizedValue, "path" | "is"> | undefined => {
  const path = passwords[key];
  if (path !== undefined) return { path, is: "password" };
  const [, list, at] = /^(file|script)\.(\d+)\.content$/.exec(key) ?? [];
  return list === undefined ? undefined : { path: `${list}s[${at}]`, is: "content" };
};
