// oxlint-disable no-control-regex -- control characters are what is looked for

/** What CIM's XML, in which Hyper-V takes its texts, has no place for. */
const NO_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/;
/** Lines are for notes and for what guests read. */
const MANY_LINES = /\/notes$|\/items\//;

const ofText = (text: string, at: string): string | undefined => {
  if (NO_XML.test(text)) return `${at}: holds a control character`;
  if (!text.isWellFormed()) return `${at}: holds half of a surrogate pair`;
  if (!MANY_LINES.test(at) && UNPRINTABLE.test(text)) return `${at}: expected one line without control characters`;
  return undefined;
};

const ofMember = ([key, value]: readonly [string, unknown], at: string): string | undefined =>
  UNPRINTABLE.test(key) ? `${at}: a key holds control characters` : textProblem(value, `${at}/${key}`);

/** The first text or number of a request that no agent takes, with its place; undefined when all are well. */
export const textProblem = (value: unknown, at = ""): string | undefined => {
  if (typeof value === "string") return ofText(value, at);
  // Beyond 2^53 a reader of the other side may have rounded it.
  if (typeof value === "number")
    return Number.isSafeInteger(value) ? undefined : `${at}: expected a whole number within 2^53`;
  if (typeof value !== "object" || value === null) return undefined;
  for (const member of Object.entries(value)) {
    const problem = ofMember(member, at);
    if (problem !== undefined) return problem;
  }
  return undefined;
};
