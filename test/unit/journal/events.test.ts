import { describe, expect, it } from "vitest";
import type { EventNote, Key, Logger } from "../../../src/engine/ports.ts";
import { EventLog, type EventLogOptions } from "../../../src/journal/events.ts";
import { MemoryKeyValue } from "../../../src/stores/keyvalue/memory.ts";
import { FakeClock } from "../../support/clock.ts";
import { SeededRandom } from "../../support/random.ts";

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const web: Key = { kind: "VirtualMachine", namespace: "default", name: "web" };
const db: Key = { kind: "VirtualMachine", namespace: "default", name: "db" };
const note = (message: string, over: Partial<EventNote> = {}): EventNote => ({
  type: "Normal",
  reason: "Started",
  message,
  ...over,
});

const rig = async (over: Partial<EventLogOptions> = {}) => {
  const data = new MemoryKeyValue();
  const clock = new FakeClock();
  const options = { data, clock, random: new SeededRandom(5), log: quiet, ...over };
  return { data, clock, options, events: await EventLog.open(options) };
};

describe("events", () => {
  it("of the same kind become a series with count, first and last time", async () => {
    const { events, clock } = await rig();
    events.record(web, "u1", note("tried 1 time"));
    await clock.advance(60_000);
    events.record(web, "u1", note("tried 2 times"));
    events.record(web, "u1", note("tried 3 times"));
    expect(events.list({ key: web })).toMatchObject([
      { count: 1, message: "tried 1 time" },
      { count: 2, message: "tried 3 times", firstSeen: "2026-01-01T00:01:00.000Z" },
    ]);
  });

  it.each([
    { why: "another object", key: db, uid: "u2", over: {} },
    { why: "a new object of the same name", key: web, uid: "u9", over: {} },
    { why: "another reason", key: web, uid: "u1", over: { reason: "Stopped" } },
    { why: "another type", key: web, uid: "u1", over: { type: "Warning" as const } },
    { why: "another message", key: web, uid: "u1", over: { message: "b" } },
  ])("are apart for $why", async ({ key, uid, over }) => {
    const { events } = await rig();
    events.record(web, "u1", note("a"));
    events.record(key, uid, note("a", over));
    expect(events.list().map(({ count }) => count)).toEqual([1, 1]);
  });

  it("start a new series after a long pause", async () => {
    const { events, clock } = await rig();
    events.record(web, "u1", note("a"));
    await clock.advance(2 * 3_600_000);
    events.record(web, "u1", note("a"));
    expect(events.list().map(({ count }) => count)).toEqual([1, 1]);
  });

  it("are there for the next process, which goes on with the series", async () => {
    const { events, options, clock } = await rig();
    events.record(web, "u1", note("a"));
    events.record(db, "u2", note("b"));
    await clock.advance(300);
    const next = await EventLog.open(options);
    next.record(web, "u1", note("a"));
    expect(next.list().map(({ key, count }) => [key.name, count])).toEqual([
      ["db", 1],
      ["web", 2],
    ]);
  });

  it("are kept by number and age", async () => {
    const { events, clock, data } = await rig({ maxEvents: 3, maxAgeMs: 3_600_000 });
    for (const letter of "abcdef") events.record(web, "u1", note(letter));
    expect(events.list().map(({ message }) => message)).toEqual(["d", "e", "f"]);
    expect(events.list({ limit: 1 }).map(({ message }) => message)).toEqual(["f"]);
    await clock.advance(7_200_000);
    events.record(db, "u2", note("late"));
    expect(events.list().map(({ message }) => message)).toEqual(["late"]);
    await events.close();
    let entries = 0;
    for await (const _ of data.entries("event/")) entries += 1;
    expect(entries).toBe(1);
  });
});
