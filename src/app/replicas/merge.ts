import type { JobRecord } from "../../engine/ports.ts";
import type { EventReport } from "../../server/control.ts";

/** Whether a record was put together from what a host's agent remembers: it has the job's true end, and nothing of its request. */
export const isRebuilt = ({ request }: JobRecord): boolean => request.metadata.epoch === 0;

/**
 * One record of a job that several replicas know. Who sent it has all of it; who took its host over has its end from the host, where the
 * sender may have stopped listening before.
 */
export const mergeJob = (records: readonly JobRecord[]): JobRecord | undefined => {
  const whole = bestOf(records.filter((one) => !isRebuilt(one)));
  const rebuilt = bestOf(records.filter(isRebuilt));
  if (!whole || !rebuilt) return whole ?? rebuilt;
  if (rebuilt.finishedAt === undefined || whole.status === rebuilt.status) return whole;
  const { code: _, message: __, percent: ___, result: ____, ...sent } = whole;
  const { status, finishedAt, code, durationMs } = rebuilt;
  return {
    ...sent,
    status,
    finishedAt,
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(code === undefined ? {} : { code }),
  };
};

/** An end counts more than a beginning, and the later of two more than the earlier. */
const bestOf = (records: readonly JobRecord[]): JobRecord | undefined =>
  records.toSorted((a, b) => rank(b).localeCompare(rank(a)))[0];

const rank = ({ finishedAt = "", startedAt = "" }: JobRecord): string => `${finishedAt}|${startedAt}`;

/** Every job once, newest first. */
export const mergeJobs = (lists: readonly (readonly JobRecord[])[], limit: number): readonly JobRecord[] => {
  const byId = new Map<string, JobRecord[]>();
  for (const record of lists.flat()) byId.set(record.id, [...(byId.get(record.id) ?? []), record]);
  // Ids are ULIDs: their order is that of time.
  const ids = [...byId.keys()].sort((a, b) => (a < b ? 1 : -1)).slice(0, limit);
  return ids.flatMap((id) => mergeJob(byId.get(id) ?? []) ?? []);
};

/** Oldest first; of more than the limit, the newest. What two replicas told of the same object are two events. */
export const mergeEvents = (
  lists: readonly (readonly EventReport[])[],
  limit: number | undefined,
): readonly EventReport[] => {
  const all = lists.flat().sort((a, b) => Date.parse(a.lastSeen) - Date.parse(b.lastSeen));
  return limit === undefined ? all : all.slice(Math.max(0, all.length - limit));
};
