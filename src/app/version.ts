import { readFileSync } from "node:fs";

/** package.json lies above src/app, and above dist/src/app. */
const read = (): string => {
  for (const path of ["../../package.json", "../../../package.json"]) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as Record<
        string,
        string
      >;
      if (name === "aetherv" && version !== undefined) return version;
    } catch {
      // Not at this level.
    }
  }
  return "0.0.0";
};

export const version: string = read();
