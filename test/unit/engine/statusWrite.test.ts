import { expect, it } from "vitest";
import { progressInterval } from "../../../src/engine/statusWrite.ts";

it.each([
  { why: "few objects tell their progress every ten seconds", objects: 30, ms: 10_000 },
  { why: "up to 50 writes a second", objects: 500, ms: 10_000 },
  { why: "many share the same rate", objects: 3_000, ms: 60_000 },
])("$why", ({ objects, ms }) => {
  expect(progressInterval(objects)).toBe(ms);
});
