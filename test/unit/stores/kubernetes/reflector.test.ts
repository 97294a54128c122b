import { describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../../../../src/app/clock.ts";
import { systemRandom } from "../../../../src/app/random.ts";
import type { Resource } from "../../../../src/api/resource.ts";
import { collectionPath } from "../../../../src/stores/kubernetes/paths.ts";
import { Reflector, type ReflectorTimes, type Sink } from "../../../../src/stores/kubernetes/reflector.ts";
import { MemoryLog } from "../fixed.ts";
import {
  bookmark,
  diskOf,
  errorEvent,
  event,
  list,
  scripted,
  status,
  watch,
  type Answer,
  type Asked,
} from "./apiServer.ts";

const times: ReflectorTimes = { pageSize: 2, watchSeconds: 60, idleMs: 300, leastWaitMs: 20, longestWaitMs: 100 };

/** What a sink was told, as short lines. */
class Told implements Sink {
  readonly lines: string[] = [];

  replaced(objects: readonly Resource[], version: string): void {
    this.lines.push(`all ${objects.map(({ metadata }) => metadata.name).join(" ")} @${version}`.replace("  ", " "));
  }
  changed({ metadata }: Resource): void {
    this.lines.push(`${metadata.name} @${metadata.resourceVersion}`);
  }
  removed({ metadata }: Resource): void {
    this.lines.push(`${metadata.name} gone @${metadata.resourceVersion}`);
  }
  bookmarked(version: string): void {
    this.lines.push(`up to @${version}`);
  }
}

interface Started {
  readonly told: Told;
  readonly asked: Asked[];
  readonly reflector: Reflector;
  readonly stop: () => Promise<void>;
}

const start = async (script: readonly Answer[], over: Partial<ReflectorTimes> = {}): Promise<Started> => {
  const { client, asked } = await scripted(script);
  const told = new Told();
  const reflector = new Reflector({
    client,
    path: collectionPath("VirtualDisk"),
    sink: told,
    clock: systemClock,
    random: systemRandom,
    log: new MemoryLog(),
    times: { ...times, ...over },
  });
  const ending = new AbortController();
  const running = reflector.run(ending.signal);
  const stop = async (): Promise<void> => {
    ending.abort();
    await running;
  };
  onTestFinished(stop);
  return { told, asked, reflector, stop };
};

const [a, b] = [diskOf("a", 5), diskOf("b", 6)];
const silent = watch([], "silence");
const news = watch([event("MODIFIED", diskOf("a", 20))], "silence");

interface Case {
  readonly why: string;
  readonly script: readonly Answer[];
  readonly told: readonly string[];
  /** resourceVersion that each watch began with. */
  readonly watched?: readonly string[];
}

const cases: readonly Case[] = [
  {
    why: "a clean close goes on where the last event was",
    script: [list(10, [a]), watch([event("MODIFIED", diskOf("a", 12))], "close"), news],
    told: ["all a @10", "a @12", "a @20"],
    watched: ["10", "12"],
  },
  {
    why: "a bookmark moves the place on",
    script: [list(10, [a]), watch([bookmark(15)], "close"), news],
    told: ["all a @10", "up to @15", "a @20"],
    watched: ["10", "15"],
  },
  {
    why: "a reset in mid-stream is no end",
    script: [list(10, [a]), watch([event("ADDED", diskOf("b", 11))], "reset"), news],
    told: ["all a @10", "b @11", "a @20"],
    watched: ["10", "11"],
  },
  {
    why: "an event cut in its middle is not told, and asked for again",
    script: [list(10, [a]), watch([event("ADDED", diskOf("b", 11)).slice(0, 30)], "close"), news],
    told: ["all a @10", "a @20"],
    watched: ["10", "10"],
  },
  {
    why: "410 in the stream makes a new list",
    script: [list(10, [a]), watch([errorEvent(410, "Expired")], "close"), list(30, [b]), silent],
    told: ["all a @10", "all b @30"],
    watched: ["10", "30"],
  },
  {
    why: "410 as the answer to a watch makes a new list",
    script: [list(10, [a]), status(410, "Expired"), list(30, [b]), silent],
    told: ["all a @10", "all b @30"],
    watched: ["10", "30"],
  },
  {
    why: "500 in the stream keeps the place",
    script: [list(10, [a]), watch([errorEvent(500, "InternalError")], "close"), news],
    told: ["all a @10", "a @20"],
    watched: ["10", "10"],
  },
  {
    why: "500 as the answer to a watch keeps the place",
    script: [list(10, [a]), status(500, "InternalError"), news],
    told: ["all a @10", "a @20"],
    watched: ["10", "10"],
  },
  {
    why: "a failed first list is tried again",
    script: [status(500, "InternalError"), status(403, "Forbidden"), list(10, [a]), silent],
    told: ["all a @10"],
  },
  {
    why: "a watch that is silent too long is opened anew",
    script: [list(10, [a]), silent, news],
    told: ["all a @10", "a @20"],
    watched: ["10", "10"],
  },
  {
    why: "a line that is no JSON is a fault of the watch only",
    script: [list(10, [a]), watch(["<html>\n"], "close"), news],
    told: ["all a @10", "a @20"],
  },
  {
    why: "pages are one list, of the version of the snapshot",
    script: [list(10, [a, b], "more"), list(10, [diskOf("c", 7)]), silent],
    told: ["all a b c @10"],
  },
  {
    why: "a list whose snapshot is compacted between pages begins anew; nothing half is told",
    script: [list(10, [a, b], "more"), status(410, "Expired"), list(30, [b]), silent],
    told: ["all b @30"],
  },
  {
    why: "made again in a gap: the new list tells the new object",
    script: [list(10, [a]), status(410, "Expired"), list(30, [diskOf("a", 25, { uid: "new" })]), silent],
    told: ["all a @10", "all a @30"],
  },
  {
    why: "watches that fail again and again end in a new list (a server put back to an older state knows no such version)",
    script: [list(90, [a]), ...Array.from({ length: 5 }, () => status(504, "Timeout")), list(30, [b]), silent],
    told: ["all a @90", "all b @30"],
  },
  {
    why: "a kind that is not served for a while is listed anew",
    script: [list(10, [a]), status(404, "NotFound"), list(30, [b]), silent],
    told: ["all a @10", "all b @30"],
  },
];

describe("reflector", () => {
  it.each(cases)("$why", async ({ script, told, watched }) => {
    const run = await start(script);
    await expect.poll(() => run.told.lines, { timeout: 5_000 }).toEqual(told);
    await expect.poll(() => run.asked.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(script.length);
    const versions = run.asked
      .filter(({ query }) => query["watch"] === "1")
      .map(({ query }) => query["resourceVersion"]);
    if (watched) expect(versions.slice(0, watched.length)).toEqual(watched);
  });

  it("asks for pages, bookmarks and an end", async () => {
    const { asked } = await start([list(10, [a, b], "more"), list(10, []), silent]);
    await expect.poll(() => asked.length).toBe(3);
    expect(asked[0]?.query).toEqual({ limit: "2" });
    expect(asked[1]?.query).toEqual({ limit: "2", continue: "more" });
    expect(asked[2]?.query).toMatchObject({ watch: "1", allowWatchBookmarks: "true", resourceVersion: "10" });
    expect(Number(asked[2]?.query["timeoutSeconds"])).toBeGreaterThanOrEqual(60);
  });

  it("asks a server that closes every watch at once less and less often", async () => {
    const { asked } = await start([list(10, [a]), watch([], "close")], { leastWaitMs: 40, longestWaitMs: 10_000 });
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(asked.length).toBeLessThan(9);
  });

  it("waits as long as a busy server asks", async () => {
    const { told, asked } = await start([
      status(429, "TooManyRequests", { "retry-after": "1" }),
      list(10, [a]),
      silent,
    ]);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(asked.length).toBe(1);
    await expect.poll(() => told.lines, { timeout: 3_000 }).toEqual(["all a @10"]);
  });

  it.each([
    {
      why: "a pause after a failure",
      script: [status(500, "InternalError")],
      over: { leastWaitMs: 60_000, longestWaitMs: 60_000 },
    },
    { why: "a silent watch", script: [list(10, [a]), silent], over: { idleMs: 60_000 } },
    { why: "a list without an answer", script: [() => undefined], over: {} },
  ])("stops at once in $why", async ({ script, over }) => {
    const { stop, asked } = await start(script, over);
    await expect.poll(() => asked.length).toBe(script.length);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = Date.now();
    await stop();
    expect(Date.now() - before).toBeLessThan(500);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(asked.length).toBe(script.length);
  });

  it("lists anew when asked, and tells when that is done", async () => {
    const { told, asked, reflector } = await start([list(10, [a]), silent, list(30, [a, b]), silent], {
      idleMs: 60_000,
    });
    await expect.poll(() => asked.length).toBe(2);
    await reflector.listed();
    expect(told.lines).toEqual(["all a @10", "all a b @30"]);
  });
});
