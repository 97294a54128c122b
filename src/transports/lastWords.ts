/** What of a line on STDERR is for people: an agent's log line is JSON, whose time would make each telling a new one. */
const wordsOf = (line: string): string => {
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === "object" && parsed && "text" in parsed && typeof parsed.text === "string") return parsed.text;
  } catch {
    // Not JSON: as it is.
  }
  return line;
};

/** The end of a sentence about an agent that ended: what it wrote on STDERR last, "" where that is nothing. */
export const lastWords = (lines: readonly string[]): string =>
  lines.length > 0 ? `; it said last: ${lines.map(wordsOf).join(" | ")}` : "";
