import { stripVTControlCharacters } from "node:util";

/** Rows of equal length under headers, columns three spaces apart as kubectl prints them; no trailing spaces. */
export const table = (headers: readonly string[], rows: readonly (readonly string[])[]): string => {
  const all = headers.length > 0 ? [headers, ...rows] : rows;
  const widths = columnWidths(all);
  return all.map((row) => `${line(row, widths)}\n`).join("");
};

/** The greatest width of each column. */
export const columnWidths = (rows: readonly (readonly string[])[]): readonly number[] => {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, at) => (widths[at] = Math.max(widths[at] ?? 0, width(cell))));
  return widths;
};

export const line = (row: readonly string[], widths: readonly number[]): string =>
  row
    .map((cell, at) => cell + " ".repeat(Math.max(0, (widths[at] ?? 0) - width(cell))))
    .join("   ")
    .trimEnd();

const width = (text: string): number => stripVTControlCharacters(text).length;

/** Text indented by `spaces` in every line that is not empty. */
export const indent = (text: string, spaces: number): string => text.replaceAll(/^(?=.)/gm, " ".repeat(spaces));
