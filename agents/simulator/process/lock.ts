import { closeSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from "node:fs";

const PATIENCE_MS = 10_000;
const BREAKER_MS = 2000;

const isCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code;

const tryCreate = (path: string): boolean => {
  try {
    const file = openSync(path, "wx");
    writeSync(file, ownMark);
    closeSync(file);
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  }
};

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isCode(error, "EPERM");
  }
};

/** When the process began, in ticks since boot; "" where the system does not tell. Field 22, after the name in brackets. */
const startOf = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
};

/** Tells a process from a later one that got the same id (after a restart in a container: always). */
const markOf = (pid: number): string => `${pid}:${startOf(pid)}`;

/** This process's mark. */
export const ownMark = markOf(process.pid);

/** Whether the process of a mark lives. */
export const isAlive = (mark: string): boolean => {
  const pid = Number(mark.split(":")[0]);
  return pid > 0 && lives(pid) && markOf(pid) === mark;
};

const holder = (path: string): { mark: string; ageMs: number } | undefined => {
  try {
    return { mark: readFileSync(path, "utf8"), ageMs: Date.now() - statSync(path).mtimeMs };
  } catch {
    return undefined;
  }
};

const remove = (path: string): void => {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isCode(error, "ENOENT")) throw error;
  }
};

/** Dead: its process is gone, or it never got so far as to write its id. */
const isStale = (path: string): boolean => {
  const found = holder(path);
  if (!found) return false;
  return found.mark === "" ? found.ageMs > BREAKER_MS : !isAlive(found.mark);
};

/** Only one process at a time may break a dead one's lock, so that none breaks the lock of the one that just took it. */
const breakStale = (path: string): void => {
  const breaker = `${path}.break`;
  if (!tryCreate(breaker)) {
    const other = holder(breaker);
    if (other && other.ageMs > BREAKER_MS) remove(breaker);
    return;
  }
  try {
    if (isStale(path)) remove(path);
  } finally {
    remove(breaker);
  }
};

const pause = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** Runs `work` while this process alone holds the lock file. Held for less than a few milliseconds, so waiting blocks. */
export const withFileLock = <T>(path: string, work: () => T): T => {
  const start = Date.now();
  while (!tryCreate(path)) {
    if (isStale(path)) breakStale(path);
    if (Date.now() - start > PATIENCE_MS)
      throw new Error(`${path} is held by process ${holder(path)?.mark ?? "?"} for over ${PATIENCE_MS / 1000} s`);
    pause(1);
  }
  try {
    return work();
  } finally {
    remove(path);
  }
};
