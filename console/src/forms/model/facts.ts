import type { VMHost } from "../../../../src/api/generated/types.ts";
import { bytesText } from "../../../../src/api/quantity.ts";

/** A name that can be chosen, and what helps to choose it. */
export interface Pick {
  readonly value: string;
  readonly note?: string | undefined;
}

type Hosts = readonly VMHost[];

/** The one host that was chosen, else all that things may be placed on. */
export const hostsFor = (hosts: Hosts, chosen: string | undefined): Hosts =>
  chosen ? hosts.filter(({ metadata }) => metadata.name === chosen) : hosts;

export const hostPicks = (hosts: Hosts): readonly Pick[] =>
  hosts.map(({ metadata, spec, status }) => {
    const { capacity, allocated } = status ?? {};
    const free =
      capacity?.memory === undefined
        ? ""
        : `${bytesText(Math.max(0, capacity.memory - (allocated?.memory ?? 0)))} free`;
    const closed = spec.unschedulable ? "takes nothing new" : "";
    return { value: metadata.name, note: [free, closed].filter(Boolean).join(", ") || undefined };
  });

/** Names that some of the hosts know, with the hosts that do where not all of them do. */
const picksOf = (
  hosts: Hosts,
  namesOn: (host: VMHost) => readonly { readonly name: string; readonly note?: string | undefined }[],
): readonly Pick[] => {
  const found = new Map<string, { notes: Set<string>; on: string[] }>();
  for (const host of hosts)
    for (const { name, note } of namesOn(host)) {
      const entry = found.get(name) ?? { notes: new Set<string>(), on: [] };
      if (note) entry.notes.add(note);
      entry.on.push(host.metadata.name);
      found.set(name, entry);
    }
  return [...found]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([value, { notes, on }]) => {
      const where = on.length < hosts.length ? `only on ${on.join(", ")}` : "";
      return { value, note: [...notes, where].filter(Boolean).join(", ") || undefined };
    });
};

export const imagePicks = (hosts: Hosts): readonly Pick[] =>
  picksOf(hosts, ({ status }) =>
    (status?.images ?? [])
      .filter(({ name }) => !isIso(name))
      .map(({ name, size }) => ({ name, note: size === undefined ? undefined : bytesText(size) })),
  );

export const isoPicks = (hosts: Hosts): readonly Pick[] =>
  picksOf(hosts, ({ status }) =>
    (status?.images ?? []).filter(({ name }) => isIso(name)).map(({ name }) => ({ name })),
  );

const isIso = (name: string): boolean => name.toLowerCase().endsWith(".iso");

export const classPicks = (hosts: Hosts): readonly Pick[] =>
  picksOf(hosts, ({ spec, status }) =>
    (spec.storageClasses ?? []).map(({ name, default: usual }) => {
      const free = status?.capacity?.storage?.find((one) => one.name === name)?.free;
      const parts = [usual ? "default" : "", free === undefined ? "" : `${bytesText(free)} free`];
      return { name, note: parts.filter(Boolean).join(", ") };
    }),
  );

export const networkPicks = (hosts: Hosts): readonly Pick[] =>
  picksOf(hosts, ({ spec }) =>
    (spec.networks ?? []).map(({ name, switchName, vlanId }) => ({
      name,
      note: `switch ${switchName}${vlanId === undefined ? "" : `, VLAN ${vlanId}`}`,
    })),
  );

export const switchPicks = (hosts: Hosts): readonly Pick[] =>
  picksOf(hosts, ({ status }) => (status?.switches ?? []).map(({ name, type }) => ({ name, note: type })));

interface Placed {
  readonly spec: unknown;
  readonly status?: unknown;
}

/** The host that an object is on, or is declared to be on. */
export const hostOf = (object: Placed | undefined): string | undefined =>
  (object?.spec as { host?: string } | undefined)?.host ?? (object?.status as { host?: string } | undefined)?.host;
