const escapes: Readonly<Record<string, string>> = {
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

/** A text as Go's %q shows it. */
export const goQuote = (text: string): string => `"${text.replace(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, escapeOf)}"`;

const escapeOf = (char: string): string => {
  const known = escapes[char];
  if (known !== undefined) return known;
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
};

const longest = 1024;

/** A value as field.Error shows it: texts quoted, the rest as JSON; cut where it would fill a screen. */
export const goValue = (value: unknown): string => {
  const text = typeof value === "string" ? goQuote(value.slice(0, longest + 1)) : jsonText(value);
  return text.length > longest ? `${text.slice(0, longest)}...` : text;
};

const jsonText = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? "null";
  } catch {
    // YAML aliases can make a value that contains itself.
    return "(a value that contains itself)";
  }
};
