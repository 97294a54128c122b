import { describe, expect, it } from "vitest";
import type { JobRecord, KeyValue, Logger } from "../../../src/engine/ports.ts";
import { JobJournal, type JournalOptions } from "../../../src/journal/journal.ts";
import { MemoryKeyValue } from "../../../src/stores/keyvalue/memory.ts";
import type { LogLine } from "../../../src/protocol/generated/types.ts";
import { FakeClock, settle } from "../../support/clock.ts";
import { SeededRandom } from "../../support/random.ts";

const quiet: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const line = (text: string): LogLine => ({ time: "2026-01-01T00:00:00.000Z", level: "info", text });
const random = new SeededRandom(3);

const record = (over: Partial<JobRecord> = {}): JobRecord => {
  const id = over.id ?? random.ulid();
  return {
    id,
    key: { kind: "VirtualMachine", namespace: "default", name: "web" },
    uid: "uid-1",
    host: "hv1",
    operation: "vm.power",
    request: {
      operation: "vm.power",
      resource_spec: {},
      correlation_id: id,
      metadata: {
        timestamp: "2026-01-01T00:00:00.000Z",
        host: "hv1",
        control_plane: "cp-1",
        epoch: 1,
        deadline_seconds: 60,
        debug: false,
        dry_run: false,
        locks: [],
      },
    },
    attempt: 1,
    queuedAt: "2026-01-01T00:00:00.000Z",
    status: "running",
    ...over,
  };
};

const ended = (over: Partial<JobRecord> = {}): JobRecord =>
  record({ status: "success", finishedAt: "2026-01-01T00:00:01.000Z", ...over });

const rig = async (over: Partial<JournalOptions> = {}) => {
  const data = new MemoryKeyValue();
  const clock = new FakeClock();
  const options: JournalOptions = { data, clock, log: quiet, ...over };
  return { data, clock, options, journal: await JobJournal.open(options) };
};

const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
};

const keysOf = async (data: KeyValue): Promise<string[]> => (await all(data.entries(""))).map(([key]) => key);

describe("the journal", () => {
  it("keeps jobs and their lines for the next process", async () => {
    const { journal, clock, options } = await rig();
    const job = record();
    journal.put(job);
    journal.log(job.id, line("one"));
    journal.log(job.id, line("two"));
    journal.put({ ...job, status: "success", finishedAt: "2026-01-01T00:00:02.000Z", durationMs: 2000 });
    await clock.advance(300);
    const next = await JobJournal.open(options);
    expect(await next.get(job.id)).toMatchObject({ status: "success", durationMs: 2000 });
    expect((await all(next.lines(job.id))).map(({ text }) => text)).toEqual(["one", "two"]);
  });

  it("writes what belongs together as one batch, and nothing when nothing happens", async () => {
    const { journal, clock, data } = await rig();
    for (let n = 0; n < 100; n += 1) {
      const job = record();
      journal.put(job);
      journal.log(job.id, line("one"));
      journal.put({ ...job, status: "success", finishedAt: "2026-01-01T00:00:02.000Z" });
    }
    await clock.advance(300);
    expect(data.writes).toBe(1);
    await clock.advance(600_000);
    expect(data.writes).toBe(1);
  });

  it("closes jobs that were under way when the process died", async () => {
    const { journal, clock, options } = await rig();
    const job = record();
    journal.put(job);
    await clock.advance(300);
    const next = await JobJournal.open(options);
    expect(await next.get(job.id)).toMatchObject({ status: "error", code: "ProtocolError" });
    expect(await next.list({ failed: true })).toHaveLength(1);
  });

  it("starts though an entry is damaged", async () => {
    const { options, data } = await rig();
    await data.write(new Map([["journal/job/01", '{"id":']]));
    expect(await (await JobJournal.open(options)).list()).toEqual([]);
  });

  it("lists newest first, by object, host, outcome, time and number", async () => {
    const { journal } = await rig();
    const first = ended({ queuedAt: "2026-01-01T00:00:00.000Z" });
    const second = ended({ host: "hv2", status: "error", queuedAt: "2026-01-02T00:00:00.000Z" });
    const third = ended({
      key: { kind: "VirtualDisk", namespace: "a", name: "d" },
      status: "partial",
      queuedAt: "2026-01-03T00:00:00.000Z",
    });
    const fourth = record({ queuedAt: "2026-01-04T00:00:00.000Z" });
    for (const job of [first, second, third, fourth]) journal.put(job);
    const ids = async (query: Parameters<typeof journal.list>[0]) => (await journal.list(query)).map(({ id }) => id);
    expect(await ids({})).toEqual([fourth.id, third.id, second.id, first.id]);
    expect(await ids({ limit: 2 })).toEqual([fourth.id, third.id]);
    expect(await ids({ key: third.key })).toEqual([third.id]);
    expect(await ids({ host: "hv2" })).toEqual([second.id]);
    expect(await ids({ failed: true })).toEqual([third.id, second.id]);
    expect(await ids({ since: Date.parse("2026-01-02"), until: Date.parse("2026-01-03") })).toEqual([
      third.id,
      second.id,
    ]);
  });

  it("keeps a bounded number of jobs and their lines", async () => {
    const { journal, clock, data } = await rig({ maxJobs: 10 });
    const running = record();
    journal.put(running);
    for (let n = 0; n < 100; n += 1) {
      const job = record();
      journal.put(job);
      journal.log(job.id, line("x"));
      journal.put({ ...job, status: "success", finishedAt: "2026-01-01T00:00:02.000Z" });
      if (n % 10 === 0) await clock.advance(300);
    }
    await journal.close();
    const keys = await keysOf(data);
    expect(keys.filter((key) => key.startsWith("journal/job/")).length).toBeLessThanOrEqual(12);
    expect(keys.filter((key) => key.startsWith("journal/line/")).length).toBeLessThanOrEqual(12);
    expect(await journal.get(running.id), "a job under way stays").toBeDefined();
  });

  it("that are under way take no place from those that ended", async () => {
    const { journal, clock } = await rig({ maxJobs: 10 });
    for (let n = 0; n < 40; n += 1) journal.put(record());
    const done = Array.from({ length: 10 }, () => ended());
    for (const job of done) journal.put(job);
    await clock.advance(300);
    expect((await Promise.all(done.map(({ id }) => journal.get(id)))).filter((job) => job === undefined)).toEqual([]);
    for (let n = 0; n < 10; n += 1) journal.put(ended());
    await clock.advance(300);
    const kept = await journal.list({ limit: 100 });
    expect(kept.filter(({ status }) => status === "running")).toHaveLength(40);
    expect(kept.filter(({ status }) => status === "success").length).toBeLessThanOrEqual(12);
    await journal.close();
  });

  it("lets go of old jobs", async () => {
    const { journal, clock, options } = await rig({ maxAgeMs: 3_600_000 });
    journal.put(ended());
    await clock.advance(7_200_000);
    const young = ended({ queuedAt: clock.now().toISOString() });
    journal.put(young);
    await clock.advance(300);
    const next = await JobJournal.open(options);
    expect((await next.list()).map(({ id }) => id)).toEqual([young.id]);
    await next.close();
  });

  it("cuts a job's log with a note", async () => {
    const { journal } = await rig({ maxLines: 3 });
    const job = record();
    journal.put(job);
    for (let n = 0; n < 10; n += 1) journal.log(job.id, line(`${n}`));
    expect((await all(journal.lines(job.id))).map(({ text }) => text)).toEqual([
      "0",
      "1",
      "2",
      "only the first 3 lines of a job are kept",
    ]);
  });

  it("follows a log: what was there, then what comes, until the end", async () => {
    const { journal } = await rig();
    const job = record();
    journal.put(job);
    journal.log(job.id, line("before"));
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { text } of journal.follow(job.id, new AbortController().signal)) seen.push(text);
    })();
    journal.log(job.id, line("during"));
    for (let n = 0; n < 5; n += 1) await settle();
    expect(seen).toEqual(["before", "during"]);
    journal.log(job.id, line("last"));
    journal.put({ ...job, status: "success", finishedAt: "2026-01-01T00:00:02.000Z" });
    await reading;
    expect(seen).toEqual(["before", "during", "last"]);
    expect((await all(journal.follow(job.id, new AbortController().signal))).length, "of an ended one").toBe(3);
  });

  it("stops following when the reader goes", async () => {
    const { journal } = await rig();
    const job = record();
    journal.put(job);
    const gone = new AbortController();
    const reading = all(journal.follow(job.id, gone.signal));
    gone.abort();
    expect(await reading).toEqual([]);
  });

  it("never holds what is for the guest, nor anything named like a secret", async () => {
    const { journal, data } = await rig();
    const job = record();
    const request = {
      ...job.request,
      operation: "guest.publish" as const,
      resource_spec: {
        vmId: "x",
        items: { "aetherv.config.1.0": "ciphertext" },
        nested: [{ adminPassword: "hunter2", apiToken: "t0ken" }],
        notes: "n".repeat(1000),
      },
    };
    journal.put({ ...job, request, result: { items: { "aetherv.guest.facts": "fact" } } });
    await journal.flush();
    const text = JSON.stringify(await all(data.entries("")));
    for (const secret of ["ciphertext", "hunter2", "t0ken", 'fact"', "nnnn"]) expect(text).not.toContain(secret);
    expect(text).toContain("(10 characters)");
  });

  it("goes on when the disk refuses, and writes later", async () => {
    const { clock, options, data } = await rig();
    let refuse = true;
    const flaky: KeyValue = {
      get: (key) => data.get(key),
      entries: (prefix) => data.entries(prefix),
      close: () => data.close(),
      write: (batch) => (refuse ? Promise.reject(new Error("disk full")) : data.write(batch)),
    };
    const journal = await JobJournal.open({ ...options, data: flaky });
    const job = ended();
    journal.put(job);
    await clock.advance(300);
    expect(await journal.get(job.id)).toMatchObject({ id: job.id });
    refuse = false;
    journal.put(ended());
    await clock.advance(300);
    expect((await keysOf(data)).length).toBe(2);
  });
});
