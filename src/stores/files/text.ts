/** Bytes of a manifest as text, or what is wrong with them and at which offset of `shown`. */
export type Decoded =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly shown: string; readonly offset: number };

// C0 but tab, line feed and carriage return; DEL and C1 but NEL; what Unicode says is no character; lone surrogates.
// eslint-disable-next-line no-control-regex
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]|\p{Surrogate}/u;

/** Index of the first character that neither a manifest nor a value of it may hold; -1 if there is none. */
export const forbiddenAt = (text: string): number => text.search(forbidden);

/** U+0007 and the like, as people read it. */
export const characterName = (text: string, index: number): string =>
  `U+${(text.codePointAt(index) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;

const startsWith = (bytes: Uint8Array, ...mark: number[]): boolean => mark.every((byte, i) => bytes[i] === byte);

/** Decodes a manifest: UTF-8, with or without a byte order mark, without control characters. */
export const decodeText = (bytes: Uint8Array): Decoded => {
  if (startsWith(bytes, 0xff, 0xfe) || startsWith(bytes, 0xfe, 0xff))
    return { ok: false, message: "is UTF-16: save it as UTF-8", shown: "", offset: 0 };
  const shown = new TextDecoder("utf-8").decode(bytes);
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { ok: false, message: "is not UTF-8 text", shown, offset: Math.max(shown.indexOf("\ufffd"), 0) };
  }
  const offset = forbiddenAt(shown);
  if (offset < 0) return { ok: true, text: shown };
  const what = `control character ${characterName(shown, offset)}`;
  return {
    ok: false,
    message: `${what} is not allowed${shown[offset] === "\0" ? "; is it a binary file?" : ""}`,
    shown,
    offset,
  };
};

/** A place in a text; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Gives line and column of offsets in a text. */
export const positionsIn = (text: string): ((offset: number) => Position) => {
  // Of the text itself nothing is kept: places are asked for as long as its objects are there.
  const { length } = text;
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    const inside = Math.max(0, Math.min(offset, length));
    const line = lastUpTo(starts, inside);
    return { line: line + 1, column: inside - (starts[line] ?? 0) + 1 };
  };
};

/** Index of the last value of an ascending list that is not above `limit`. */
const lastUpTo = (values: readonly number[], limit: number): number => {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((values[middle] ?? Infinity) <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
};
