import type { KeyValue } from "../../../src/engine/ports.ts";
import type { FileSystem } from "../../../src/stores/files/filesystem.ts";
import { MemoryKeyValue } from "../../../src/stores/keyvalue/memory.ts";
import { InjectedError, type Process } from "./process.ts";

type Batch = ReadonlyMap<string, string | undefined>;

/** A disk that keeps what was written to it, whichever process wrote it. */
export class SimulatedDisk {
  readonly #data = new MemoryKeyValue();
  readonly #written: (batch: Batch) => void;
  full = false;
  /** What the last batch replaced. */
  #before: Batch = new Map();

  constructor(written: (batch: Batch) => void) {
    this.#written = written;
  }

  async #present(keys: readonly string[]): Promise<Batch> {
    return new Map(await Promise.all(keys.map(async (key) => [key, await this.#data.get(key)] as const)));
  }

  /** The last record was torn when the machine lost its power: it counts as not written. Gives what is there instead. */
  async tear(): Promise<Batch> {
    await this.#data.write(this.#before);
    return this.#before;
  }

  /** A batch of a process is there as a whole or not at all, also when the process is killed meanwhile. */
  seenBy(process: Process): KeyValue {
    const data = this.#data;
    const store = async (batch: Batch): Promise<void> => {
      if (this.full) throw new InjectedError("no space is left on the disk");
      this.#before = await this.#present([...batch.keys()]);
      await data.write(batch);
      this.#written(batch);
    };
    return {
      get: (key) => data.get(key),
      write: (batch) => process.call(`stores ${[...batch.keys()].join(" ")}`, () => store(batch), { where: "local" }),
      entries: (prefix) => data.entries(prefix),
      close: () => Promise.resolve(),
    };
  }
}

export type FolderState = "fine" | "gone" | "unreadable" | "empty";

/** The folder of manifests as a process sees it, in the state that it is in. */
export const folderSeenBy = (process: Process, fs: FileSystem, state: () => FolderState): FileSystem => {
  const through = async <T>(path: string, read: () => Promise<T>): Promise<T> => {
    switch (state()) {
      case "fine":
      case "empty":
        return read();
      case "gone":
        throw failure("ENOENT", path);
      case "unreadable":
        throw failure("EACCES", path);
      default:
        return state() satisfies string as never;
    }
  };
  return {
    list: (path) => through(path, () => (state() === "empty" ? Promise.resolve([]) : fs.list(path))),
    stat: (path) => through(path, () => fs.stat(path)),
    read: (path) => through(path, () => fs.read(path)),
    real: (path) => through(path, () => fs.real(path)),
    watch: (folders, changed) => fs.watch(folders, () => process.deliver(changed)),
  };
};

const failure = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code });
