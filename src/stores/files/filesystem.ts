import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { watch } from "chokidar";

export interface FileStat {
  readonly type: "file" | "folder" | "other";
  /** Bytes. */
  readonly size: number;
  /** Milliseconds, with fractions. */
  readonly modified: number;
  readonly inode: number;
  /** Permission bits; undefined where the system has none (Windows). */
  readonly mode?: number;
}

/** The part of a file system that the file store reads; it never writes. */
export interface FileSystem {
  /** Names in a folder. */
  list(folder: string): Promise<readonly string[]>;
  /** Follows symbolic links. Rejects with code ENOENT, EACCES, ... */
  stat(path: string): Promise<FileStat>;
  read(path: string): Promise<Uint8Array>;
  /** The path without symbolic links. */
  real(path: string): Promise<string>;
  /** Calls back at any change beneath the folders; errors of the watcher are changes, too: the next scan sees. */
  watch(folders: readonly string[], changed: () => void): { close(): Promise<void> };
}

/** The error's code, as ENOENT; "" if it has none. */
export const errorCode = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";

const hidden = (path: string): boolean => /(^|[\\/])\.[^\\/]*$/.test(path);

/** The machine's own file system. */
export const nodeFileSystem: FileSystem = {
  list: (folder) => readdir(folder),
  read: (path) => readFile(path),
  real: (path) => realpath(path),
  async stat(path) {
    const found = await stat(path);
    const type = found.isFile() ? "file" : found.isDirectory() ? "folder" : "other";
    const base = { type, size: found.size, modified: found.mtimeMs, inode: found.ino } as const;
    return process.platform === "win32" ? base : { ...base, mode: found.mode & 0o7777 };
  },
  watch(folders, changed) {
    // `..data` of a ConfigMap mount is hidden, but its swap is the change that matters.
    const ignored = (path: string): boolean => hidden(path) && !path.endsWith("..data") && !folders.includes(path);
    const watcher = watch([...folders], { ignored, ignoreInitial: true, followSymlinks: true });
    watcher.on("all", changed);
    watcher.on("error", changed);
    return { close: () => watcher.close() };
  },
};
