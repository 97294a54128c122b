import type { Validation } from "../validation.ts";
import { joined, readDocument } from "./document.ts";
import type { FileStat } from "./filesystem.ts";
import type { FileContent } from "./part.ts";
import type { Problem } from "./place.ts";
import { decodeText, positionsIn } from "./text.ts";
import { parseYaml } from "./yaml.ts";
import type { SyntaxProblem } from "./yaml.ts";

/** Bytes a manifest may have. */
export const maxFileBytes = 4 * 1024 * 1024;

export const unreadable = (file: string, message: string): FileContent => ({
  objects: [],
  secrets: [],
  problems: [{ file, line: 1, column: 1, message }],
});

/** Everything that a file declares, and all that is wrong with it. Pure. */
export const readContent = (file: string, bytes: Uint8Array, stat: FileStat, validation: Validation): FileContent => {
  const decoded = decodeText(bytes);
  if (!decoded.ok) {
    const problem = { file, ...positionsIn(decoded.shown)(decoded.offset), message: decoded.message };
    return { objects: [], secrets: [], problems: [problem] };
  }
  const { documents, problems } = parseYaml(decoded.text);
  const guarded = mayHoldSecret(decoded.text);
  const content = joined(documents.map((document) => readDocument(document, file, validation)));
  const broken = problems.map((problem) => syntaxProblem(file, problem, guarded));
  return { ...content, problems: [...broken, ...content.problems, ...modeProblems(content, stat)].sort(byPlace) };
};

const byPlace = (a: Problem, b: Problem): number => a.line - b.line || a.column - b.column;

const mayHoldSecret = (text: string): boolean => /Secret\b/.test(text);

const syntaxProblem = (file: string, { line, column, message, detail }: SyntaxProblem, guarded: boolean): Problem => {
  if (!guarded) return { file, line, column, message: detail ?? message };
  const hint = detail === undefined ? "" : "; the text is not shown, as the file may hold a Secret";
  return { file, line, column, message: message + hint };
};

/** Only the owner may read a file with a Secret. */
const modeProblems = ({ secrets }: FileContent, { mode }: FileStat): Problem[] => {
  const [first] = secrets;
  if (first === undefined || mode === undefined || (mode & 0o777 & ~0o600) === 0) return [];
  const now = (mode & 0o777).toString(8).padStart(4, "0");
  return [
    {
      ...first.place,
      message: `a file with a Secret must be readable by its owner alone: its mode is ${now}, allowed are 0600 and 0400`,
    },
  ];
};
