import { resolve } from "node:path";
import { keyOf, keyText } from "../../api/resource.ts";
import type { Key, Resource } from "../../api/resource.ts";
import { ConflictError } from "../../engine/ports.ts";
import type { Clock, KeyValue, Logger, Random } from "../../engine/ports.ts";
import { isProtected } from "../rows.ts";
import type { Birth, Row } from "../rows.ts";
import { ObjectTable } from "../table.ts";
import type { Validation } from "../validation.ts";
import { nextDue } from "./brakes.ts";
import type { MissingState } from "./brakes.ts";
import type { FileSystem } from "./filesystem.ts";
import { placeText, problemText } from "./place.ts";
import type { Place, Problem } from "./place.ts";
import { checkFormat, ensureFormat, folderBatch, load, objectBatch } from "./records.ts";
import type { Loaded } from "./records.ts";
import { Scanner } from "./scan.ts";
import type { FileReport, ScanReport } from "./scan.ts";
import { sweep } from "./sweep.ts";
import type { SweepOutput } from "./sweep.ts";
import { Trigger } from "./trigger.ts";

export interface FileStoreOptions {
  /** Folders of manifests, read with all their folders. */
  readonly folders: readonly string[];
  /** Identity, status and last good spec of every object. */
  readonly data: KeyValue;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly validation: Validation;
  readonly log: Logger;
  /** How long a document must be gone before its object's deletion begins; milliseconds, default 30000. */
  readonly deletionDelayMs?: number;
  /** Files are looked at this often without any event; milliseconds, default 5000. */
  readonly scanIntervalMs?: number;
  /** Quiet time after an event before the files are read; milliseconds, default 100. */
  readonly debounceMs?: number;
  /** The uid that a host's stamp carries for an object that the store does not know (a lost store). */
  readonly adoptUid?: (key: Key) => string | undefined;
}

/** An object whose document is gone. */
export interface Missing {
  readonly key: Key;
  readonly since: Date;
  /** Where the document was seen last, if this process saw it. */
  readonly place?: Place;
  /** When its deletion begins, if the files stay as they are; absent while something holds it back. */
  readonly deletionAt?: Date;
}

/** The desired state as YAML files have it; identity and status in a KeyValue. See docs: file mode. */
export class FileStore extends ObjectTable {
  readonly #files: Required<Omit<FileStoreOptions, "adoptUid">> & Pick<FileStoreOptions, "adoptUid">;
  readonly #scanner: Scanner;
  readonly #trigger: Trigger;
  readonly #buried = new Set<string>();
  #marked: ReadonlySet<string>;
  #missing: MissingState = new Map();
  #places: ReadonlyMap<string, Place> = new Map();
  #problems: readonly Problem[] = [];
  #scan: ScanReport = { folders: [], files: [], steady: false };
  #sweeping: Promise<void> = Promise.resolve();
  readonly #onSecrets: (() => void)[] = [];
  /** Batches written when the last sweep ended. */
  #sweptBatches = -1;

  /** Loads what is known and reads the files once. Problems of files are no errors: see `problems`. */
  static async open(options: FileStoreOptions): Promise<FileStore> {
    // However a folder is spelled at a start, it is the one of the start before.
    const folders = [...new Set(options.folders.map((folder) => resolve(folder)))];
    await checkFormat(options.data);
    const store = new FileStore({ ...options, folders }, await load(options.data));
    await ensureFormat(options.data);
    await store.sweep();
    return store;
  }

  private constructor(options: FileStoreOptions, loaded: Loaded) {
    const { clock, random, validation, data } = options;
    super({ clock, random, validation, persist: (changes, revision) => data.write(objectBatch(changes, revision)) });
    this.load(loaded.rows, loaded.revision);
    this.#files = { deletionDelayMs: 30_000, scanIntervalMs: 5000, debounceMs: 100, ...options };
    this.#scanner = new Scanner(options);
    this.#trigger = new Trigger(clock);
    this.#marked = loaded.folders;
  }

  /** What is wrong with the files now, in the order of places. */
  problems(): readonly Problem[] {
    return this.#problems;
  }

  /** Objects whose document is gone, whose deletion has not begun. */
  missing(): readonly Missing[] {
    return [...this.#missing].flatMap(([text, { since, provenSince }]) => {
      const row = this.row(text);
      if (!row) return [];
      const place = this.#places.get(text);
      const at = provenSince === undefined || isProtected(row) ? undefined : provenSince + this.#files.deletionDelayMs;
      return [
        {
          key: keyOf(row.object),
          since: new Date(since),
          ...(place && { place }),
          ...(at !== undefined && { deletionAt: new Date(at) }),
        },
      ];
    });
  }

  /** A file as it was taken up last. */
  file(path: string): FileReport | undefined {
    return this.#scan.files.find(({ file }) => file === path);
  }

  /** The folders that are read, by their full paths. */
  get folders(): readonly string[] {
    return this.#files.folders;
  }

  /** Where an object's document is. */
  place(key: Key): Place | undefined {
    return this.#places.get(keyText(key));
  }

  /** All places that declare an object; more than one is a fault of the files. */
  declarations(key: Key): readonly Place[] {
    const text = keyText(key);
    const all = this.#scan.files.flatMap(({ content }) => content.objects);
    return all.flatMap((one) => (keyText(one.key) === text ? [one.place] : []));
  }

  /** Sets an annotation, or removes it (null). Rejects if the object is not there or a file declares the annotation. */
  setAnnotation(key: Key, name: string, value: string | null): Promise<Resource> {
    const gone = `${keyText(key)} does not exist`;
    // Not before its turn: the sweep before it may take up a file that declares the annotation.
    const admit = ({ declared }: Row): void => {
      if (!Object.hasOwn(declared, name)) return;
      const place = this.place(key);
      throw new Error(`${name} of ${keyText(key)} is set by ${place ? placeText(place) : "its file"}: change it there`);
    };
    return this.annotate(key, name, value, admit).catch((error: unknown) => {
      throw error instanceof ConflictError ? new Error(gone, { cause: error }) : error;
    });
  }

  /** Values of a Secret, read from its file now; undefined if no file has it. Rejects, naming the place, if the file is not in order. */
  async secret(namespace: string, name: string): Promise<Readonly<Record<string, Uint8Array>> | undefined> {
    const same = (secret: { namespace: string; name: string }): boolean =>
      secret.namespace === namespace && secret.name === name;
    const found = this.#scan.files.flatMap(({ content }) => content.secrets.filter(same));
    const [first, second] = found;
    if (!first) return undefined;
    if (second)
      throw new Error(
        `Secret ${namespace}/${name} is declared at ${found.map(({ place }) => placeText(place)).join(" and ")}: keep one`,
      );
    const content = await this.#scanner.read(first.place.file);
    const [problem] = content?.problems ?? [];
    if (problem) throw new Error(`Secret ${namespace}/${name} is not read: ${problemText(problem)}`);
    return content?.secrets.find(same)?.values;
  }

  /** Called whenever a file with a Secret is another one than before. */
  onSecrets(callback: () => void): void {
    this.#onSecrets.push(callback);
  }

  /** Reads the folders and takes up what changed. Several calls at once are done one after the other. */
  sweep(): Promise<void> {
    const done = this.#sweeping.then(() => this.#sweepOnce());
    this.#sweeping = done.catch(() => undefined);
    return done;
  }

  /** Watches the folders until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { fs, folders, log, debounceMs } = this.#files;
    const watcher = fs.watch(folders, () => this.#trigger.pull());
    while (!signal.aborted) {
      const pulled = await this.#trigger.wait(this.#interval(), signal);
      if (pulled) await this.#trigger.calm(debounceMs, signal);
      if (signal.aborted) break;
      await this.sweep().catch((error: unknown) =>
        log.error({ err: error }, "the files could not be taken up; tried again"),
      );
    }
    await watcher.close();
  }

  override async putMetadata(next: Resource): Promise<Resource> {
    const written = await super.putMetadata(next);
    const key = keyText(keyOf(next));
    if (this.row(key)) return written;
    this.#buried.add(next.metadata.uid);
    // Its document may be back: then it makes a new object.
    this.#trigger.pull();
    return written;
  }

  #interval(): number {
    const { scanIntervalMs, debounceMs, deletionDelayMs, clock } = this.#files;
    if (!this.#scan.steady) return debounceMs;
    const due = nextDue(this.#missing, clock.now().getTime(), deletionDelayMs);
    return due === undefined ? scanIntervalMs : Math.min(scanIntervalMs, Math.max(due, debounceMs));
  }

  async #sweepOnce(): Promise<void> {
    const scan = await this.#scanner.scan();
    await this.exclusive(async () => {
      if (this.#isSettled(scan)) return;
      const { clock, deletionDelayMs, validation } = this.#files;
      const out = sweep({
        scan,
        rows: new Map(this.rows()),
        missing: this.#missing,
        marked: this.#marked,
        places: this.#places,
        now: clock.now(),
        delayMs: deletionDelayMs,
        validation,
        birth: (key) => this.#birth(key),
      });
      // Marks first: a folder that is not known to have been full would not be missed.
      await this.#mark(out.marked);
      await this.commit(out.changes);
      this.#remember(scan, out);
      this.#sweptBatches = this.counters.batches;
    });
  }

  /** Whether another sweep could only find what the last one found: the same files, the same objects, nothing that waits for its time. */
  #isSettled(scan: ScanReport): boolean {
    const quiet = this.#missing.size === 0 && this.#problems.length === 0;
    return quiet && this.#sweptBatches === this.counters.batches && isSameScan(this.#scan, scan);
  }

  #remember(scan: ScanReport, out: SweepOutput): void {
    const changed = secretDigests(this.#scan) !== secretDigests(scan);
    this.#scan = scan;
    this.#missing = new Map([...out.missing].filter(([key]) => !out.changes.has(key)));
    this.#places = new Map([...out.places].filter(([key]) => this.row(key) !== undefined));
    this.#logNew(out.problems);
    this.#problems = out.problems;
    if (changed) for (const tell of this.#onSecrets) tell();
  }

  #logNew(problems: readonly Problem[]): void {
    const known = new Set(this.#problems.map(problemText));
    for (const problem of problems) {
      const text = problemText(problem);
      if (!known.has(text)) this.#files.log.warn({ file: problem.file, line: problem.line, key: problem.key }, text);
    }
  }

  async #mark(marked: ReadonlySet<string>): Promise<void> {
    const batch = folderBatch(this.#marked, marked);
    if (batch.size > 0) await this.#files.data.write(batch);
    this.#marked = marked;
  }

  #birth(text: string): Birth {
    const { adoptUid, random, clock } = this.#files;
    const [kind = "", namespace = "", name = ""] = text.split("/");
    const stamped = adoptUid?.({ kind, namespace, name });
    const uid = stamped === undefined || this.#buried.has(stamped) ? random.uuid() : stamped;
    return { uid, now: clock.now() };
  }
}

/** A scanner gives the same report of a file again as long as that is as it was. */
/** Equal while all files with Secrets are. */
const secretDigests = ({ files }: ScanReport): string =>
  files
    .filter(({ content }) => content.secrets.length > 0)
    .map(({ file, digest }) => `${file} ${digest ?? ""}`)
    .sort()
    .join("\n");

const isSameScan = (before: ScanReport, now: ScanReport): boolean =>
  before.steady &&
  now.steady &&
  before.files.length === now.files.length &&
  before.files.every((file, index) => file === now.files[index]) &&
  before.folders.length === now.folders.length &&
  [...before.folders, ...now.folders].every(({ problems }) => problems.length === 0);
