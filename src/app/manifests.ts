import { apiVersion } from "../api/kinds.ts";
import { keyText, type Resource } from "../api/resource.ts";
import type { ReadManifests } from "../cli/context.ts";
import { ControlError, type FileProblem } from "../server/control.ts";
import { circular } from "../stores/files/circles.ts";
import { oversized } from "../stores/files/guestSizes.ts";
import { readContent } from "../stores/files/content.ts";
import { errorCode, nodeFileSystem } from "../stores/files/filesystem.ts";
import type { FileContent, ObjectDocument } from "../stores/files/part.ts";
import { Scanner } from "../stores/files/scan.ts";
import { modelValidation } from "./validation.ts";

interface Read {
  readonly content: FileContent;
  readonly folder: boolean;
  readonly files: number;
}

/** Reads files, folders and (for `-`) STDIN as the file store would, and tells what is wrong with them. */
export const readManifests = async (
  paths: readonly string[],
  readInput: () => Promise<string>,
): Promise<ReadManifests> => {
  const read: Read[] = [];
  for (const path of paths) read.push(await readPath(path, readInput));
  const all = read.flatMap(({ content }) => content.objects);
  const byKey = Map.groupBy(all, ({ key }) => keyText(key));
  const secrets = read.flatMap(({ content }) => content.secrets);
  const refused = new Map<string, readonly FileProblem[]>([...oversized(byKey, secrets), ...circular(byKey)]);
  const problems = [
    ...read.flatMap(({ content }) => content.problems as FileProblem[]),
    ...doubles(byKey),
    ...[...refused.values()].flat(),
  ];
  const documents = all.flatMap(({ key, manifest, place }) =>
    manifest && !refused.has(keyText(key)) ? [{ object: resourceOf(manifest), place }] : [],
  );
  return {
    documents,
    problems,
    secrets: secrets.map(({ namespace, name }) => ({ namespace, name })),
    files: read.reduce((sum, { files }) => sum + files, 0),
    folder: read.some(({ folder }) => folder),
  };
};

const readPath = async (path: string, readInput: () => Promise<string>): Promise<Read> => {
  if (path === "-") {
    const bytes = new TextEncoder().encode(await readInput());
    // Input has no mode: Secrets in it lie in no file that others could read.
    const stat = { type: "file", size: bytes.length, modified: 0, inode: 0 } as const;
    return { content: readContent("-", bytes, stat, modelValidation), folder: false, files: 1 };
  }
  try {
    const stat = await nodeFileSystem.stat(path);
    if (stat.type === "folder") return await readFolder(path);
    const content = readContent(path, await nodeFileSystem.read(path), stat, modelValidation);
    return { content, folder: false, files: 1 };
  } catch (error) {
    if (errorCode(error) === "") throw error;
    throw new ControlError("Invalid", `${path} cannot be read (${errorCode(error)})`);
  }
};

const readFolder = async (path: string): Promise<Read> => {
  const scanner = new Scanner({ fs: nodeFileSystem, validation: modelValidation, folders: [path] });
  const { folders, files } = await scanner.scan();
  return {
    content: {
      objects: files.flatMap(({ content }) => content.objects),
      secrets: files.flatMap(({ content }) => content.secrets),
      problems: [...folders.flatMap((one) => one.problems), ...files.flatMap(({ content }) => content.problems)],
    },
    folder: true,
    files: files.length,
  };
};

/** Two documents of one object: an error that names both places. */
const doubles = (byKey: ReadonlyMap<string, readonly ObjectDocument[]>): FileProblem[] =>
  [...byKey].flatMap(([key, same]) =>
    same.length < 2
      ? []
      : same.map(({ place }) => {
          const others = same.filter((one) => one.place !== place).map((one) => `${one.place.file}:${one.place.line}`);
          return { ...place, message: `${key} is declared here and at ${others.join(", ")}: keep one` };
        }),
  );

/** A document as an object, with nothing of what a store gives. */
const resourceOf = ({ key, labels, annotations, spec }: NonNullable<ObjectDocument["manifest"]>): Resource => ({
  apiVersion,
  kind: key.kind,
  metadata: {
    name: key.name,
    ...(key.namespace === "" ? {} : { namespace: key.namespace }),
    uid: "",
    generation: 0,
    resourceVersion: "",
    creationTimestamp: "",
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
  },
  spec,
});
