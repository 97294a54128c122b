import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fnv } from "../model/hash.ts";
import { behaviourOf, type BehaviourFile } from "../model/behaviour.ts";
import type { Behaviour } from "../model/faults.ts";
import { seedHost, type HostSeed } from "../model/seed.ts";
import { HostStore } from "../model/state.ts";
import { FolderStorage } from "./folderStorage.ts";
import { seededRandom } from "./random.ts";

/** Opens the state folder of a simulated host (made when missing). */
export const openHost = (folder: string): HostStore => new HostStore(new FolderStorage(folder));

/** A JSON file of the host's folder; undefined when there is none. */
const readJson = (path: string): unknown => {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
};

/**
 * Makes sure the folder holds a host; a new one gets the seed, an existing one is left as it is. Tells whether it is new.
 * What a file seed.json in the folder says (as HostSeed) goes before the seed given.
 */
export const ensureHost = (folder: string, seed: HostSeed): boolean => {
  const store = openHost(folder);
  if (store.read((tx) => tx.get("host:self")) !== undefined) return false;
  const wanted = { ...seed, ...(readJson(join(folder, "seed.json")) as Partial<HostSeed> | undefined) };
  return store.transact((tx) => seedHost(tx, seededRandom(fnv(wanted.name)), wanted));
};

const behaviourPath = (folder: string): string => join(folder, "behaviour.json");

/** What behaviour.json says; {} when there is none. */
export const readBehaviour = (folder: string): BehaviourFile =>
  (readJson(behaviourPath(folder)) ?? {}) as BehaviourFile;

export const writeBehaviour = (folder: string, behaviour: BehaviourFile): void => {
  const next = `${behaviourPath(folder)}.${process.pid}.tmp`;
  writeFileSync(next, `${JSON.stringify(behaviour, undefined, 2)}\n`);
  renameSync(next, behaviourPath(folder));
};

/** behaviour.json, read again when its size, time or inode changed. An unreadable one leaves the last good one in force. */
export const watchedBehaviour = (folder: string, complain: (text: string) => void): (() => Behaviour) => {
  let mark = "";
  let last = behaviourOf({});
  return () => {
    const found = statSync(behaviourPath(folder), { throwIfNoEntry: false });
    const now = found ? `${found.ino}:${found.size}:${found.mtimeMs}` : "none";
    if (now === mark) return last;
    mark = now;
    try {
      last = behaviourOf(readBehaviour(folder));
    } catch (error) {
      complain(error instanceof Error ? error.message : String(error));
    }
    return last;
  };
};
