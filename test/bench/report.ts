import { writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";

/** One line of a report: what it is called, where its figure is, and the goal that the figure has to meet, if there is one. */
export interface Line<R> {
  readonly title: string;
  readonly of: (result: R) => number | string;
  readonly most?: number;
  readonly least?: number;
}

interface Report<R> {
  readonly lines: readonly Line<R>[];
  readonly results: readonly R[];
  /** Head of a result's column. */
  readonly head: (result: R) => string;
  /** File that gets all numbers. */
  readonly json?: string | undefined;
  /** Of the whole run, beside the results. */
  readonly about?: object;
}

const goalText = ({ most, least }: Line<never>): string =>
  most === undefined ? (least === undefined ? "" : ` (at least ${least})`) : ` (at most ${most})`;

const misses = <R>({ of, most, least }: Line<R>, result: R): boolean => {
  const value = of(result);
  if (typeof value !== "number") return false;
  return !(value <= (most ?? Infinity) && value >= (least ?? -Infinity));
};

const textTable = (cells: readonly (readonly string[])[]): string => {
  const width = Math.max(...cells.map(([title = ""]) => title.length));
  const column = Math.max(12, ...cells.flatMap(([, ...rest]) => rest.map((cell) => cell.length + 2)));
  return cells
    .map(([title = "", ...rest]) => title.padEnd(width) + rest.map((cell) => cell.padStart(column)).join(""))
    .join("\n");
};

/** Prints the table and what misses its goal, writes the numbers; true when every goal holds. */
export const tell = <R>({ lines, results, head, json, about }: Report<R>): boolean => {
  const cells = lines.map((line) => [line.title + goalText(line), ...results.map((one) => String(line.of(one)))]);
  const missed = results.flatMap((one) =>
    lines.filter((line) => misses(line, one)).map((line) => [line, one] as const),
  );
  process.stdout.write(`${textTable([["", ...results.map(head)], ...cells])}\n`);
  for (const [line, one] of missed)
    process.stdout.write(`MISSED, ${head(one)}: ${line.title} is ${line.of(one)}${goalText(line)}\n`);
  const machine = { node: process.version, cpus: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30) };
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ ...machine, ...about, results }, undefined, 2)}\n`);
  return missed.length === 0;
};
