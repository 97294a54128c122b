import { kinds } from "../../api/kinds.ts";
import { keyOf, type Condition, type Key, type Resource } from "../../api/resource.ts";
import { ControlError, type HostReport } from "../control.ts";
import type { ConsoleUser } from "./access.ts";
import { ApiError } from "./status.ts";

/** How an object stands, for people: worst first. */
const standings = ["stalled", "unknown", "reconciling", "deleting", "paused", "ready"] as const;
type Standing = (typeof standings)[number];

export interface Summary {
  readonly objects: readonly ({ readonly kind: string; readonly total: number } & Readonly<Record<Standing, number>>)[];
  readonly hosts: { readonly total: number; readonly up: number; readonly down: number; readonly connecting: number };
  /** Of each host as its status has it: absent until it was seen. */
  readonly capacity: readonly { readonly host: string; readonly capacity?: unknown; readonly allocated?: unknown }[];
  readonly attention: readonly Attention[];
  /** Counters of this control plane since its start. */
  readonly counters: Readonly<Record<string, number>>;
}

/** What somebody should look at. */
interface Attention {
  readonly key: Key;
  readonly reason: string;
  readonly message: string;
}

/** At most so many are listed: the numbers tell of the rest. */
const mostAttention = 200;

/** The overview of what a user may see. */
export const summarize = async (user: ConsoleUser): Promise<Summary> => {
  const lists = await Promise.all(kinds.map(async ({ kind }) => ({ kind, items: await listed(user, kind) })));
  const all = lists.flatMap(({ items }) => items);
  const [hosts, counters] = await Promise.all([hostsOf(user), countersOf(user)]);
  return {
    objects: lists.map(({ kind, items }) => counted(kind, items)),
    hosts: {
      total: hosts.length,
      up: count(hosts, ({ reach }) => reach === "up"),
      down: count(hosts, ({ reach }) => reach === "down"),
      connecting: count(hosts, ({ reach }) => reach === "connecting"),
    },
    capacity: all.filter(({ kind }) => kind === "VMHost").map(capacityOf),
    attention: all.flatMap(attentionOf).slice(0, mostAttention),
    counters,
  };
};

const count = <T>(all: readonly T[], test: (one: T) => boolean): number => all.filter(test).length;

/** What one may not list counts as nothing. */
const listed = async (user: ConsoleUser, kind: string): Promise<readonly Resource[]> => {
  try {
    return (await user.objects.list(kind, {})).items;
  } catch (error) {
    if (error instanceof ApiError && error.status.code === 403) return [];
    throw error;
  }
};

const unlessRefused =
  <T>(instead: T) =>
  (error: unknown): T => {
    if (error instanceof ControlError && ["Forbidden", "Standby"].includes(error.code)) return instead;
    throw error;
  };

const hostsOf = (user: ConsoleUser): Promise<readonly HostReport[]> =>
  user.control.hosts().catch(unlessRefused<readonly HostReport[]>([]));

const countersOf = (user: ConsoleUser): Promise<Readonly<Record<string, number>>> =>
  user.control.status().then(({ counters = {} }) => counters, unlessRefused({}));

const conditionsOf = ({ status }: Resource): readonly Condition[] =>
  (status as { readonly conditions?: readonly Condition[] } | undefined)?.conditions ?? [];

const conditionOf = (object: Resource, type: string): Condition | undefined =>
  conditionsOf(object).find((condition) => condition.type === type);

const standingOf = (object: Resource): Standing => {
  if (conditionOf(object, "Stalled")?.status === "True") return "stalled";
  if (object.metadata.deletionTimestamp !== undefined) return "deleting";
  if (conditionOf(object, "Paused")?.status === "True") return "paused";
  const ready = conditionOf(object, "Ready")?.status;
  if (ready === "True") return "ready";
  return ready === "False" ? "reconciling" : "unknown";
};

const counted = (kind: string, items: readonly Resource[]): Summary["objects"][number] => {
  const found = items.map(standingOf);
  const numbers = Object.fromEntries(standings.map((one) => [one, count(found, (standing) => standing === one)]));
  return { kind, total: items.length, ...(numbers as Record<Standing, number>) };
};

const capacityOf = ({ metadata, status }: Resource): Summary["capacity"][number] => {
  const { capacity, allocated } = (status ?? {}) as { capacity?: unknown; allocated?: unknown };
  return {
    host: metadata.name,
    ...(capacity === undefined ? {} : { capacity }),
    ...(allocated === undefined ? {} : { allocated }),
  };
};

/** Conditions that somebody has to act on, with the value that asks for it. */
const asking: readonly (readonly [type: string, status: Condition["status"]])[] = [
  ["Stalled", "True"],
  ["RestartRequired", "True"],
  ["Reachable", "False"],
];

const attentionOf = (object: Resource): readonly Attention[] =>
  asking.flatMap(([type, status]) => {
    const found = conditionOf(object, type);
    return found?.status === status
      ? [{ key: keyOf(object), reason: type === "Stalled" ? found.reason : type, message: found.message }]
      : [];
  });
