import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ControlError, type Backup } from "../server/control.ts";
import { openLevel } from "../stores/keyvalue/level.ts";
import { writeIdentity } from "./identity.ts";
import { isVacant } from "./offline.ts";
import { dataPaths } from "./paths.ts";

const headFile = "backup.json";
const entriesFile = "store.jsonl";
const signerFile = "signer.json";

/**
 * Writes a backup as files that only their owner may read: backup.json, one line an entry in store.jsonl, and the data folder's
 * signer.json (the key that guests pinned) once it has one.
 */
export const writeBackup = async (folder: string, { entries, ...head }: Backup, data: string): Promise<void> => {
  if (!(await isVacant(folder)))
    throw new ControlError("Conflict", `${folder} is not empty: a backup is never written over something`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
  await writeFile(join(folder, entriesFile), lines, { mode: 0o600 });
  await copySigner(dataPaths(data).signer, join(folder, signerFile));
  // Last: a folder without it is no complete backup.
  await writeFile(join(folder, headFile), `${JSON.stringify({ ...head, entries: entries.length }, null, 2)}\n`, {
    mode: 0o600,
  });
};

/** Reads a backup and makes a new data folder of it. */
export const restoreBackup = async (folder: string, data: string): Promise<Backup> => {
  const backup = await readBackup(folder);
  if (!(await isVacant(data)))
    throw new ControlError("Conflict", `the data folder ${data} is not empty`, "name a new one with --data");
  await mkdir(data, { recursive: true, mode: 0o700 });
  const store = await openLevel(dataPaths(data).store);
  try {
    await store.write(new Map(backup.entries));
  } finally {
    await store.close();
  }
  await copySigner(join(folder, signerFile), dataPaths(data).signer);
  await writeIdentity(data, backup.controlPlaneId);
  return backup;
};

/** There is none before the first guest with a configuration. */
const copySigner = async (from: string, to: string): Promise<void> => {
  try {
    await copyFile(from, to);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ENOENT") throw error;
    return;
  }
  await chmod(to, 0o600);
};

const readBackup = async (folder: string): Promise<Backup> => {
  const head = await parsed<Omit<Backup, "entries"> & { readonly entries: number }>(folder, headFile, JSON.parse);
  if (head.format !== "aetherv-backup/v1")
    throw new ControlError("Invalid", `${folder} holds a backup of another format: ${JSON.stringify(head.format)}`);
  const entries = await parsed(folder, entriesFile, (text) =>
    text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as readonly [string, string]),
  );
  if (entries.length !== head.entries)
    throw new ControlError(
      "Invalid",
      `${join(folder, entriesFile)} is cut: ${entries.length} of ${head.entries} entries`,
    );
  return { ...head, entries };
};

const parsed = async <T>(folder: string, name: string, parse: (text: string) => T): Promise<T> => {
  const path = join(folder, name);
  try {
    return parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new ControlError(
      "Invalid",
      `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
};
