/** Who is killed at a point. */
export type Victim = "plane" | "agent" | "both";

/** A moment of a run: just before or just after the nth time that something of this label happens. */
export interface Point {
  /** "write object store", "send vm.create a", "effect stamped a", "reply vm.create a". */
  readonly label: string;
  /** From 1. */
  readonly nth: number;
  readonly when: "before" | "after";
  readonly victim: Victim;
}

/** What the environment variable AETHERV_CRASH tells the hook in a process. */
export interface CrashOrder {
  /** File that gets a line for each thing that happens: its label. */
  readonly log?: string;
  readonly point?: Point;
  /** File that is made when the kill comes, so that it comes once. */
  readonly struck: string;
}

export const pointText = ({ label, nth, when, victim }: Point): string => `${when} ${label} #${nth}, ${victim} killed`;

/** Things that time brings and not the world: some of them are enough. */
const recurring = /^(write journal|send (agent|host)\.|reply (agent|host)\.|api \w+ (Event|Lease))/;
const FEW = 2;

/** All points of a run that was recorded, in the order of their first mention. */
export const pointsOf = (log: string): readonly Point[] => {
  const counts = new Map<string, number>();
  for (const label of log.split("\n").filter((line) => line !== "")) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].flatMap(([label, count]) =>
    Array.from({ length: recurring.test(label) ? Math.min(count, FEW) : count }, (_, index) =>
      momentsOf(label, index + 1),
    ).flat(),
  );
};

const momentsOf = (label: string, nth: number): readonly Point[] => {
  const victims: readonly Victim[] = label.startsWith("effect ") ? ["plane", "agent", "both"] : ["plane"];
  return victims.flatMap((victim) => (["before", "after"] as const).map((when) => ({ label, nth, when, victim })));
};

/** Evenly spread over all points, `count` of them, beginning at a place that `from` gives. */
export const stride = (points: readonly Point[], count: number, from: number): readonly Point[] => {
  const step = Math.max(1, points.length / count);
  const picked = Array.from({ length: Math.min(count, points.length) }, (_, index) => {
    return points[Math.floor(index * step + (from % step))];
  });
  return picked.filter((point) => point !== undefined);
};
