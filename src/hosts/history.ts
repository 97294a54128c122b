import type { Key } from "../api/resource.ts";
import type { Journal, JobRecord, Logger } from "../engine/ports.ts";
import type { HelloData, JobResult } from "../protocol/generated/types.ts";
import type { Connection } from "./connection.ts";
import { observedIn } from "./job.ts";

const ASK_SECONDS = 15;

export interface HistoryOptions {
  readonly host: string;
  readonly controlPlaneId: string;
  readonly journal: Journal;
  readonly log: Logger;
  readonly connection: Pick<Connection, "ask">;
  readonly stopped: () => boolean;
}

/**
 * Brings the journal up to what the agent remembers (its last 200 results): jobs that were under way when the process before
 * ended, and those of a journal that was lost. History for people; nothing is decided by it. Never rejects.
 */
export const fetchHistory = async (hello: HelloData | undefined, options: HistoryOptions): Promise<void> => {
  const { journal, log, host, stopped } = options;
  if (!journal.lost || !hello) return;
  let fetched = 0;
  try {
    for (const kept of hello.results) {
      if (stopped()) return;
      const known = await journal.lost(kept.correlation_id);
      if (known === "ended") continue;
      const record = known === "nothing" ? await rebuilt(kept, options) : known;
      if (!record) continue;
      journal.put(endedBy(record, kept));
      fetched += 1;
    }
  } catch (error) {
    log.warn({ host, err: error }, "the history of jobs could not be fetched whole");
  }
  if (fetched > 0)
    log.info({ host, jobs: fetched }, "ends of jobs that the journal lacked were fetched from the agent");
};

type Kept = HelloData["results"][number];

const endedBy = (record: JobRecord, { status, code, finishedAt }: Kept): JobRecord => {
  const { code: _, message: __, finishedAt: ___, durationMs: ____, ...rest } = record;
  const durationMs = Math.max(0, Date.parse(finishedAt) - Date.parse(record.startedAt ?? record.queuedAt));
  return { ...rest, status, finishedAt, durationMs, ...(code === undefined ? {} : { code }) };
};

/** A record of what is left of a job; undefined when its result does not tell whose it was. */
const rebuilt = async (
  { correlation_id: id, operation }: Kept,
  { host, controlPlaneId, connection }: HistoryOptions,
): Promise<JobRecord | undefined> => {
  const reply = await connection.ask("job.get", { correlation_id: id }, ASK_SECONDS);
  const result = reply.at === "answered" && reply.checked.ok ? reply.checked.result.data.result : undefined;
  const owner = result && ownerOf(result, controlPlaneId);
  if (!owner) return undefined;
  const queuedAt = new Date(timeOf(id)).toISOString();
  return {
    id,
    ...owner,
    host,
    operation,
    attempt: 1,
    queuedAt,
    status: "running",
    request: {
      operation,
      // What was asked for is lost with the journal.
      resource_spec: {},
      correlation_id: id,
      metadata: {
        timestamp: queuedAt,
        host,
        control_plane: controlPlaneId,
        epoch: 0,
        deadline_seconds: 0,
        debug: false,
        dry_run: false,
        locks: [],
      },
    },
  };
};

/** Whose job it was: of the machine that it touched, by its mark; else of the disk, by its file's name. */
const ownerOf = (
  result: JobResult,
  controlPlaneId: string,
): { readonly key: Key; readonly uid: string } | undefined => {
  const observed = observedIn(result);
  const [disk] = observed?.disks?.upsert ?? [];
  const [, namespace, name] = /\\([^\\]+)\\([^\\]+)\.[0-9a-f-]{36}\.a?vhdx?$/i.exec(disk?.path ?? "") ?? [];
  for (const { stamp } of observed?.vms?.upsert ?? [])
    if (stamp?.controlPlaneId === controlPlaneId)
      return { key: { kind: stamp.kind, namespace: stamp.namespace, name: stamp.name }, uid: stamp.uid };
  if (disk?.uid === undefined || namespace === undefined || name === undefined) return undefined;
  if ((disk.sidecar?.controlPlaneId ?? controlPlaneId) !== controlPlaneId) return undefined;
  return { key: { kind: "VirtualDisk", namespace, name }, uid: disk.uid };
};

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** Milliseconds since 1970, from the first ten characters of a ULID. */
const timeOf = (ulid: string): number =>
  Array.from(ulid.slice(0, 10)).reduce((time, character) => time * 32 + Math.max(0, alphabet.indexOf(character)), 0);
