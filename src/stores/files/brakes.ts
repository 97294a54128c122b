/** An object whose document is gone, and how long it was surely so. */
export interface MissingEntry {
  /** When it was missed first; milliseconds since 1970. */
  readonly since: number;
  /** Start of the unbroken time in which every scan proved it; absent while none does. */
  readonly provenSince?: number;
  /** Proving scans in that time. */
  readonly scans: number;
}

export type MissingState = ReadonlyMap<string, MissingEntry>;

export interface BrakeInput {
  readonly before: MissingState;
  /** Keys of objects that have no document now. */
  readonly missing: readonly string[];
  /** This scan proves the absence of that key: all could be read, nothing is wrong or doubtful. */
  readonly proves: (key: string) => boolean;
  readonly now: number;
  readonly delayMs: number;
}

export interface BrakeOutput {
  readonly state: MissingState;
  /** Keys whose deletion may begin. */
  readonly due: readonly string[];
}

/** Scans without the document that a deletion needs, besides the delay. */
const scansNeeded = 2;

/**
 * The brakes on deletion: an object is due once its document was gone for `delayMs` and at least two scans, all of them
 * proving it. Any scan that does not prove starts the time anew; a document that comes back ends it.
 */
export const brake = ({ before, missing, proves, now, delayMs }: BrakeInput): BrakeOutput => {
  const state = new Map(missing.map((key) => [key, advanced(before.get(key), proves(key), now)]));
  const due = missing.filter((key) => {
    const entry = state.get(key);
    return entry?.provenSince !== undefined && entry.scans >= scansNeeded && now - entry.provenSince >= delayMs;
  });
  return { state, due };
};

const advanced = (entry: MissingEntry | undefined, proves: boolean, now: number): MissingEntry => {
  const since = entry?.since ?? now;
  if (!proves) return { since, scans: 0 };
  return { since, provenSince: entry?.provenSince ?? now, scans: (entry?.scans ?? 0) + 1 };
};

/** Milliseconds until the next scan that may make an entry due; undefined if none waits for time. */
export const nextDue = (state: MissingState, now: number, delayMs: number): number | undefined => {
  const waits = [...state.values()].flatMap(({ provenSince, scans }) => {
    if (provenSince === undefined) return [];
    const left = provenSince + delayMs - now;
    // Past its time and scanned often enough: something else holds it.
    return left <= 0 && scans >= scansNeeded ? [] : [Math.max(left, 0)];
  });
  return waits.length === 0 ? undefined : Math.min(...waits);
};
