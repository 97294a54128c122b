import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openStore } from "../../../src/app/plane.ts";
import { checkFormat, ensureFormat } from "../../../src/stores/files/records.ts";
import { MemoryKeyValue } from "../../../src/stores/keyvalue/memory.ts";
import { openLevel } from "../../../src/stores/keyvalue/level.ts";

it.each([
  { why: "a store of before there were marks is taken as it is", marked: undefined, refused: false },
  { why: "one of this version is", marked: "1", refused: false },
  { why: "one of a later version could be misread", marked: "2", refused: true },
])("refuses ($marked) only what it could misread: $why", async ({ marked, refused }) => {
  const data = new MemoryKeyValue();
  await data.write(new Map([["store/format", marked]]));
  const checked = checkFormat(data);
  if (refused) await expect(checked).rejects.toThrow(/has format 2, this version of AetherV reads formats up to 1/);
  else await checked;
});

it("marks a store once", async () => {
  const data = new MemoryKeyValue();
  await ensureFormat(data);
  expect(await data.get("store/format")).toBe("1");
});

it("tells so for people, and lets go of the folder", async () => {
  const folder = await mkdtemp(join(tmpdir(), "aetherv-format-"));
  const store = await openLevel(join(folder, "store"));
  await store.write(new Map([["store/format", "7"]]));
  await store.close();
  for (let turn = 0; turn < 2; turn += 1)
    await expect(openStore(folder)).rejects.toMatchObject({
      name: "ControlError",
      code: "Conflict",
      message: expect.stringContaining("written by a later version") as unknown,
    });
  await rm(folder, { recursive: true });
});
