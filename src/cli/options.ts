import { InvalidArgumentError, Option } from "commander";

/** A span as 30s, 5m, 1h30m or 250ms, in milliseconds; a bare number is refused: its unit would be a guess. */
export const parseDuration = (text: string): number => {
  const match = /^(?=.)(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/.exec(text);
  if (!match) throw new InvalidArgumentError("expected a time as 30s, 5m or 1h30m");
  const [, hours = 0, minutes = 0, seconds = 0, milliseconds = 0] = match;
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Number(milliseconds);
};

export const limitOption = (least: number): Option =>
  new Option("--limit <number>", "at most so many").default(least).argParser((text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError("expected a number of 1 or more");
    return value;
  });

/** Collects a repeatable option's values. */
export const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [
  ...(before ?? []),
  value,
];
