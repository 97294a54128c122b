import { constants } from "node:fs";
import { access, lstat, mkdir, open, readdir, readFile, realpath, rename, rm, stat, unlink } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { errorCode } from "../filesystem.ts";
import { digestOf } from "../scan.ts";
import { EditRefusal } from "./refusal.ts";

/** A file as it was read to be changed. */
export interface OpenedFile {
  /** As people know it. */
  readonly path: string;
  /** Without symbolic links. */
  readonly real: string;
  readonly bytes: Uint8Array;
  readonly digest: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Writes files beneath the folders that it is given, and nowhere else; whole or not at all. */
export class ManifestWriter {
  readonly #folders: readonly string[];
  readonly #unique: () => string;

  constructor(folders: readonly string[], unique: () => string) {
    this.#folders = folders;
    this.#unique = unique;
  }

  /** Rejects with a refusal where it could not be written back. */
  async open(path: string): Promise<OpenedFile> {
    try {
      const real = await realpath(path);
      await this.#within(path, real);
      const { mode, uid, gid } = await stat(real);
      // The administrator may write what is marked read-only: the mark is a wish all the same.
      if ((mode & 0o222) === 0) throw new EditRefusal("readOnly", { file: path }, "the file is read-only");
      await access(real, constants.R_OK | constants.W_OK);
      await access(dirname(real), constants.W_OK);
      const bytes = await readFile(real);
      return { path, real, bytes, digest: digestOf(bytes), mode: mode & 0o7777, uid, gid };
    } catch (error) {
      throw refusalOf(path, error);
    }
  }

  /** Puts the text in the place of what was read; refuses if the file is another by now. Mode and owner stay. */
  async replace(opened: OpenedFile, bytes: Uint8Array): Promise<void> {
    const { path, real, mode, uid, gid } = opened;
    const temporary = this.#temporary(real);
    try {
      const handle = await open(temporary, "wx", mode);
      try {
        await handle.chmod(mode);
        const made = await handle.stat();
        if (made.uid !== uid || made.gid !== gid) await handle.chown(uid, gid);
        await handle.writeFile(bytes);
        await handle.sync();
        await tidy(dirname(real), (await handle.stat()).mtimeMs);
      } finally {
        await handle.close();
      }
      await this.#unchanged(opened);
      await rename(temporary, real);
      await syncFolder(dirname(real));
    } catch (error) {
      await rm(temporary, { force: true });
      throw refusalOf(path, error);
    }
  }

  /** Makes a file that must not be there yet, and the folders on the way to it. */
  async create(path: string, bytes: Uint8Array): Promise<void> {
    const folder = dirname(path);
    const temporary = this.#temporary(path);
    try {
      const beneath = this.#folders.find((root) => folder === root || folder.startsWith(`${root}${sep}`));
      if (beneath === undefined) throw new EditRefusal("readOnly", { file: path }, "lies in none of the folders");
      // A folder that is not there is a volume that is not mounted: nothing is put in its place.
      await stat(beneath);
      await mkdir(folder, { recursive: true });
      await this.#within(path, await realpath(folder));
      const handle = await open(temporary, "wx", 0o644);
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await this.#absent(path);
      await rename(temporary, path);
      await syncFolder(folder);
    } catch (error) {
      await rm(temporary, { force: true });
      throw refusalOf(path, error);
    }
  }

  async remove(opened: OpenedFile): Promise<void> {
    try {
      await this.#unchanged(opened);
      // Of a link, both: the name that is read, and what it leads to within the folders.
      const isLink = (await lstat(opened.path)).isSymbolicLink();
      await unlink(opened.real);
      if (isLink) await rm(opened.path, { force: true });
      await syncFolder(dirname(opened.real));
    } catch (error) {
      throw refusalOf(opened.path, error);
    }
  }

  /** Hidden: the scanner does not read it. */
  #temporary(path: string): string {
    // A name may have 255 bytes: one that is nearly as long leaves no room for the rest.
    return join(dirname(path), `.${basename(path).slice(0, 100)}.${this.#unique()}.tmp`);
  }

  async #within(path: string, real: string): Promise<void> {
    for (const folder of this.#folders) {
      const root = await realpath(folder).catch(() => folder);
      if (real === root || real.startsWith(`${root}${sep}`)) return;
    }
    throw new EditRefusal("readOnly", { file: path }, `is a link to ${real}, outside of the folders`);
  }

  async #unchanged({ path, real, digest }: OpenedFile): Promise<void> {
    if (digestOf(await readFile(real)) !== digest)
      throw new EditRefusal("changed", { file: path }, "the file was changed meanwhile; look at it and try again");
  }

  async #absent(path: string): Promise<void> {
    const there = await stat(path).then(
      () => true,
      () => false,
    );
    if (there) throw new EditRefusal("changed", { file: path }, "the file was made meanwhile; try again");
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: "may not be written (permission denied)",
  EPERM: "may not be written so that its owner stays the same",
  EROFS: "lies on a read-only file system",
  ENOSPC: "cannot be written: no space is left",
  ENOENT: "is not there any more",
};

const refusalOf = (path: string, error: unknown): unknown => {
  const code = errorCode(error);
  if (error instanceof EditRefusal || code === "") return error;
  const why = reasons[code] ?? `cannot be written (${code})`;
  return new EditRefusal(code === "ENOENT" ? "changed" : "readOnly", { file: path }, why);
};

/** Names that only this writer gives: of a ULID's form. */
const isTemporary = (name: string): boolean => /^\..+\.[0-9A-HJKMNP-TV-Z]{26}\.tmp$/.test(name);

/** Older than any write under way, by the time of the file that is being written. */
const leftAfterMs = 3_600_000;

/** What a process that was killed left half-written, perhaps with a Secret in it: it would lie there for good. */
const tidy = async (folder: string, now: number): Promise<void> => {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter(isTemporary)) {
    const path = join(folder, name);
    const found = await lstat(path).catch(() => undefined);
    if (found?.isFile() && now - found.mtimeMs > leftAfterMs) await rm(path, { force: true }).catch(() => undefined);
  }
};

/** A rename is kept through a power cut once the folder is on the disk; some systems open no folders. */
const syncFolder = async (folder: string): Promise<void> => {
  try {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // What was renamed is there; only its durability was asked for.
  }
};
