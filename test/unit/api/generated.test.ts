import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { modelFiles } from "../../../scripts/generate/model.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");

test("what is generated from the CRDs is current: else run `npm run generate`", async () => {
  const stale: string[] = [];
  for await (const { path, text } of modelFiles(root)) {
    if (readFileSync(join(root, path), "utf8") !== text) stale.push(path);
  }
  expect(stale).toEqual([]);
});
