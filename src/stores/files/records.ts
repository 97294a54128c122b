import { keyOf, keyText } from "../../api/resource.ts";
import type { KeyValue } from "../../engine/ports.ts";
import type { Row } from "../rows.ts";
import type { Changes } from "../table.ts";

// Layout of the data: one entry an object, one for each folder that held documents, and the last resourceVersion.
const objectPrefix = "object/";
const folderPrefix = "folder/";
const revisionKey = "store/revision";
const formatKey = "store/format";

/** Of the layout above. It is raised when an older version of AetherV would misread it. */
const format = 1;

/** The store was written by a later version of AetherV, which this one could misread. */
export class NewerFormatError extends Error {
  override readonly name = "NewerFormatError";
}

/** Marks a new store, and one of before there were marks, with the format. */
export const ensureFormat = async (data: KeyValue): Promise<void> => {
  const marked = await data.get(formatKey);
  if (marked === undefined) await data.write(new Map([[formatKey, String(format)]]));
};

/** Rejects with a NewerFormatError for a store that this version must not touch. */
export const checkFormat = async (data: KeyValue): Promise<void> => {
  const marked = await data.get(formatKey);
  if (marked === undefined || Number(marked) <= format) return;
  throw new NewerFormatError(
    `the store has format ${marked}, this version of AetherV reads formats up to ${format}: it was written by a later version`,
  );
};

export interface Loaded {
  readonly rows: readonly Row[];
  readonly revision: number;
  readonly folders: ReadonlySet<string>;
}

/** Everything of the store that outlives the process. Rejects, naming the entry, if one cannot be read */
export const load = async (data: KeyValue): Promise<Loaded> => {
  const rows: Row[] = [];
  for await (const [key, text] of data.entries(objectPrefix)) rows.push(rowOf(key, text));
  const folders = new Set<string>();
  for await (const [key] of data.entries(folderPrefix)) folders.add(key.slice(folderPrefix.length));
  const newest = Math.max(0, ...rows.map(({ object }) => Number(object.metadata.resourceVersion)));
  return { rows, folders, revision: Math.max(newest, Number((await data.get(revisionKey)) ?? 0)) };
};

/** Annotations are kept by origin; those of the object are made of both again. */
const rowOf = (key: string, text: string): Row => {
  try {
    const row = JSON.parse(text) as Row;
    if (objectPrefix + keyText(keyOf(row.object)) !== key) throw new Error("it holds another object");
    return row;
  } catch (cause) {
    throw new Error(`the data folder's entry ${JSON.stringify(key)} cannot be read; restore the folder from a backup`, {
      cause,
    });
  }
};

/** The batch that makes changes of objects durable. */
export const objectBatch = (changes: Changes, revision: number): Map<string, string | undefined> => {
  const entries = [...changes].map(([key, row]) => [objectPrefix + key, row && JSON.stringify(row)] as const);
  return new Map([...entries, [revisionKey, String(revision)]]);
};

/** The batch that turns one set of marked folders into the other; empty if they are the same. */
export const folderBatch = (before: ReadonlySet<string>, after: ReadonlySet<string>): Map<string, string | undefined> =>
  new Map([
    ...[...before].filter((folder) => !after.has(folder)).map((folder) => [folderPrefix + folder, undefined] as const),
    ...[...after].filter((folder) => !before.has(folder)).map((folder) => [folderPrefix + folder, "1"] as const),
  ]);
