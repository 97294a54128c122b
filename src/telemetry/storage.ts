import type { KeyValue } from "../engine/ports.ts";

/** A store that knows whether it can be written. */
export interface WatchedStore extends KeyValue {
  /** Undefined when the last write went well; after one that failed, it is tried by a write that changes nothing. */
  writeError(): Promise<string | undefined>;
}

/** No entry has this key: deleting it is a synced write that leaves nothing behind. */
const probe = new Map([["~probe", undefined]]);

export const watchedStore = (inner: KeyValue, failed: () => void): WatchedStore => {
  let error: string | undefined;
  const write: KeyValue["write"] = async (batch) => {
    try {
      await inner.write(batch);
      error = undefined;
    } catch (reason) {
      error = reason instanceof Error ? reason.message : String(reason);
      failed();
      throw reason;
    }
  };
  return {
    write,
    get: (key) => inner.get(key),
    entries: (prefix) => inner.entries(prefix),
    close: () => inner.close(),
    writeError: async () => {
      if (error !== undefined) await write(probe).catch(() => undefined);
      return error;
    },
  };
};
