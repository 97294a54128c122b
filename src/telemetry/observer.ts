import type { Journal, JobRecord, Observer } from "../engine/ports.ts";

/** Told of jobs besides what the engine tells: the journal's records as they are put. */
export interface Watcher extends Observer {
  /** First as queued, then as running (again with each progress), last as ended. */
  job(record: JobRecord): void;
}

/** Passes everything on to several watchers. */
export const several = (watchers: readonly Watcher[]): Watcher => ({
  reconcileBegan: (key, waitedMs) => watchers.forEach((one) => one.reconcileBegan(key, waitedMs)),
  reconcileEnded: (key, outcome) => watchers.forEach((one) => one.reconcileEnded(key, outcome)),
  driftFound: (key, paths) => watchers.forEach((one) => one.driftFound(key, paths)),
  driftRepaired: (key, paths) => watchers.forEach((one) => one.driftRepaired(key, paths)),
  job: (record) => watchers.forEach((one) => one.job(record)),
});

/** A journal that shows its records to a watcher as well. */
export const watchedJournal = (journal: Journal, watcher: Watcher): Journal => ({
  put: (record) => {
    journal.put(record);
    watcher.job(record);
  },
  log: (id, line) => journal.log(id, line),
  ...(journal.lost ? { lost: journal.lost.bind(journal) } : {}),
});

/** What is told of a job that has ended well. */
export const success = "Success";

export const isEnded = ({ status }: JobRecord): boolean => status !== "queued" && status !== "running";
