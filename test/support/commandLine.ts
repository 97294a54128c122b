import { parseArgs, type ParseArgsConfig } from "node:util";

type Config = Pick<ParseArgsConfig, "options" | "allowPositionals">;

const leave = (text: string): never => {
  process.stderr.write(`${text}\n`);
  process.exit(2);
};

/** Options of a program for people: --help prints the usage; one that it does not know ends it with code 2 and a line that says so. */
export const commandLine = <const C extends Config>(usage: string, config: C): ReturnType<typeof parseArgs<C>> => {
  if (process.argv.slice(2).some((word) => word === "--help" || word === "-h")) {
    process.stdout.write(`${usage}\n`);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    return leave(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
  }
};

/** A whole number from 0 on; anything else ends the program with code 2. */
export const wholeNumber = (text: string, option: string): number => {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < 0)
    return leave(`${option} takes a whole number, not ${JSON.stringify(text)}`);
  return value;
};

/** One of some names, or none; anything else ends the program with code 2. */
export const oneOf = <T extends string>(
  text: string | undefined,
  names: readonly T[],
  option: string,
): T | undefined => {
  const found = names.find((name) => name === text);
  if (text !== undefined && found === undefined) return leave(`${option} is one of ${names.join(", ")}, not ${text}`);
  return found;
};
