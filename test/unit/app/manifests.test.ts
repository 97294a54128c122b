import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readManifests } from "../../../src/app/manifests.ts";

const corpus = fileURLToPath(new URL("../../fixtures/bad-input/", import.meta.url));
const noInput = (): Promise<string> => Promise.reject(new Error("nothing reads STDIN here"));

test.each(readdirSync(corpus))("validate refuses %s, as run does", async (name) => {
  const { problems } = await readManifests([`${corpus}${name}`], noInput);
  expect(problems).not.toEqual([]);
  for (const { file, line, column } of problems) {
    expect(file).toBe(`${corpus}${name}`);
    expect([line, column]).toEqual([expect.any(Number), expect.any(Number)]);
  }
});

test("the samples are valid", async () => {
  const samples = fileURLToPath(new URL("../../../manifests/samples", import.meta.url));
  expect(await readManifests([samples], noInput)).toMatchObject({ problems: [], files: 8, folder: true });
});
