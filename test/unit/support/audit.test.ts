import { expect, it } from "vitest";
import type { AuditEntry } from "../../../agents/simulator/model/audit.ts";
import { violations } from "../../support/audit.ts";

const entry = (at: AuditEntry["at"], id: string, epoch: number, ...locks: readonly string[]): AuditEntry => ({
  at,
  id,
  epoch,
  time: "2026-01-01T00:00:00Z",
  operation: "vm.update",
  controlPlane: "plane",
  ...(locks.length > 0 ? { locks } : {}),
});

it.each([
  {
    why: "one after the other is well",
    entries: [entry("begin", "a", 1, "x"), entry("end", "a", 1), entry("begin", "b", 1, "x")],
    found: 0,
  },
  {
    why: "two targets at once are well",
    entries: [entry("begin", "a", 1, "x"), entry("begin", "b", 1, "y")],
    found: 0,
  },
  {
    why: "two at once on one target",
    entries: [entry("begin", "a", 1, "x"), entry("begin", "b", 1, "y", "x")],
    found: 1,
  },
  {
    why: "a dead process holds nothing",
    entries: [entry("begin", "a", 1, "x"), entry("died", "a", 1), entry("begin", "b", 2, "x")],
    found: 0,
  },
  {
    why: "an older process begins after a newer looked",
    entries: [entry("look", "l", 2), entry("begin", "a", 1, "x")],
    found: 1,
  },
  {
    why: "a job begun before changes the host after a newer looked",
    entries: [entry("begin", "a", 1, "x"), entry("look", "l", 2), entry("effect", "a", 1)],
    found: 1,
  },
  { why: "a refusal is what should be", entries: [entry("look", "l", 2), entry("refused", "a", 1, "x")], found: 0 },
])("$why", ({ entries, found }) => {
  expect(violations(entries)).toHaveLength(found);
});
