import type { VMHost } from "../api/generated/types.ts";
import { sizeOf } from "../api/quantity.ts";
import { once, onceAVersion } from "./derived.ts";
import { matchesLabels, type LabelSelector } from "./labels.ts";
import { allocations, classOf, volumeOf, type Allocation } from "./ledger.ts";
import type { Blocked, HostView, SnapshotView, World } from "./ports.ts";

/** What an object asks of the host that it is placed on. */
export interface PlacementRequest {
  readonly uid: string;
  readonly namespace: string;
  /** spec.host: the only host that is asked. */
  readonly host?: string;
  readonly selector?: LabelSelector;
  /** Something was made for the object before: every host is searched, and one that does not answer is waited for. */
  readonly wasCreated: boolean;
  /** Hosts that hold what the object needs (disks, clone sources, parents), each with why. */
  readonly pins: readonly { readonly host: string; readonly why: string }[];
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
  readonly tpm?: boolean;
  /** New disks; storageClass absent = the host's default class. `bytes`: taken at once, told per host (see firstBytes). */
  readonly disks: readonly {
    readonly storageClass: string | undefined;
    readonly bytes: (snapshot: SnapshotView) => number;
  }[];
  /** Classes that must exist beyond those of the disks. */
  readonly storageClasses: readonly string[];
  readonly networks: readonly string[];
  readonly images: readonly string[];
  /** Whether the host already has the object, found otherwise than by stamp (adoption); absent = no matter. */
  readonly has?: (snapshot: SnapshotView) => boolean;
}

export type Placed = { readonly at: "placed"; readonly host: string } | Blocked;

interface Candidate {
  readonly name: string;
  readonly host: VMHost;
  readonly view: HostView | undefined;
  readonly snapshot: SnapshotView | undefined;
}

const waiting = (reason: string, message: string): Blocked => ({ at: "waiting", reason, message });
const stalled = (reason: string, message: string): Blocked => ({ at: "stalled", reason, message });

/**
 * Chooses a host. The one that carries the object's stamp or file wins; then spec.host; then the pins; else of all hosts that fit the
 * one with the largest free share, by name among equals. Blocked tells each host's reason.
 */
export const place = (request: PlacementRequest, world: World): Placed => {
  const all = hostsByName(world.objects.list("VMHost") as readonly VMHost[]).map((host) => candidate(host, world));
  const holder = all.find(({ snapshot }) => snapshot && holdsObject(snapshot, request.uid));
  if (holder) return { at: "placed", host: holder.name };
  const silent = request.wasCreated ? all.find((one) => silence(one) !== undefined) : undefined;
  if (silent)
    return waiting(
      "HostUnreachable",
      `It was created before, and may be on host ${silent.name}, which ${silence(silent)}.`,
    );
  if (request.host !== undefined) return named(request, request.host, all);
  const pinned = pinnedHost(request);
  if (typeof pinned === "object") return pinned;
  return choose(request, pinned === undefined ? all : all.filter(({ name }) => name === pinned), world);
};

const hostsByName = once((hosts: readonly VMHost[]) =>
  hosts.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)),
);

const candidate = (host: VMHost, world: World): Candidate => {
  const { name } = host.metadata;
  const view = world.host(name);
  return { name, host, view, snapshot: view?.snapshot };
};

const holdsObject = (snapshot: SnapshotView, uid: string): boolean =>
  snapshot.vmsOf(uid).length > 0 || snapshot.disksOf(uid).length > 0;

/** Why nothing certain is known of a host now; undefined when all is known. */
const silence = ({ view, snapshot }: Candidate): string | undefined => {
  if (!view || view.reach.at === "connecting") return "is being connected";
  if (view.reach.at === "down") return "does not answer";
  return snapshot?.complete ? undefined : "has not told everything that it holds";
};

/** The owner of the spec chose: only what forbids a placement counts; that a class or network lacks is told by what needs it. */
const named = (request: PlacementRequest, name: string, all: readonly Candidate[]): Placed => {
  const elsewhere = request.pins.find(({ host }) => host !== name);
  if (elsewhere)
    return stalled("HostMismatch", `spec.host is ${name}, but ${elsewhere.why} on host ${elsewhere.host}.`);
  const chosen = all.find((one) => one.name === name);
  if (!chosen) return waiting("WaitingForReference", `There is no VMHost ${name}.`);
  const refusal = refused(request, chosen);
  if (refusal === undefined) return { at: "placed", host: name };
  const blocked = isAllowed(request, chosen.host) ? waiting : stalled;
  return blocked(isAllowed(request, chosen.host) ? "WaitingForHost" : "NotAllowed", `Host ${name} ${refusal}.`);
};

const pinnedHost = ({ pins }: PlacementRequest): string | undefined | Blocked => {
  const [first] = pins;
  const other = pins.find(({ host }) => host !== first?.host);
  if (!first || !other) return first?.host;
  return stalled(
    "HostMismatch",
    `One host must hold everything, but ${first.why} on host ${first.host} and ${other.why} on host ${other.host}.`,
  );
};

const isAllowed = ({ namespace }: PlacementRequest, { spec }: VMHost): boolean => {
  const { from, names = [], selector } = spec.allowedNamespaces ?? { from: "All" };
  if (from === "All") return true;
  if (from === "Names") return names.includes(namespace);
  // The one label that every namespace has; others are not known here.
  return matchesLabels(selector, { "kubernetes.io/metadata.name": namespace });
};

/** Why the host takes nothing new of this object, whatever room it has. */
const refused = (request: PlacementRequest, { host }: Candidate): string | undefined => {
  if (host.metadata.deletionTimestamp !== undefined) return "is being deleted";
  if (!isAllowed(request, host)) return `does not allow namespace ${request.namespace} (allowedNamespaces)`;
  if (host.spec.unschedulable) return "is unschedulable";
  if (host.spec.managementPolicy === "Observe") return "is only observed";
  return undefined;
};

const choose = (request: PlacementRequest, candidates: readonly Candidate[], world: World): Placed => {
  const open = candidates.filter(({ host }) => matchesLabels(request.selector, host.metadata.labels));
  // All have their say before the first placement, else whoever answers first gets everything.
  const early = open.find((one) => !refused(request, one) && isStarting(one));
  if (early) return waiting("WaitingForHost", `Host ${early.name} ${silence(early)}.`);
  const ledger = allocations(world, request.uid);
  const verdicts = open.map((one) => ({ name: one.name, verdict: judge(request, one, ledger(one.name)) }));
  const [best] = verdicts
    .flatMap(({ name, verdict }) => (typeof verdict === "number" ? [{ name, score: verdict }] : []))
    .toSorted((a, b) => b.score - a.score || (a.name < b.name ? -1 : 1));
  if (best) return { at: "placed", host: best.name };
  const told = verdicts.map(({ name, verdict }) => `${name}: ${verdict}`).join("; ");
  const unreachable = open.length > 0 && open.every((one) => silence(one) !== undefined);
  return waiting(
    unreachable ? "HostUnreachable" : "WaitingForHost",
    told === "" ? noCandidate(request, candidates) : `No host fits: ${told}.`,
  );
};

const noCandidate = ({ pins, selector }: PlacementRequest, candidates: readonly Candidate[]): string => {
  if (candidates.length > 0 && selector)
    return `No VMHost has the labels of spec.hostSelector (there are ${candidates.map(({ name }) => name).join(", ")}).`;
  return pins[0] ? `There is no VMHost ${pins[0].host}, where ${pins[0].why}.` : "There is no VMHost.";
};

const isStarting = ({ view, snapshot }: Candidate): boolean =>
  view === undefined ||
  view.reach.at === "connecting" ||
  (view.reach.at === "up" && (snapshot?.inventories ?? 0) === 0);

/** The host's free share after the placement (more is better), or why it does not fit. */
const judge = (request: PlacementRequest, one: Candidate, ledger: Allocation): number | string => {
  const { snapshot, host } = one;
  const no = refused(request, one) ?? silence(one);
  if (no !== undefined || !snapshot) return no ?? "has told nothing";
  const lacking =
    lacks(request, host, snapshot) ?? noMemory(request, snapshot, ledger) ?? noStorage(request, one, ledger);
  if (lacking !== undefined) return lacking;
  const { memory, cpu } = snapshot.host ?? {};
  const memoryShare = memory ? 1 - (ledger.memory + request.memory) / memory.totalBytes : 0;
  const cpuShare = cpu ? 1 - (ledger.cpu + request.cpu) / cpu.logicalProcessors : 0;
  return (memoryShare + cpuShare) / 2 + storageShare(request, one, ledger);
};

const list = (all: readonly string[]): string => (all.length === 0 ? "none" : all.join(", "));

const lacks = (request: PlacementRequest, host: VMHost, snapshot: SnapshotView): string | undefined => {
  if (request.has && !request.has(snapshot)) return "does not have the thing to adopt";
  const classes = host.spec.storageClasses ?? [];
  const wanted = [...request.storageClasses, ...request.disks.flatMap(({ storageClass }) => storageClass ?? [])];
  const noClass = wanted.find((name) => !classes.some((known) => known.name === name));
  if (noClass !== undefined) return `storage class ${noClass} missing (has ${list(classes.map(({ name }) => name))})`;
  if (request.disks.some(({ storageClass }) => classOf(host, storageClass) === undefined))
    return "no default storage class";
  return lacksNetwork(request, host, snapshot) ?? lacksPart(request, snapshot);
};

const lacksNetwork = (
  { networks }: PlacementRequest,
  host: VMHost,
  { host: state }: SnapshotView,
): string | undefined => {
  const known = host.spec.networks ?? [];
  const missing = networks.find((name) => !known.some((one) => one.name === name));
  if (missing !== undefined) return `network ${missing} missing (has ${list(known.map(({ name }) => name))})`;
  const switches = known.filter(({ name }) => networks.includes(name)).map(({ switchName }) => switchName);
  const noSwitch = switches.find(
    (name) => !state?.switches.some((one) => one.name.toLowerCase() === name.toLowerCase()),
  );
  return noSwitch === undefined ? undefined : `switch ${noSwitch} missing`;
};

const lacksPart = ({ images, cpu, tpm }: PlacementRequest, { host: state }: SnapshotView): string | undefined => {
  const noImage = images.find((name) => !state?.images.some((image) => image.name === name || isIso(image, name)));
  if (noImage !== undefined) return `image ${noImage} missing`;
  const most = Math.min(state?.capabilities.maximumVmProcessors ?? cpu, state?.cpu.logicalProcessors ?? cpu);
  if (cpu > most) return `gives at most ${most} processors, needs ${cpu}`;
  return tpm === true && state?.capabilities.tpm === false ? "has no virtual TPM" : undefined;
};

/** Discs may be named with their extension. */
const isIso = ({ name, format }: { readonly name: string; readonly format: string }, wanted: string): boolean =>
  format === "ISO" && `${name}.iso`.toLowerCase() === wanted.toLowerCase();

/** Memory that the host's own system takes now: what is neither free nor given to machines. */
const systemMemory = onceAVersion(({ host, vms }: SnapshotView): number => {
  if (!host) return 0;
  const given = [...vms.values()].reduce(
    (sum, vm) =>
      sum + (vm.state === "Off" || vm.state === "Saved" ? 0 : (vm.memory.assignedBytes ?? vm.memory.startupBytes)),
    0,
  );
  return Math.max(0, host.memory.totalBytes - host.memory.availableBytes - given);
});

const noMemory = ({ memory }: PlacementRequest, snapshot: SnapshotView, ledger: Allocation): string | undefined => {
  if (memory === 0) return undefined;
  const free = (snapshot.host?.memory.totalBytes ?? 0) - systemMemory(snapshot) - ledger.memory;
  return free >= memory ? undefined : `${amount(free)} of memory free, needs ${amount(memory)}`;
};

/** Bytes that the new disks take at once, by volume of the host. */
const newBytes = (
  request: PlacementRequest,
  { host, snapshot }: Candidate,
): ReadonlyMap<string, { readonly name: string; readonly path: string; readonly bytes: number }> => {
  const sums = new Map<string, { name: string; path: string; bytes: number }>();
  for (const { storageClass, bytes } of request.disks) {
    const known = classOf(host, storageClass);
    const volume = known && volumeOf(snapshot, known.path)?.volume;
    if (!known || !snapshot || volume === undefined) continue;
    const before = sums.get(volume);
    sums.set(volume, {
      name: before?.name ?? known.name,
      path: known.path,
      bytes: (before?.bytes ?? 0) + bytes(snapshot),
    });
  }
  return sums;
};

const noStorage = (request: PlacementRequest, one: Candidate, ledger: Allocation): string | undefined => {
  for (const [volume, { name, path, bytes }] of newBytes(request, one)) {
    const free = (volumeOf(one.snapshot, path)?.freeBytes ?? 0) - (ledger.storage.get(volume) ?? 0);
    if (free < bytes) return `${amount(free)} of storage class ${name} free, needs ${amount(bytes)}`;
  }
  return undefined;
};

/** A host's free share of the volumes asked for, at half the weight of memory and processors; 0 when no disk is asked for. */
const storageShare = (request: PlacementRequest, one: Candidate, ledger: Allocation): number => {
  const shares = [...newBytes(request, one)].map(([volume, { path, bytes }]) => {
    const { freeBytes = 0, totalBytes = 1 } = volumeOf(one.snapshot, path) ?? {};
    return (freeBytes - (ledger.storage.get(volume) ?? 0) - bytes) / totalBytes;
  });
  return shares.length === 0 ? 0 : Math.min(...shares) / 2;
};

/** Bytes for a reason: whole Mi, never less than nothing. */
const amount = (bytes: number): string => {
  const whole = Math.floor(Math.max(0, bytes) / 2 ** 20) * 2 ** 20;
  return whole === 0 ? "0" : (sizeOf(whole) ?? `${whole}`);
};
