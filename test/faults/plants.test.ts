import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { planted } from "./plants/planted.ts";
import { plants } from "./plants/plants.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

test.each(plants.map((plant) => [plant.name, plant] as const))(
  "%s fits the source, and leaves a program",
  async (_, plant) => {
    for (const [file, changes] of Map.groupBy(plant.changes, (change) => change.file)) {
      const source = await readFile(root + file, "utf8");
      const changed = planted(source, changes);
      expect(changed).not.toBe(source);
      expect(() => stripTypeScriptTypes(changed)).not.toThrow();
    }
  },
);
