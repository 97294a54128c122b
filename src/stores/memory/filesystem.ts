import type { FileStat, FileSystem } from "../files/filesystem.ts";

interface MemoryFile {
  readonly bytes: Uint8Array;
  readonly version: number;
}

const failure = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code });

/** A file system in memory, for simulation: files by path, folders where files are. Every change tells the watchers. */
export class MemoryFileSystem implements FileSystem {
  readonly #files = new Map<string, MemoryFile>();
  readonly #folders: Set<string>;
  readonly #watchers = new Set<() => void>();
  #version = 0;

  /** `folders` exist even while they are empty. */
  constructor(folders: readonly string[]) {
    this.#folders = new Set(folders);
  }

  write(path: string, text: string): void {
    this.#version += 1;
    this.#files.set(path, { bytes: new TextEncoder().encode(text), version: this.#version });
    this.#changed();
  }

  remove(path: string): void {
    this.#files.delete(path);
    this.#changed();
  }

  async list(folder: string): Promise<readonly string[]> {
    const beneath = this.#beneath(folder);
    if (beneath.length === 0 && !this.#folders.has(folder)) throw failure("ENOENT", folder);
    return [...new Set(beneath.map((path) => path.slice(folder.length + 1).split("/")[0] ?? ""))];
  }

  async stat(path: string): Promise<FileStat> {
    const file = this.#files.get(path);
    if (file) return { type: "file", size: file.bytes.length, modified: file.version, inode: 1, mode: 0o600 };
    if (this.#beneath(path).length === 0 && !this.#folders.has(path)) throw failure("ENOENT", path);
    return { type: "folder", size: 0, modified: 0, inode: 1, mode: 0o700 };
  }

  async read(path: string): Promise<Uint8Array> {
    const file = this.#files.get(path);
    if (!file) throw failure("ENOENT", path);
    return file.bytes;
  }

  async real(path: string): Promise<string> {
    await this.stat(path);
    return path;
  }

  watch(_folders: readonly string[], changed: () => void): { close(): Promise<void> } {
    this.#watchers.add(changed);
    return {
      close: () => {
        this.#watchers.delete(changed);
        return Promise.resolve();
      },
    };
  }

  #beneath(folder: string): string[] {
    return [...this.#files.keys()].filter((path) => path.startsWith(`${folder}/`));
  }

  #changed(): void {
    for (const changed of this.#watchers) changed();
  }
}
