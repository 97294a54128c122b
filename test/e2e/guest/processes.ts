import { readdirSync, readFileSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Writes the command line and the environment of every process of this machine to its output, each text once, and `-` after each look.
 * Ends with its input.
 */
const PERIOD_MS = 10;

const seen = new Set<string>();

/** Nothing of a process that has ended meanwhile. */
const textOf = (path: string): string => {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
};

const look = (): void => {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  for (const number of numbers)
    for (const part of ["cmdline", "environ"]) {
      const text = textOf(`/proc/${number}/${part}`);
      if (text === "" || seen.has(text)) continue;
      seen.add(text);
      writeSync(1, Buffer.from(`${text}\n`, "latin1"));
    }
};

let goesOn = true;
process.stdin.on("end", () => (goesOn = false)).resume();
while (goesOn) {
  look();
  writeSync(1, "-\n");
  await sleep(PERIOD_MS);
}
