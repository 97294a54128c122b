import { createHash } from "node:crypto";
import { keyText } from "../../api/resource.ts";
import type { Validation } from "../validation.ts";
import { maxFileBytes, readContent, unreadable } from "./content.ts";
import { errorCode } from "./filesystem.ts";
import type { FileStat, FileSystem } from "./filesystem.ts";
import type { FileContent } from "./part.ts";
import type { Problem } from "./place.ts";

/** A folder as the last scan found it. */
export interface FolderReport {
  readonly folder: string;
  /** Set when it, or a folder within it, could not be read. */
  readonly problems: readonly Problem[];
  /** Documents beneath it; a file with a problem counts as one at least, whatever it holds. */
  readonly documents: number;
}

export interface FileReport {
  readonly file: string;
  readonly content: FileContent;
  /** Keys that the file declared when it was last without a problem; what a broken file still stands for. */
  readonly lastKeys: readonly string[];
  /** Of the bytes that this is from; absent when they could not be read. */
  readonly digest?: string | undefined;
}

export interface ScanReport {
  readonly folders: readonly FolderReport[];
  readonly files: readonly FileReport[];
  /** False when a file changed or went while it was read: the scan proves no absence. */
  readonly steady: boolean;
}

interface Known extends FileReport {
  readonly signature: string;
}

interface Listing {
  readonly files: Map<string, FileStat>;
  readonly problems: Problem[];
  steady: boolean;
}

const isManifest = (name: string): boolean => /\.(ya?ml|json)$/i.test(name);

const signatureOf = ({ size, modified, inode, mode }: FileStat): string => `${size} ${modified} ${inode} ${mode ?? ""}`;

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EACCES: "may not be read (permission denied)",
  EPERM: "may not be read (operation not permitted)",
  ENOTDIR: "is no folder",
  ELOOP: "is a symbolic link to itself",
};

const reasonOf = (error: unknown): string =>
  reasons[errorCode(error)] ?? `cannot be read (${errorCode(error) || "error"})`;

const problemAt = (file: string, message: string): Problem => ({ file, line: 1, column: 1, message });

const documentsIn = ({ objects, secrets, problems }: FileContent): number =>
  Math.max(objects.length + secrets.length, problems.length > 0 ? 1 : 0);

/** What reading a file gave. moving: it changed or went meanwhile. cut: valid, but perhaps not all of it. */
type Reading =
  | { readonly at: "moving" }
  | { readonly at: "whole" | "cut" | "failed"; readonly content: FileContent; readonly digest?: string };

export const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** `count: 16` is valid as `count: 1`, too: only an end of line, or a closing bracket, says that a file is whole. */
const mayBeCut = (bytes: Uint8Array): boolean => {
  const last = bytes.at(-1);
  return last !== undefined && !wholeEnds.has(last);
};

const wholeEnds: ReadonlySet<number> = new Set(new TextEncoder().encode("\r\n]}"));

/** Reads folders of manifests again and again; parses only files that changed. */
export class Scanner {
  readonly #fs: FileSystem;
  readonly #validation: Validation;
  readonly #folders: readonly string[];
  #known = new Map<string, Known>();
  readonly #waiting = new Map<string, { readonly signature: string; readonly scans: number }>();
  #scans = 0;
  /** Files parsed so far. */
  parsed = 0;

  constructor(options: { fs: FileSystem; validation: Validation; folders: readonly string[] }) {
    this.#fs = options.fs;
    this.#validation = options.validation;
    this.#folders = options.folders;
  }

  async scan(): Promise<ScanReport> {
    const known = new Map<string, Known>();
    const folders: FolderReport[] = [];
    let steady = true;
    for (const folder of this.#folders) {
      const listing: Listing = { files: new Map(), problems: [], steady: true };
      await this.#walk(folder, listing, []);
      const reports: Known[] = [];
      for (const [file, stat] of listing.files) {
        const report = await this.#file(file, stat, listing);
        // A file may be reached through two folders; it is one file.
        if (report && !known.has(file)) known.set(file, report);
        if (report) reports.push(report);
      }
      steady &&= listing.steady;
      const documents = reports.reduce((sum, { content }) => sum + documentsIn(content), 0);
      folders.push({ folder, problems: listing.problems, documents });
    }
    this.#known = known;
    this.#scans += 1;
    return { folders, files: [...known.values()], steady };
  }

  /** The content of one file as it is now; undefined if it is gone. */
  async read(file: string): Promise<FileContent | undefined> {
    try {
      const stat = await this.#fs.stat(file);
      return readContent(file, await this.#fs.read(file), stat, this.#validation);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      return unreadable(file, reasonOf(error));
    }
  }

  /** `above`: real paths of the folders on the way, against links in a circle. */
  async #walk(folder: string, listing: Listing, above: readonly string[]): Promise<void> {
    try {
      const real = await this.#fs.real(folder);
      if (above.includes(real)) return;
      const names = await this.#fs.list(folder);
      for (const name of [...names].sort()) {
        if (!name.startsWith(".")) await this.#entry({ folder, name }, listing, [...above, real]);
      }
    } catch (error) {
      listing.problems.push(
        problemAt(folder, `the folder ${reasonOf(error)}; nothing is deleted until it can be read`),
      );
    }
  }

  async #entry(entry: { folder: string; name: string }, listing: Listing, above: readonly string[]): Promise<void> {
    const path = `${entry.folder}/${entry.name}`;
    try {
      const stat = await this.#fs.stat(path);
      if (stat.type === "folder") await this.#walk(path, listing, above);
      else if (stat.type === "file" && isManifest(path)) listing.files.set(path, stat);
    } catch (error) {
      if (await this.#went(entry, error)) listing.steady = false;
      else listing.problems.push(problemAt(path, `${reasonOf(error)}; nothing is deleted until it can be read`));
    }
  }

  /** True if the name is no longer in its folder; false for a link that leads nowhere. */
  async #went({ folder, name }: { folder: string; name: string }, error: unknown): Promise<boolean> {
    return errorCode(error) === "ENOENT" && !(await this.#fs.list(folder)).includes(name);
  }

  async #file(file: string, stat: FileStat, listing: Listing): Promise<Known | undefined> {
    const signature = signatureOf(stat);
    const before = this.#known.get(file);
    if (before?.signature === signature) return before;
    const reading = await this.#read(file, stat);
    if (reading.at === "moving" || (reading.at === "cut" && this.#waits(file, signature))) {
      // Still being written: what it said before holds, and this scan proves nothing.
      listing.steady = false;
      return before;
    }
    this.parsed += 1;
    const { content } = reading;
    const keys = content.objects.map(({ key }) => keyText(key));
    const lastKeys = content.problems.length === 0 ? keys : (before?.lastKeys ?? []);
    const secrets = content.secrets.map(({ values: _, ...secret }) => secret);
    // An error of reading may pass without a trace in the signature.
    const kept = reading.at === "failed" ? "" : signature;
    return { file, signature: kept, content: { ...content, secrets }, lastKeys, digest: reading.digest };
  }

  /** A file that may be cut is waited for until it was the same for ten scans; not at the first scan, which finds it at rest. */
  #waits(file: string, signature: string): boolean {
    const waiting = this.#waiting.get(file);
    const scans = waiting?.signature === signature ? waiting.scans + 1 : 1;
    this.#waiting.set(file, { signature, scans });
    if (this.#scans > 0 && scans < 10) return true;
    this.#waiting.delete(file);
    return false;
  }

  async #read(file: string, stat: FileStat): Promise<Reading> {
    if (stat.size > maxFileBytes)
      return { at: "whole", content: unreadable(file, `is ${stat.size} bytes; at most ${maxFileBytes} are read`) };
    try {
      const bytes = await this.#fs.read(file);
      if (signatureOf(await this.#fs.stat(file)) !== signatureOf(stat)) return { at: "moving" };
      const content = readContent(file, bytes, stat, this.#validation);
      const at = content.problems.length === 0 && mayBeCut(bytes) ? "cut" : "whole";
      return { at, content, digest: digestOf(bytes) };
    } catch (error) {
      if (errorCode(error) === "ENOENT") return { at: "moving" };
      return { at: "failed", content: unreadable(file, reasonOf(error)) };
    }
  }
}
