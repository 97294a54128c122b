import type { JobRecord } from "../../../src/engine/ports.ts";
import type { EventReport } from "../../../src/server/control.ts";
import { v1, type Where } from "./api.ts";
import { jobs } from "./jobs.ts";

const whereQuery = (where: Where | undefined): Record<string, string | undefined> =>
  where ? { kind: where.kind, namespace: where.namespace || undefined, name: where.name } : {};

/** Jobs of an object or on a host, from before this page followed them; newest first. */
export const pastJobs = (
  of: { readonly where?: Where; readonly host?: string },
  signal: AbortSignal,
): Promise<readonly JobRecord[]> =>
  v1<readonly JobRecord[]>("jobs", { ...whereQuery(of.where), host: of.host, limit: 200 }, signal);

/** Newest first. */
export const eventsOf = async (where: Where | undefined, signal: AbortSignal): Promise<readonly EventReport[]> => {
  const events = await v1<readonly EventReport[]>("events", { ...whereQuery(where), limit: 1000 }, signal);
  return [...events].sort((a, b) => (a.lastSeen < b.lastSeen ? 1 : -1));
};

const isOf = (job: JobRecord, { where, host }: { readonly where?: Where; readonly host?: string }): boolean =>
  (host === undefined || job.host === host) &&
  (!where ||
    (job.key.kind === where.kind && job.key.name === where.name && job.key.namespace === (where.namespace ?? "")));

/** What was read before, with what the stream told since. Reads the live list. */
export const withLive = (
  past: readonly JobRecord[],
  of: { readonly where?: Where; readonly host?: string },
): readonly JobRecord[] => {
  const all = new Map(past.map((job) => [job.id, job]));
  for (const job of jobs.list.current) if (isOf(job, of)) all.set(job.id, job);
  return [...all.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
};
