import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Key, Resource } from "../../../src/api/resource.ts";
import type { KeyValue } from "../../../src/engine/ports.ts";
import { nodeFileSystem } from "../../../src/stores/files/filesystem.ts";
import { problemText } from "../../../src/stores/files/place.ts";
import { FileStore } from "../../../src/stores/files/store.ts";
import type { FileStoreOptions } from "../../../src/stores/files/store.ts";
import { MemoryKeyValue } from "../../../src/stores/keyvalue/memory.ts";
import { modelValidation } from "../../../src/app/validation.ts";
import { CountingRandom, HandClock, MemoryLog } from "../../unit/stores/fixed.ts";

/** A folder that is removed when the test ends. */
export const temporaryFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "aetherv-files-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

export const diskYaml = (name: string, size = "1Gi", extra = ""): string => `apiVersion: aetherv.io/v1alpha1
kind: VirtualDisk
metadata:
  name: ${name}
spec:
  source:
    type: Blank
  size: ${size}
${extra}`;

export const diskKey = (name: string): Key => ({ kind: "VirtualDisk", namespace: "default", name });

/** A file store on a real folder, with a clock moved by hand. */
export class FolderRig {
  readonly folder: string;
  readonly clock = new HandClock();
  readonly log = new MemoryLog();
  readonly data: KeyValue;
  readonly #options: Partial<FileStoreOptions>;
  #starts = 0;
  #store: FileStore | undefined;

  private constructor(folder: string, options: Partial<FileStoreOptions>) {
    this.folder = folder;
    this.data = options.data ?? new MemoryKeyValue();
    this.#options = options;
  }

  static async make(options: Partial<FileStoreOptions> = {}): Promise<FolderRig> {
    const folder = join(await temporaryFolder(), "manifests");
    await mkdir(folder);
    return new FolderRig(folder, options);
  }

  /** A rig on a folder that its maker removes. */
  static at(folder: string, options: Partial<FileStoreOptions> = {}): FolderRig {
    return new FolderRig(folder, options);
  }

  get store(): FileStore {
    if (!this.#store) throw new Error("the store is not open");
    return this.#store;
  }

  /** Opens the store, or opens it again as a new process would. */
  async start(options: Partial<FileStoreOptions> = {}): Promise<FileStore> {
    this.#starts += 1;
    this.#store = await FileStore.open({
      folders: [this.folder],
      data: this.data,
      fs: nodeFileSystem,
      clock: this.clock,
      random: new CountingRandom(String(this.#starts)),
      validation: modelValidation,
      log: this.log,
      ...this.#options,
      ...options,
    });
    return this.#store;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, text: string | Uint8Array, mode = 0o644): Promise<void> {
    await writeFile(this.path(name), text, { mode });
  }

  remove(name: string): Promise<void> {
    return rm(this.path(name), { recursive: true });
  }

  rename(from: string, to: string): Promise<void> {
    return rename(this.path(from), this.path(to));
  }

  /** Lets the time of the brakes pass, with the sweeps that happen in it. */
  async pass(ms = 31_000): Promise<void> {
    await this.store.sweep();
    this.clock.advance(ms);
    await this.store.sweep();
    await this.store.sweep();
  }

  object(name: string): Resource | undefined {
    return this.store.cache.get(diskKey(name));
  }

  uid(name: string): string | undefined {
    return this.object(name)?.metadata.uid;
  }

  /** Puts the finalizer on, as the engine does. */
  async hold(name: string): Promise<void> {
    const object = this.object(name);
    if (!object) throw new Error(`${name} is not there`);
    await this.store.putMetadata({ ...object, metadata: { ...object.metadata, finalizers: ["aetherv.io/cleanup"] } });
  }

  /** Takes the finalizers off. */
  async release(name: string): Promise<void> {
    const object = this.object(name);
    if (!object) throw new Error(`${name} is not there`);
    await this.store.putMetadata({ ...object, metadata: { ...object.metadata, finalizers: [] } });
  }

  /** Problems as people read them, without the folder's path. */
  problems(): string[] {
    return this.store.problems().map((problem) => problemText(problem).replaceAll(`${this.folder}/`, ""));
  }

  missing(): string[] {
    return this.store.missing().map(({ key }) => key.name);
  }
}
