import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Level } from "level";
import type { KeyValue } from "../../engine/ports.ts";

/** Another process has the data folder open. */
export class LockedError extends Error {
  override readonly name = "LockedError";
  /** The process that has it, if that can be known. */
  readonly pid: number | undefined;
  constructor(folder: string, pid: number | undefined) {
    const who = pid === undefined ? "another process" : `process ${pid}`;
    super(`the data folder ${folder} is in use by ${who}: one process at a time may have it`);
    this.pid = pid;
  }
}

/**
 * Opens (or makes) a KeyValue in `folder`; each write is synced. The lock is the operating system's: that of a process that
 * died is free. Rejects with LockedError, or with an Error that names the folder.
 */
export const openLevel = async (folder: string): Promise<KeyValue> => {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const owner = join(folder, "owner.pid");
  const found = await readFile(owner, "utf8").catch(() => "");
  // A second attempt within one process would take the lock from the first: closing any handle of a file drops POSIX locks.
  if (found === self()) throw new LockedError(folder, process.pid);
  // Level begins to open as soon as it is made.
  const db = new Level<string, string>(join(folder, "db"), { keyEncoding: "utf8", valueEncoding: "utf8" });
  try {
    await db.open();
  } catch (error) {
    if (isLocked(error)) throw new LockedError(folder, pidOf(found));
    throw new Error(`the data folder ${folder} cannot be opened: ${reasonOf(error)}`, { cause: error });
  }
  // Says who has it; between processes the lock itself is level's.
  await writeFile(owner, self(), { mode: 0o600 });
  return keyValue(db, () => rm(owner, { force: true }));
};

const keyValue = (db: Level<string, string>, closing: () => Promise<void>): KeyValue => ({
  get: (key) => db.get(key),
  write: (batch) =>
    db.batch(
      [...batch].map(([key, value]) => (value === undefined ? { type: "del", key } : { type: "put", key, value })),
      { sync: true },
    ),
  entries: (prefix) => db.iterator({ gte: prefix, lt: `${prefix}\u{10ffff}` }),
  async close() {
    if (db.status === "open") await closing();
    await db.close();
  },
});

/** The error and its causes, outermost first. */
const chain = (error: unknown): Error[] => (error instanceof Error ? [error, ...chain(error.cause)] : []);

const isLocked = (error: unknown): boolean =>
  chain(error).some((cause) => "code" in cause && cause.code === "LEVEL_LOCKED");

const reasonOf = (error: unknown): string => chain(error).at(-1)?.message ?? String(error);

/** This process, also after a restart under the same pid (1 in a container). */
const self = (): string => `${process.pid} ${performance.timeOrigin}\n`;

const pidOf = (owner: string): number | undefined => {
  const pid = /^\d+/.exec(owner)?.[0];
  return pid === undefined ? undefined : Number(pid);
};
