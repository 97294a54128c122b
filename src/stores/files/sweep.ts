import { keyText } from "../../api/resource.ts";
import { checkedUpdate } from "../admission.ts";
import {
  bornOfManifest,
  deletionAsked,
  declaredByDocument,
  deletionCancelled,
  isFinished,
  isHeld,
  isProtected,
  emptiedBatch,
  isConfirmed,
  withoutConfirmation,
} from "../rows.ts";
import type { Birth, Manifest, Row } from "../rows.ts";
import type { Validation } from "../validation.ts";
import { brake } from "./brakes.ts";
import { circular } from "./circles.ts";
import { oversized } from "./guestSizes.ts";
import type { MissingState } from "./brakes.ts";
import type { ObjectDocument } from "./part.ts";
import { placeText } from "./place.ts";
import type { Place, Problem } from "./place.ts";
import type { FolderReport, ScanReport } from "./scan.ts";

export interface SweepInput {
  readonly scan: ScanReport;
  readonly rows: ReadonlyMap<string, Row>;
  readonly missing: MissingState;
  /** Folders that had documents when they were last seen; an empty one of them deletes nothing. */
  readonly marked: ReadonlySet<string>;
  /** Where documents were seen last, by key. */
  readonly places: ReadonlyMap<string, Place>;
  readonly now: Date;
  readonly delayMs: number;
  readonly validation: Validation;
  birth(key: string): Birth;
}

export interface SweepOutput {
  /** Rows to write; undefined removes. */
  readonly changes: ReadonlyMap<string, Row | undefined>;
  readonly problems: readonly Problem[];
  readonly missing: MissingState;
  readonly marked: ReadonlySet<string>;
  readonly places: ReadonlyMap<string, Place>;
}

type Documents = ReadonlyMap<string, readonly ObjectDocument[]>;

/** What a scan means for the objects: pure, all of file mode's rules on documents in one place. */
export const sweep = (input: SweepInput): SweepOutput => {
  const documents = byKey(input.scan);
  const secrets = input.scan.files.flatMap(({ content }) => content.secrets);
  const refused = new Map([...oversized(documents, secrets), ...circular(documents)]);
  const problems: Problem[] = [
    ...input.scan.folders.flatMap((folder) => folder.problems),
    ...input.scan.files.flatMap((file) => file.content.problems),
    ...secretProblems(input.scan),
  ];
  const proven = input.scan.steady && problems.length === 0;
  const changes = new Map<string, Row | undefined>();
  for (const [key, found] of documents) {
    const why: readonly Problem[] | undefined = refused.get(key);
    const outcome: Taken = why ? { problems: why } : taken(key, found, input);
    problems.push(...outcome.problems);
    if (outcome.row) changes.set(key, outcome.row);
  }
  const missing = missingKeys(input, documents);
  const marked = nextMarks(input, missing);
  const suspicious = suspiciousFolders(input.scan.folders, marked);
  problems.push(...suspicious.map(emptied));
  const proves = (key: string): boolean => proven && (suspicious.length === 0 || isConfirmed(input.rows.get(key)));
  const { state, due } = brake({
    before: input.missing,
    missing,
    proves,
    now: input.now.getTime(),
    delayMs: input.delayMs,
  });
  for (const key of missing) {
    const row = input.rows.get(key);
    if (!row) continue;
    if (isProtected(row)) problems.push(protectedProblem(key, input));
    else if (due.includes(key)) changes.set(key, deleted(row, input.now));
  }
  return { changes, problems, missing: state, marked, places: new Map([...input.places, ...placesOf(documents)]) };
};

const byKey = ({ files }: ScanReport): Documents => {
  const found = new Map<string, ObjectDocument[]>();
  for (const document of files.flatMap((file) => fileDocuments(file.content))) {
    const key = keyText(document.key);
    const same = found.get(key);
    if (same) same.push(document);
    else found.set(key, [document]);
  }
  return found;
};

/** A file with a problem changes nothing: its documents count as there, but not by what they say. */
const fileDocuments = ({
  objects,
  problems,
}: {
  objects: readonly ObjectDocument[];
  problems: readonly Problem[];
}): ObjectDocument[] =>
  problems.length === 0 ? [...objects] : objects.map(({ manifest: _, ...document }) => document);

interface Taken {
  readonly row?: Row;
  readonly problems: readonly Problem[];
}

const untouched: Taken = { problems: [] };

/** What the documents of one key mean for its object. */
const taken = (key: string, documents: readonly ObjectDocument[], input: SweepInput): Taken => {
  const [document, second] = documents;
  if (!document) return untouched;
  if (second)
    return {
      problems: twice(
        key,
        documents.map(({ place }) => place),
      ),
    };
  const row = input.rows.get(key);
  if (row && isMade(row)) return { problems: [madeByController(key, row, document.place, input)] };
  const { manifest } = document;
  if (!manifest) return untouched;
  if (!row) return { row: bornOfManifest(manifest, input.birth(key)), problems: [] };
  // A deletion that is held has destroyed nothing yet: the document that is back ends it.
  if (isHeld(row)) return updated(deletionCancelled(row), document, manifest, input);
  // Else the old object is finished first, then the document makes a new one.
  return row.object.metadata.deletionTimestamp === undefined ? updated(row, document, manifest, input) : untouched;
};

const updated = (row: Row, document: ObjectDocument, manifest: Manifest, input: SweepInput): Taken => {
  const checked = checkedUpdate(input.validation, row, manifest);
  if (!checked.ok) return { problems: document.problems(checked.errors) };
  const next = withoutConfirmation(declaredByDocument(checked.value));
  return next === input.rows.get(keyText(document.key)) ? untouched : { row: next, problems: [] };
};

const twice = (key: string, places: readonly Place[]): Problem[] =>
  places.map((place) => {
    const others = places.filter((other) => other !== place).map(placeText);
    return {
      ...place,
      key,
      message: `${key} is declared here and at ${others.join(", ")}; none of them is applied: keep one`,
    };
  });

/** An object that a controller made and works; one that was let go of is taken over by its document. */
const isMade = ({ origin, object }: Row): boolean =>
  origin === "controller" && object.metadata.ownerReferences?.some(({ controller }) => controller === true) === true;

const madeByController = (key: string, { object }: Row, place: Place, { places }: SweepInput): Problem => {
  const owner = object.metadata.ownerReferences?.find(({ controller }) => controller === true);
  const maker = owner ? `${owner.kind} ${owner.name}` : "a controller";
  const namespace = object.metadata.namespace ?? "";
  const there = owner && places.get(keyText({ kind: owner.kind, namespace, name: owner.name }));
  const where = there ? ` (${placeText(there)})` : "";
  return {
    ...place,
    key,
    message: `${key} exists already, made by ${maker}${where}: change it there, or rename this document`,
  };
};

const secretProblems = ({ files }: ScanReport): Problem[] => {
  const places = new Map<string, Place[]>();
  for (const { namespace, name, place } of files.flatMap(({ content }) => content.secrets)) {
    const key = keyText({ kind: "Secret", namespace, name });
    places.set(key, [...(places.get(key) ?? []), place]);
  }
  return [...places].flatMap(([key, found]) => (found.length > 1 ? twice(key, found) : []));
};

const protectedProblem = (key: string, { places, scan }: SweepInput): Problem => {
  const place = places.get(key) ?? { file: scan.folders[0]?.folder ?? "", line: 1, column: 1 };
  const message =
    `${key}: its document was removed, but spec.deletionProtection is true: the object stays; put the document back, ` +
    "or put it back with deletionProtection: false and remove it then";
  return { ...place, key, message };
};

const deleted = (row: Row, now: Date): Row | undefined => {
  const next = deletionAsked(row, now);
  return isFinished(next) ? undefined : next;
};

/** Objects of documents that no file declares now, not even a broken one. */
const missingKeys = ({ rows, scan }: SweepInput, documents: Documents): string[] => {
  const held = new Set(scan.files.flatMap(({ content, lastKeys }) => (content.problems.length > 0 ? lastKeys : [])));
  return [...rows].flatMap(([key, row]) => {
    const present = documents.has(key) || held.has(key);
    return row.origin === "document" && !present && row.object.metadata.deletionTimestamp === undefined ? [key] : [];
  });
};

/** Once nothing is missing, what is empty is so rightly. */
const nextMarks = ({ scan, marked }: SweepInput, missing: readonly string[]): ReadonlySet<string> => {
  const full = scan.folders.filter(({ documents }) => documents > 0).map(({ folder }) => folder);
  const unreadable = scan.folders.some(({ problems }) => problems.length > 0);
  return new Set(missing.length === 0 && !unreadable && scan.steady ? full : [...marked, ...full]);
};

const suspiciousFolders = (folders: readonly FolderReport[], marked: ReadonlySet<string>): string[] => {
  const full = new Set(folders.filter(({ documents }) => documents > 0).map(({ folder }) => folder));
  const unreadable = new Set(folders.filter(({ problems }) => problems.length > 0).map(({ folder }) => folder));
  return [...marked].filter((folder) => !full.has(folder) && !unreadable.has(folder));
};

const emptied = (folder: string): Problem => ({
  file: folder,
  line: 1,
  column: 1,
  message:
    "the folder held documents and now has none (or is no longer watched): nothing is deleted until a document is seen in it " +
    `again, or for an object with: aetherv confirm-delete KIND/NAME --batch ${emptiedBatch}`,
});

const placesOf = (documents: Documents): [string, Place][] =>
  [...documents].flatMap(([key, [document]]) => (document ? [[key, document.place] as [string, Place]] : []));
