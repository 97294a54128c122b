import { annotations as names } from "../api/annotations.ts";
import { fnv1a } from "./hash.ts";
import { makerOf } from "./objectWrites.ts";
import type { Resource, World } from "./ports.ts";

/** When many deletions at the same time are held: more than both of `floor` objects and `share` of them. */
export interface GuardSettings {
  readonly floor: number;
  /** Between 0 and 1. */
  readonly share: number;
  /** How long a finished deletion counts, milliseconds. */
  readonly windowMs: number;
}

export const fileModeGuard: GuardSettings = { floor: 3, share: 0.3, windowMs: 600_000 };
export const kubernetesModeGuard: GuardSettings = { ...fileModeGuard, floor: 10 };

/** A deletion that came to its end. */
export interface FinishedDeletion {
  readonly uid: string;
  readonly host: string | undefined;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export type Hold = NonNullable<World["massDelete"]>;

/** Objects whose deletions began within this time may share a batch, milliseconds. */
const batchSpanMs = 60_000;

interface Guarded {
  readonly uid: string;
  readonly host: string | undefined;
  /** Milliseconds since 1970; absent when not under deletion. */
  readonly deleting?: number;
  readonly pinned?: string;
  readonly confirmed: boolean;
}

/** The host that an object is placed on, from its placement, spec or status; undefined when on none yet. */
export const hostOf = (resource: Resource): string | undefined =>
  resource.metadata.annotations?.[names.host] ??
  (resource.spec as { readonly host?: string } | undefined)?.host ??
  (resource.status as { readonly host?: string } | undefined)?.host;

/** The batch that somebody let go by this object: its annotation names the batch that its status shows. */
const confirmedBy = (resource: Resource): string | undefined => {
  const pinned = pinnedBatch(resource);
  return pinned !== undefined && resource.metadata.annotations?.[names.confirmDelete] === pinned ? pinned : undefined;
};

const pinnedBatch = ({ status }: Resource): string | undefined =>
  (status as { readonly deletionBatch?: string } | undefined)?.deletionBatch;

/**
 * The status decided for an object under deletion, with the batch that it was once held in: a confirmation must last until the deletion,
 * which may take several jobs and a restart of this program, is at its end.
 */
export const withBatch = (resource: Resource, status: unknown): unknown => {
  const batch = pinnedBatch(resource);
  if (batch === undefined || resource.metadata.deletionTimestamp === undefined || status === undefined) return status;
  return { deletionBatch: batch, ...withoutUndefined(status as object) };
};

const withoutUndefined = (value: object): object =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));

const guarded = (resource: Resource, confirmed: ReadonlySet<string>, given: ReadonlyMap<string, string>): Guarded => {
  const { uid, deletionTimestamp } = resource.metadata;
  const pinned = pinnedBatch(resource) ?? given.get(uid);
  return {
    uid,
    host: hostOf(resource),
    ...(deletionTimestamp !== undefined && { deleting: Date.parse(deletionTimestamp) }),
    ...(pinned !== undefined && { pinned }),
    confirmed: pinned !== undefined && confirmed.has(pinned),
  };
};

interface GuardView {
  readonly now: Date;
  readonly settings: GuardSettings;
  /** Batches confirmed by objects that are gone by now. */
  readonly confirmed?: Iterable<string>;
  /** Batches by uid that were given before and may not be in the status yet: so that one sweep of deletions is one batch. */
  readonly given?: ReadonlyMap<string, string>;
}

/**
 * Who is held, by uid. Counted are the objects under deletion, however long, and the deletions finished within the window, each
 * unless confirmed; against all objects, and against those of each host. Once its status shows a batch, an object stays held until
 * that batch is confirmed, by the annotation on any object of it (or formerly: `confirmed`). What an object's deletion would do on the
 * host makes no difference.
 */
export const holds = (
  objects: readonly Resource[],
  finished: readonly FinishedDeletion[],
  { now, settings, confirmed = [], given = new Map() }: GuardView,
): ReadonlyMap<string, Hold> => {
  const letGo = new Set([...confirmed, ...objects.flatMap((one) => confirmedBy(one) ?? [])]);
  const going = goingDeployments(objects);
  const all = objects.filter((one) => !going.has(makerOf(one)?.uid ?? "")).map((one) => guarded(one, letGo, given));
  const counted = finished.filter(({ at }) => at > now.getTime() - settings.windowMs);
  const reasons = reasonsByUid(all, counted, settings);
  const held = all.filter((one) => !one.confirmed && (reasons.has(one.uid) || isPinned(one)));
  const batchOf = batches(held);
  const found = new Map<string, Hold>(
    held.map((one) => {
      const batch = batchOf(one);
      return [one.uid, { batch, message: messageOf(batch, reasons.get(one.uid)) }];
    }),
  );
  return new Map([...found, ...childHolds(objects, found)]);
};

/** What a held deployment made is held with it. */
const childHolds = (objects: readonly Resource[], found: ReadonlyMap<string, Hold>): readonly [string, Hold][] =>
  objects.flatMap((one): readonly [string, Hold][] => {
    const hold = one.metadata.deletionTimestamp === undefined ? undefined : found.get(makerOf(one)?.uid ?? "");
    return hold ? [[one.metadata.uid, hold]] : [];
  });

const isPinned = ({ deleting, pinned }: Guarded): boolean => deleting !== undefined && pinned !== undefined;

const messageOf = (
  batch: string,
  reason = "Held since too many objects were under deletion at the same time",
): string =>
  `${reason}. No delete job is sent until batch ${batch} is confirmed: aetherv confirm-delete KIND/NAME, or the annotation ${names.confirmDelete}: ${batch}.`;

/** Why an object under deletion is over the limit, by uid: first by its host, else by all. */
const reasonsByUid = (
  all: readonly Guarded[],
  finished: readonly FinishedDeletion[],
  settings: GuardSettings,
): ReadonlyMap<string, string> => {
  const found = new Map<string, string>();
  const judge = (group: readonly Guarded[], gone: readonly FinishedDeletion[], where: string): void => {
    const going = group.filter(({ deleting, confirmed }) => deleting !== undefined && !confirmed);
    const total = group.length + gone.length;
    const limit = Math.max(settings.floor, settings.share * total);
    const count = going.length + gone.length;
    if (count <= limit) return;
    const text = `${count} of ${total} objects${where} are or were under deletion within ${settings.windowMs / 60_000} minutes (limit ${Math.floor(limit)})`;
    for (const { uid } of going) found.set(uid, text);
  };
  judge(all, finished, "");
  for (const [host, group] of Map.groupBy(all, ({ host: at }) => at))
    if (host !== undefined)
      judge(
        group,
        finished.filter((gone) => gone.host === host),
        ` of host ${host}`,
      );
  return found;
};

/** An object keeps its batch; a newcomer joins one that began about when it did, else makes one with the other newcomers. */
const batches = (held: readonly Guarded[]): ((one: Guarded) => string) => {
  const begun = new Map<string, number>();
  for (const { pinned, deleting = 0 } of held)
    if (pinned !== undefined) begun.set(pinned, Math.min(deleting, begun.get(pinned) ?? deleting));
  const joined = ({ pinned, deleting = 0 }: Guarded): string | undefined =>
    pinned ?? [...begun].find(([, start]) => Math.abs(deleting - start) <= batchSpanMs)?.[0];
  const fresh = batchName(held.filter((one) => joined(one) === undefined).map(({ uid }) => uid));
  return (one) => joined(one) ?? fresh;
};

/** Eight hexadecimal digits over the sorted uids: a name, no protection. */
export const batchName = (uids: readonly string[]): string =>
  fnv1a([...uids].sort().join("\n"))
    .toString(16)
    .padStart(8, "0");

/** Kinds whose deletion takes something from a host. */
export const guardedKinds: readonly string[] = ["ManagedDeployment", "VirtualMachine", "VirtualDisk", "NetworkAdapter"];

/** Deployments that go, or undo what they made, by uid: their children are not counted beside them. */
const goingDeployments = (deployments: readonly Resource[]): ReadonlySet<string> =>
  new Set(deployments.filter(isGoing).map(({ metadata }) => metadata.uid));

const isGoing = ({ kind, metadata, status }: Resource): boolean =>
  kind === "ManagedDeployment" &&
  (metadata.deletionTimestamp !== undefined ||
    (status as { readonly phase?: string } | undefined)?.phase === "RollingBack");

interface GuardParts {
  readonly list: (kind: string) => readonly Resource[];
  readonly now: () => Date;
  readonly settings: GuardSettings;
}

/** Remembers finished deletions, and who is held until something changes. */
export class MassDeleteGuard {
  readonly #parts: GuardParts;
  #finished: FinishedDeletion[] = [];
  readonly #confirmed = new Set<string>();
  readonly #given = new Map<string, string>();
  #known: { readonly holds: ReadonlyMap<string, Hold>; readonly until: number } | undefined;

  constructor(parts: GuardParts) {
    this.#parts = parts;
  }

  /**
   * An object changed or, with `before` only, is gone; told before anybody asks again. Gives the objects that are held no more since their
   * batch was confirmed now.
   */
  changed(resource: Resource | undefined, before: Resource | undefined): readonly Resource[] {
    const at = this.#parts.now().getTime();
    this.#finished = this.#finished.filter((gone) => gone.at > at - this.#parts.settings.windowMs);
    if (!resource && before && this.#counts(before) && !this.#confirmed.has(pinnedBatch(before) ?? ""))
      this.#finished.push({ uid: before.metadata.uid, host: hostOf(before), at });
    if (!resource || resource.metadata.deletionTimestamp !== undefined) this.#known = undefined;
    const batch = resource && confirmedBy(resource);
    if (batch === undefined || this.#confirmed.has(batch)) return [];
    this.#confirmed.add(batch);
    return this.#objects().filter((one) => pinnedBatch(one) === batch);
  }

  held(resource: Resource): Hold | undefined {
    const now = this.#parts.now();
    if (!this.#known || this.#known.until < now.getTime()) this.#known = this.#look(now);
    return this.#known.holds.get(resource.metadata.uid);
  }

  #look(now: Date): { readonly holds: ReadonlyMap<string, Hold>; readonly until: number } {
    const view = { now, settings: this.#parts.settings, confirmed: this.#confirmed, given: this.#given };
    const found = holds(this.#objects(), this.#finished, view);
    this.#given.clear();
    for (const [uid, { batch }] of found) this.#given.set(uid, batch);
    return { holds: found, until: now.getTime() + 5000 };
  }

  #counts(gone: Resource): boolean {
    const maker = makerOf(gone)?.uid;
    const deployments = maker === undefined ? [] : this.#parts.list("ManagedDeployment");
    return guardedKinds.includes(gone.kind) && !goingDeployments(deployments).has(maker ?? "");
  }

  #objects(): readonly Resource[] {
    return guardedKinds.flatMap((kind) => this.#parts.list(kind));
  }
}
