import { parseAllDocuments } from "yaml";
import type { Document, Tags } from "yaml";
import { valueOf } from "./nodes.ts";
import type { Found } from "./nodes.ts";
import { excess } from "./limits.ts";
import { parentPath } from "./place.ts";
import { positionsIn } from "./text.ts";
import type { Position } from "./text.ts";

/** An error in YAML; `detail` quotes the file, which must not be shown when it may hold a Secret. */
export interface SyntaxProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly detail?: string;
}

/** Place of a field; for one that is not there, of the nearest around it; "" is the document. It holds no more of the text than places. */
export type Locate = (path: string) => Position;

/** A document of a file: its JSON value and where its fields are. */
export interface YamlDocument {
  readonly value: unknown;
  readonly position: Locate;
}

export interface Parsed {
  readonly documents: readonly YamlDocument[];
  readonly problems: readonly SyntaxProblem[];
}

// Types of YAML 1.1 that kubectl's reader does not have, or that no field of ours could take.
const unwanted = /:(timestamp|binary|omap|pairs|set)$/;

const tags = (all: Tags): Tags =>
  all.filter(
    (tag) => typeof tag === "string" || !(unwanted.test(tag.tag) || ("format" in tag && tag.format === "TIME")),
  );

/** What the library makes of a text, with the tokens that it comes from. */
export const sourceDocuments = (text: string): readonly Document.Parsed[] => {
  const all = parseAllDocuments(text, { ...reading, keepSourceTokens: true });
  return "empty" in all ? [] : all;
};

const reading = {
  version: "1.1",
  prettyErrors: false,
  // Ours is a set; the library compares each key with each.
  uniqueKeys: false,
  customTags: tags,
} as const;

/** Reads YAML or JSON as kubectl does (YAML 1.1 without times and base 60), several documents a file. Never throws. */
export const parseYaml = (text: string): Parsed => {
  const at = positionsIn(text);
  const over = excess(text);
  if (over) return { documents: [], problems: [{ ...at(over.offset), message: over.message }] };
  try {
    const all = parseAllDocuments(text, reading);
    const paths = new Map<string, readonly string[]>();
    const results = "empty" in all ? [] : all.map((document) => read(document, at, paths));
    return {
      documents: results.flatMap((result) => (result.document ? [result.document] : [])),
      problems: results.flatMap((result) => result.problems),
    };
  } catch (error) {
    // The library's own fault (deep recursion is one): the file is refused, the others go on.
    const detail = `cannot be parsed: ${sentence(String(error))}`;
    return { documents: [], problems: [{ line: 1, column: 1, message: "cannot be parsed", detail }] };
  }
};

interface Reading {
  readonly document?: YamlDocument;
  readonly problems: readonly SyntaxProblem[];
}

/** `paths`: lists of field paths by their text, so that documents of the same form share one. */
const read = (
  document: Document.Parsed,
  at: (offset: number) => Position,
  paths: Map<string, readonly string[]>,
): Reading => {
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    const problems = faults.map((fault) => ({
      ...at(fault.pos[0]),
      message: `is not valid YAML (${fault.code})`,
      detail: sentence(fault.message),
    }));
    return { problems: problems.slice(0, maxProblems) };
  }
  if (document.directives.yaml.explicit && document.directives.yaml.version !== "1.1")
    return {
      problems: [{ ...at(document.range[0]), message: "%YAML names a version other than 1.1: remove the line" }],
    };
  const found = valueOf(document);
  if (found.problems.length > 0)
    return { problems: found.problems.map(({ offset, ...problem }) => ({ ...at(offset), ...problem })) };
  return { document: { value: found.value, position: locator(found, at, paths) }, problems: [] };
};

/** A broken file gives many errors that follow from the first. */
const maxProblems = 5;

const sentence = (message: string): string =>
  /call stack|stack overflow/i.test(message) ? "is nested too deeply" : (message.split("\n")[0] ?? message);

const locator = (
  { offset, offsets }: Pick<Found, "offset" | "offsets">,
  at: (offset: number) => Position,
  paths: Map<string, readonly string[]>,
): Locate => {
  const text = [...offsets.keys()].join("\n");
  const names = paths.get(text) ?? [...offsets.keys()];
  paths.set(text, names);
  return locate(names, [...offsets.values(), offset], at);
};

/** Apart from where it is made: a function keeps all that the functions beside it use. */
const locate =
  (names: readonly string[], offsets: readonly number[], at: (offset: number) => Position): Locate =>
  (path) => {
    for (let field = path; field !== ""; field = parentPath(field)) {
      const index = names.indexOf(field);
      if (index >= 0) return at(offsets[index] ?? 0);
    }
    return at(offsets[names.length] ?? 0);
  };
