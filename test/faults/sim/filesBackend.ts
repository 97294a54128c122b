import { stringify } from "yaml";
import { apiVersion } from "../../../src/api/kinds.ts";
import { keyText, type Key, type Resource } from "../../../src/api/resource.ts";
import { Epoch } from "../../../src/app/identity.ts";
import { modelValidation } from "../../../src/app/validation.ts";
import type { Logger } from "../../../src/engine/ports.ts";
import { EventLog } from "../../../src/journal/events.ts";
import { JobJournal } from "../../../src/journal/journal.ts";
import { FileStore } from "../../../src/stores/files/store.ts";
import { MemoryFileSystem } from "../../../src/stores/memory/filesystem.ts";
import type { Manifest } from "../../support/plane.ts";
import type { Backend, Opened } from "./backend.ts";
import type { BackendParts } from "./backends.ts";
import type { Chance } from "./chance.ts";
import { folderSeenBy, SimulatedDisk, type FolderState } from "./disk.ts";
import { keyOfManifest } from "./memoryBackend.ts";
import { plantedSecret } from "./secrets.ts";
import type { Process } from "./process.ts";

const folder = "/manifests";
const prefix = "object/";
const secretFile = `${folder}/secret.yaml`;

/** YAML in a folder and a store on a disk, as `aetherv run --files` has them. One process at a time. */
export class FilesBackend implements Backend {
  readonly replicas = 1;
  readonly exclusive = true;
  readonly #parts: BackendParts;
  readonly #fs = new MemoryFileSystem([folder]);
  readonly #store: SimulatedDisk;
  readonly #journal: SimulatedDisk;
  readonly #written: string[] = [];
  /** Documents by file, as the user has them; the folder may lag behind. */
  readonly #files = new Map<string, string>();
  #state: FolderState = "fine";
  #live: { readonly process: Process; readonly store: FileStore } | undefined;

  constructor(parts: BackendParts) {
    this.#parts = parts;
    this.#store = new SimulatedDisk((batch) => this.#stored(batch));
    this.#journal = new SimulatedDisk((batch) => {
      for (const text of batch.values()) if (text !== undefined) this.#written.push(text);
    });
  }

  #stored(batch: ReadonlyMap<string, string | undefined>): void {
    for (const [key, text] of batch) {
      if (text !== undefined) this.#written.push(text);
      if (!key.startsWith(prefix)) continue;
      this.#parts.truth.holds(key.slice(prefix.length), objectIn(text));
    }
  }

  /** One file a document. Saving takes a moment, in which half of it is there. */
  sync(documents: readonly Manifest[]): Promise<void> {
    const { truth, chance, climate, trouble } = this.#parts;
    truth.wants(documents.map((one) => keyText(keyOfManifest(one))));
    const wanted = new Map([[secretFile, secretText], ...documents.map((one) => [fileOf(one), textOf(one)] as const)]);
    for (const [file, text] of wanted) {
      if (this.#files.get(file) === text) continue;
      this.#files.set(file, text);
      // Not while a process starts: it takes what it finds first for being at rest.
      if (this.#live && !this.#live.process.ended && climate.now.storeFails > 0 && chance.is(0.3)) {
        this.#fs.write(file, cut(text, chance));
        trouble(chance.wide(1, 800), `${file} is whole`, () => this.#save(file));
      } else this.#save(file);
    }
    for (const file of [...this.#files.keys()].filter((one) => !wanted.has(one))) {
      this.#files.delete(file);
      this.#save(file);
    }
    return Promise.resolve();
  }

  #save(file: string): void {
    const text = this.#files.get(file);
    if (text === undefined) this.#fs.remove(file);
    else this.#fs.write(file, text);
  }

  /** The power goes in the middle of the store's last write. */
  async tear(): Promise<void> {
    for (const [key, text] of await this.#store.tear())
      if (key.startsWith(prefix)) this.#parts.truth.restored(key.slice(prefix.length), objectIn(text));
  }

  /** As the CLI does, by the running process; nothing while there is none. */
  annotate(key: Key, name: string, value: string): Promise<void> {
    const { truth } = this.#parts;
    if (!this.#live || this.#live.process.ended || this.#live.process.paused) return Promise.resolve();
    const uid = truth.get(keyText(key))?.metadata.uid ?? "";
    const annotation = truth.annotates(uid, name, value);
    void this.#live.store.setAnnotation(key, name, value).then(
      ({ metadata }) => metadata.uid === uid && annotation.confirm(),
      () => undefined,
    );
    return Promise.resolve();
  }

  async open(process: Process, log: Logger): Promise<Opened> {
    const { controlPlaneId } = this.#parts;
    const data = this.#store.seenBy(process);
    const { clock, chance: random } = process;
    const epoch = await Epoch.next(data);
    const records = { data: this.#journal.seenBy(process), clock, random, log };
    const journal = await JobJournal.open(records);
    const events = await EventLog.open(records);
    const store = await FileStore.open({
      folders: [folder],
      data,
      fs: folderSeenBy(process, this.#fs, () => this.#state),
      clock,
      random,
      validation: modelValidation,
      log,
      deletionDelayMs: 30_000,
    });
    this.#live = { process, store };
    const run = (signal: AbortSignal): Promise<void> => store.run(signal);
    return {
      store,
      controlPlaneId,
      epoch: () => epoch.value,
      raiseEpoch: (min) => epoch.raise(min),
      journal,
      events,
      run,
    };
  }

  texts(): Iterable<string> {
    return this.#written;
  }

  disturb(): string {
    const { chance, trouble } = this.#parts;
    const ms = chance.wide(50, 90_000);
    const state = chance.pick<FolderState | "full" | "editor" | "torn">([
      "gone",
      "unreadable",
      "empty",
      "empty",
      "full",
      "editor",
      "torn",
    ]);
    if (state === "editor" || state === "torn") return this.#edit(state);
    if (state === "full") {
      this.#store.full = this.#journal.full = true;
      trouble(ms, "the disk has space again", () => (this.#store.full = this.#journal.full = false));
      return "the disk is full";
    }
    this.#state = state;
    trouble(ms, "the folder is back", () => (this.#state = "fine"));
    return `the folder is ${state}`;
  }

  /** An editor that removes a file and writes it again, or takes a moment to write it. */
  #edit(how: "editor" | "torn"): string {
    const { chance, trouble } = this.#parts;
    const file = how === "torn" && chance.is(0.5) ? secretFile : chance.pick([...this.#files.keys()]);
    const text = file === undefined ? undefined : this.#files.get(file);
    if (file === undefined || text === undefined) return "nothing to edit";
    if (how === "editor") this.#fs.remove(file);
    else this.#fs.write(file, cut(text, chance));
    const ms = how === "editor" ? chance.wide(1, 20_000) : chance.wide(150, 800);
    trouble(ms, `${file} is saved again`, () => this.#save(file));
    return `${file} is ${how === "editor" ? "away" : "torn"}`;
  }

  silence(): void {}

  /** All of it ends by itself. */
  heal(): void {}
}

/** Lies among the manifests, is saved and torn as they are, and may be told by nobody. */
const secretText = stringify({
  stringData: { password: plantedSecret, username: "admin" },
  apiVersion: "v1",
  metadata: { name: "planted", namespace: "default" },
  kind: "Secret",
});

const objectIn = (text: string | undefined): Resource | undefined =>
  text === undefined ? undefined : (JSON.parse(text) as { readonly object: Resource }).object;

/** Never at the end of a line, nor for long: what looks whole is taken for it. */
const cut = (text: string, chance: Chance): string => text.slice(0, chance.int(0, text.length)).trimEnd();

const fileOf = ({ kind, metadata }: Manifest): string => `${folder}/${kind}-${metadata.name}.yaml`;

const texts = new WeakMap<Manifest, string>();

/** Written once: the same documents are asked for again and again. */
const textOf = (manifest: Manifest): string => {
  const text = texts.get(manifest) ?? stringify({ apiVersion, ...manifest }, { aliasDuplicateObjects: false });
  texts.set(manifest, text);
  return text;
};
