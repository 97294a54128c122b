import { join } from "node:path";
import { apiVersion, isKind, kindInfo } from "../../../api/kinds.ts";
import { keyText, type Key, type Resource } from "../../../api/resource.ts";
import { equalJson } from "../../equal.ts";
import type { Row } from "../../rows.ts";
import type { JsonObject } from "../part.ts";
import { placeText, problemText, type Place } from "../place.ts";
import { digestOf } from "../scan.ts";
import type { FileStore } from "../store.ts";
import { decodeText } from "../text.ts";
import { mergedValue } from "./merge.ts";
import { EditRefusal } from "./refusal.ts";
import { appended, documentsOf, removed, replaced, type Found } from "./source.ts";
import { ManifestWriter, type OpenedFile } from "./writer.ts";

/** What somebody wants an object's document to say. */
export interface Wanted {
  readonly labels: Readonly<Record<string, string>>;
  /** Of the document; those that others wrote are not among them. */
  readonly annotations: Readonly<Record<string, string>>;
  /** As its author sent it. */
  readonly sent: unknown;
  /** With its defaults filled in, as the store will have it. */
  readonly spec: unknown;
}

/** Writes the wishes of people back into the files that the store reads. One edit at a time. */
export class ManifestEditor {
  readonly #store: FileStore;
  readonly #writer: ManifestWriter;
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: FileStore, unique: () => string) {
    this.#store = store;
    this.#writer = new ManifestWriter(store.folders, unique);
  }

  /** Runs `work` when all earlier edits are done, on the files as they are. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Where an object's document is in the files now; undefined when it has none. Takes up first what changed unseen. */
  async look(key: Key): Promise<Opened | undefined> {
    const place = this.#store.place(key);
    if (!place) return undefined;
    const first = await this.#open(key, place);
    if (first !== "stale") return first;
    await this.#store.sweep();
    const again = this.#store.place(key);
    const second = again && (await this.#open(key, again));
    if (second === "stale") throw new EditRefusal("changed", place, "the file changes at the moment; try again");
    return second;
  }

  /** Makes a document for an object that has none. Only inside `exclusive`. */
  async create(key: Key, wanted: Wanted): Promise<void> {
    const path = this.#pathFor(key);
    const value = documentFor(key, wanted);
    const there = this.#store.file(path);
    if (!there) {
      const bytes = encoded(appended("", value));
      await this.#writer.create(path, bytes);
      return this.#takenUp(key, wanted, { path, bytes });
    }
    const opened = await this.#openWhole(path);
    return this.#write(opened, appended(decoded(opened), value), { key, wanted });
  }

  /** Only inside `exclusive`, with what `look` found there. */
  async replace({ file, found }: Opened, row: Row, wanted: Wanted): Promise<void> {
    const { key } = found;
    const before = { spec: row.object.spec, labels: row.object.metadata.labels ?? {}, annotations: row.declared };
    const value = mergedDocument(found.value, before, wanted);
    if (equalJson(value, found.value)) return;
    await this.#write(file, replaced(decoded(file), found, value), { key, wanted });
  }

  /** Only inside `exclusive`, with what `look` found there. */
  async remove({ file, found }: Opened): Promise<void> {
    const [first, ...others] = this.#store.declarations(found.key);
    if (first && others.length > 0) {
      const where = others.map(placeText).join(", ");
      throw new EditRefusal("broken", first, `${keyText(found.key)} is declared at ${where} as well: keep one`);
    }
    const rest = removed(decoded(file), found);
    if (rest === undefined) await this.#writer.remove(file);
    else await this.#writer.replace(file, encoded(rest, file));
    await this.#store.sweep();
  }

  #pathFor({ kind, namespace, name }: Key): string {
    const [folder] = this.#store.folders;
    if (folder === undefined) throw new Error("no folder is watched");
    const singular = isKind(kind) ? kindInfo(kind).singular : kind;
    const within = namespace === "" || namespace === "default" ? folder : join(folder, namespace);
    return join(within, `${singular}-${name}.yaml`);
  }

  async #open(key: Key, place: Place): Promise<Opened | "stale" | undefined> {
    const report = this.#store.file(place.file);
    if (!report) return undefined;
    const file = await this.#openWhole(place.file);
    if (file.digest !== report.digest) return "stale";
    const found = documentsOf(decoded(file), place.file).find((one) => keyText(one.key) === keyText(key));
    return found && { file, found };
  }

  /** A file with a problem is not taken up: what would be written into it would change nothing. */
  async #openWhole(path: string): Promise<OpenedFile> {
    const [problem] = this.#store.file(path)?.content.problems ?? [];
    if (problem) {
      const why = `the file is not taken up before this is mended: ${problemText(problem)}`;
      throw new EditRefusal("broken", problem, why);
    }
    const file = await this.#writer.open(path);
    // Bytes that are no text would come back as others.
    if (!decodeText(file.bytes).ok)
      throw new EditRefusal("changed", { file: path }, "the file changes at the moment; try again");
    const maker = generatedBy(decoded(file));
    if (maker !== undefined)
      throw new EditRefusal("byHand", { file: path, line: maker.line }, `is written by a program ("${maker.text}")`);
    return file;
  }

  async #write(
    file: OpenedFile,
    text: string,
    { key, wanted }: { readonly key: Key; readonly wanted: Wanted },
  ): Promise<void> {
    const bytes = encoded(text, file);
    await this.#writer.replace(file, bytes);
    await this.#takenUp(key, wanted, { path: file.path, bytes, before: file.bytes });
  }

  /** What the store does not take up is put back: files never say what cannot be. */
  async #takenUp(key: Key, wanted: Wanted, written: Written): Promise<void> {
    await this.#store.sweep();
    const present = this.#store.cache.get(key);
    if (present && equalJson(present.spec, wanted.spec)) return;
    const problem =
      this.#store.problems().find((one) => one.key === keyText(key)) ??
      this.#store.file(written.path)?.content.problems[0];
    await this.#undo(written);
    const why = problem ? problemText(problem) : "the files were changed by somebody else at the same time; try again";
    throw new EditRefusal(problem ? "unfit" : "changed", problem ?? { file: keyText(key) }, why);
  }

  /** Only what was written here is taken back: what somebody else put in its place since then is theirs. */
  async #undo({ path, bytes, before }: Written): Promise<void> {
    const present = await this.#writer.open(path);
    if (present.digest !== digestOf(bytes))
      throw new EditRefusal("changed", { file: path }, "the file was changed meanwhile; look at it and try again");
    if (before) await this.#writer.replace(present, before);
    else await this.#writer.remove(present);
    await this.#store.sweep();
  }
}

/** The comment by which a program says that it writes the file (and would undo what is changed in it). */
const generatedBy = (text: string): { readonly line: number; readonly text: string } | undefined => {
  const lines = text.split("\n");
  const at = lines.findIndex((line) =>
    /^#.*(\bdo not edit\b|\b(auto-?)?generated by\b|@generated)|^# Source: \S+\/templates\//i.test(line),
  );
  const found = lines[at];
  return found === undefined ? undefined : { line: at + 1, text: found.replace(/^#\s*/, "").trim().slice(0, 100) };
};

/** What an edit put into a file, and what was there; a file that it made had nothing. */
interface Written {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly before?: Uint8Array;
}

/** A file and the document in it that stands for an object. */
export interface Opened {
  readonly file: OpenedFile;
  readonly found: Found;
}

const encoded = (text: string, like?: OpenedFile): Uint8Array => {
  const bytes = new TextEncoder().encode(text);
  return like && hasMark(like.bytes) ? Uint8Array.from([0xef, 0xbb, 0xbf, ...bytes]) : bytes;
};

const hasMark = (bytes: Uint8Array): boolean => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;

/** Without a byte order mark. */
const decoded = ({ bytes }: OpenedFile): string => new TextDecoder("utf-8").decode(bytes);

const metadataOf = (key: Key, { labels, annotations }: Wanted): object => ({
  name: key.name,
  ...(key.namespace === "" || key.namespace === "default" ? {} : { namespace: key.namespace }),
  ...(Object.keys(labels).length > 0 ? { labels } : {}),
  ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
});

const documentFor = (key: Key, wanted: Wanted): Resource["spec"] => ({
  apiVersion,
  kind: key.kind,
  metadata: metadataOf(key, wanted),
  spec: wanted.sent,
});

const mergedDocument = (value: JsonObject, before: Omit<Wanted, "sent">, after: Wanted): object => {
  const metadata = value["metadata"] as JsonObject;
  const part = (name: "labels" | "annotations"): Record<string, unknown> => {
    if (equalJson(before[name], after[name])) return {};
    const edit = { before: before[name], after: after[name], sent: after[name] };
    const merged = mergedValue(metadata[name] ?? {}, edit) as object;
    return { [name]: Object.keys(merged).length > 0 ? merged : undefined };
  };
  const next = { ...metadata, ...part("labels"), ...part("annotations") };
  const present = Object.fromEntries(Object.entries(next).filter(([, member]) => member !== undefined));
  const spec = mergedValue(value["spec"], { before: before.spec, after: after.spec, sent: after.sent });
  return { ...value, metadata: present, spec };
};
