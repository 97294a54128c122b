import type { KeyValue } from "../engine/ports.ts";
import { EventLog } from "../journal/events.ts";
import { JobJournal } from "../journal/journal.ts";
import type { Parts } from "./parts.ts";
import type { History } from "./control.ts";

export interface Records {
  readonly journal: JobJournal;
  readonly events: EventLog;
  readonly history: History;
  close(): Promise<void>;
}

/** Jobs and events of a data folder, written by the control plane and read by people. */
export const openRecords = async (data: KeyValue, { clock, random, log }: Parts): Promise<Records> => {
  const journal = await JobJournal.open({ data, clock, log });
  const events = await EventLog.open({ data, clock, random, log });
  return {
    journal,
    events,
    history: historyOf(journal, events),
    close: async () => {
      // Both gather their last writes before the store beneath them closes.
      await journal.close();
      await events.close();
      await data.close();
    },
  };
};

const historyOf = (journal: JobJournal, events: EventLog): History => ({
  jobs: (filter) => journal.list(filter),
  job: (id) => journal.get(id),
  watchJobs: (signal) => journal.watch(signal),
  jobLog: (id, { follow }, signal) => (follow ? journal.follow(id, signal) : journal.lines(id)),
  events: (filter) => Promise.resolve(events.list(filter)),
});
