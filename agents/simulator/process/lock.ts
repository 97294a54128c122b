import { closeSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from "node:fs";

const PATIENCE_MS = 10_000;
const BREAKER_MS = 2000;

const isCode = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException).code === code;

const tryCreate = (path: string): boolean => {
  try {
    const file = openSync(path, "wx");
    writeSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    throw error;
  }
};

/** Whether a process of this id lives. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return isCode(error, "EPERM");
  }
};

const holder = (path: string): { pid: number; ageMs: number } | undefined => {
  try {
    return { pid: Number(readFileSync(path, "utf8")), ageMs: Date.now() - statSync(path).mtimeMs };
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
  return found.pid > 0 ? !isAlive(found.pid) : found.ageMs > BREAKER_MS;
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
      throw new Error(`${path} is held by process ${holder(path)?.pid ?? "?"} for over ${PATIENCE_MS / 1000} s`);
    pause(1);
  }
  try {
    return work();
  } finally {
    remove(path);
  }
};
