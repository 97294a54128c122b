import { describe, expect, it } from "vitest";
import type { MissingReplica } from "../../../../src/api/missingReplicas.ts";
import { systemClock } from "../../../../src/app/clock.ts";
import type { History } from "../../../../src/app/control.ts";
import { EveryReplica, type Peer } from "../../../../src/app/replicas/everyReplica.ts";
import { mergeEvents, mergeJob, mergeJobs } from "../../../../src/app/replicas/merge.ts";
import type { JobRecord } from "../../../../src/engine/ports.ts";
import { Latest } from "../../../../src/journal/latest.ts";
import { ControlError, type EventReport } from "../../../../src/server/control.ts";
import { FakeClock } from "../../../support/clock.ts";

const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();

const job = (id: string, more: Partial<JobRecord> = {}, epoch = 3): JobRecord => ({
  id,
  key: { kind: "VirtualMachine", namespace: "default", name: "web" },
  uid: "u1",
  host: "hv1",
  operation: "vm.create",
  attempt: 1,
  queuedAt: at(0),
  startedAt: at(1),
  status: "success",
  finishedAt: at(2),
  request: {
    operation: "vm.create",
    resource_spec: epoch === 0 ? {} : { cpu: 2 },
    correlation_id: id,
    metadata: {
      timestamp: at(0),
      host: "hv1",
      control_plane: "c",
      epoch,
      deadline_seconds: 60,
      debug: false,
      dry_run: false,
      locks: [],
    },
  } as JobRecord["request"],
  ...more,
});

/** As the replica has it that took the host over: the end, from the host, without what was asked for. */
const rebuilt = (id: string, more: Partial<JobRecord> = {}): JobRecord => job(id, { durationMs: 9_000, ...more }, 0);

const running = (id: string): JobRecord => {
  const { finishedAt: _, ...rest } = job(id, { status: "running", percent: 40 });
  return rest;
};

const event = (name: string, second: number): EventReport => ({
  key: { kind: "VirtualMachine", namespace: "default", name },
  type: "Normal",
  reason: "VmCreate",
  message: "created",
  count: 1,
  firstSeen: at(0),
  lastSeen: at(second),
});

describe("jobs that several replicas know", () => {
  it.each([
    { why: "one knows it", records: [job("A")], is: { status: "success", finishedAt: at(2) } },
    {
      why: "who sent it knows all, and its end",
      records: [rebuilt("A"), job("A", { message: "done" })],
      is: { status: "success", message: "done" },
    },
    {
      why: "the sender let go of the host before the end",
      records: [running("A"), rebuilt("A", { status: "error", code: "DiskFull", finishedAt: at(7) })],
      is: { status: "error", code: "DiskFull", finishedAt: at(7), durationMs: 9_000 },
    },
    {
      why: "the sender took it for failed, the host knows better",
      records: [job("A", { status: "error", code: "HostUnreachable", message: "gone" }), rebuilt("A")],
      is: { status: "success", finishedAt: at(2) },
    },
    { why: "its sender is gone", records: [rebuilt("A"), rebuilt("A")], is: { status: "success" } },
  ])("are one: $why", ({ records, is }) => {
    const found = mergeJob(records);
    expect(found).toMatchObject(is);
    expect(mergeJob(records.toReversed()), "in whichever order").toEqual(found);
    const whole = records.some(({ request }) => request.metadata.epoch > 0);
    expect(found?.request.resource_spec).toEqual(whole ? { cpu: 2 } : {});
    if (is.status === "success") expect(found).not.toHaveProperty("code");
    expect(found).not.toHaveProperty("percent");
  });

  it("come newest first, each once, no more than asked for", () => {
    const lists = [[job("5"), job("2"), job("1")], [rebuilt("5"), job("4"), rebuilt("2")], [job("3")]];
    expect(mergeJobs(lists, 4).map(({ id }) => id)).toEqual(["5", "4", "3", "2"]);
    expect(mergeJobs(lists, 50).map(({ id, request }) => [id, request.metadata.epoch])).toEqual(
      ["5", "4", "3", "2", "1"].map((id) => [id, 3]),
    );
    expect(mergeJobs([[], []], 50)).toEqual([]);
  });

  it("events come oldest first; of too many, the newest", () => {
    const lists = [[event("a", 1), event("b", 4)], [event("c", 2)], [event("d", 3)]];
    expect(mergeEvents(lists, undefined).map(({ key }) => key.name)).toEqual(["a", "c", "d", "b"]);
    expect(mergeEvents(lists, 2).map(({ key }) => key.name)).toEqual(["d", "b"]);
  });
});

/** A replica's own history, in memory. */
class Known implements History {
  readonly asked: string[] = [];
  readonly #jobs: Map<string, JobRecord>;
  readonly #watchers = new Set<Latest<JobRecord>>();
  readonly #events: readonly EventReport[];

  constructor(jobs: readonly JobRecord[], events: readonly EventReport[] = []) {
    this.#jobs = new Map(jobs.map((one) => [one.id, one]));
    this.#events = events;
  }

  put(record: JobRecord): void {
    this.#jobs.set(record.id, record);
    for (const watcher of this.#watchers) watcher.put(record.id, record);
  }

  /** Ends all streams, as a process that goes away does. */
  breakStreams(): void {
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
  }

  get readers(): number {
    return this.#watchers.size;
  }

  jobs = (): Promise<readonly JobRecord[]> => Promise.resolve([...this.#jobs.values()]);
  events = (): Promise<readonly EventReport[]> => Promise.resolve(this.#events);
  job = (id: string): Promise<JobRecord | undefined> => {
    this.asked.push(id);
    return Promise.resolve(this.#jobs.get(id));
  };

  async *jobLog(id: string): ReturnType<History["jobLog"]> {
    const record = await this.job(id);
    if (record && record.request.metadata.epoch > 0) yield { time: at(1), level: "info", text: `of ${id}` };
  }

  async *watchJobs(signal: AbortSignal): ReturnType<History["watchJobs"]> {
    const watcher = new Latest<JobRecord>(signal);
    this.#watchers.add(watcher);
    try {
      for (const record of this.#jobs.values()) if (record.finishedAt === undefined) yield record;
      yield* watcher;
      if (!signal.aborted) throw new ControlError("Unavailable", "the stream ended");
    } finally {
      this.#watchers.delete(watcher);
    }
  }
}

const failing = (error: ControlError): History => {
  const fail = (): Promise<never> => Promise.reject(error);
  return {
    jobs: fail,
    events: fail,
    job: fail,
    async *jobLog() {
      yield await fail();
    },
    async *watchJobs() {
      yield await fail();
    },
  };
};

const peer = (name: string, history: History, hosts: readonly string[] = [`${name}-host`]): Peer => ({
  name,
  hosts,
  history,
});

const across = (own: History, ...peers: readonly Peer[]): EveryReplica =>
  new EveryReplica({ own, peers: () => peers, clock: systemClock });

const silent = failing(new ControlError("Unavailable", "it does not answer at 10.0.0.3:8444: connect ECONNREFUSED"));
const standby = failing(new ControlError("Standby", "this process is a standby"));

describe("every replica", () => {
  it("tells the jobs and events of all, and names who was not heard", async () => {
    const own = new Known([job("1")], [event("a", 1)]);
    const many = Array.from({ length: 30 }, (_, index) => `h${String(index).padStart(2, "0")}`);
    const all = across(
      own,
      peer("b", new Known([job("2")], [event("b", 0)])),
      peer("c", silent, many),
      peer("d", standby),
    );
    const missing: MissingReplica[] = [];
    const tell = (one: MissingReplica): void => void missing.push(one);
    expect((await all.jobs({}, tell)).map(({ id }) => id)).toEqual(["2", "1"]);
    expect((await all.events({}, tell)).map(({ key }) => key.name)).toEqual(["b", "a"]);
    const gone = {
      name: "c",
      hosts: many.slice(0, 10),
      hostCount: 30,
      why: "it does not answer at 10.0.0.3:8444: connect ECONNREFUSED",
    };
    expect(missing).toEqual([gone, gone]);
  });

  it("finds a job wherever it is; what may be with one that is silent is not called absent", async () => {
    const own = new Known([job("1"), rebuilt("2")]);
    const other = new Known([job("2"), job("3")]);
    const all = across(own, peer("b", other));
    expect(await all.job("1")).toMatchObject({ id: "1" });
    expect(other.asked, "nobody need be asked").toEqual([]);
    expect((await all.job("2"))?.request.metadata.epoch).toBe(3);
    expect(await all.job("3")).toMatchObject({ id: "3" });
    expect(await all.job("9")).toBeUndefined();
    const broken = across(own, peer("b", other), peer("c", silent));
    expect(await broken.job("3")).toMatchObject({ id: "3" });
    await expect(broken.job("9")).rejects.toMatchObject({
      code: "Unavailable",
      message: expect.stringContaining("not heard: c (it does not answer at 10.0.0.3:8444") as unknown,
    });
  });

  it("reads a log where the job was sent", async () => {
    const all = across(new Known([rebuilt("2")]), peer("b", new Known([job("2")])));
    const texts: string[] = [];
    for await (const { text } of all.jobLog("2", { follow: false }, new AbortController().signal)) texts.push(text);
    expect(texts).toEqual(["of 2"]);
  });

  it("reads a log of its own without a word to the others", async () => {
    const other = new Known([rebuilt("2")]);
    const all = across(new Known([job("2")]), peer("b", other), peer("c", silent));
    const texts: string[] = [];
    for await (const { text } of all.jobLog("2", { follow: false }, new AbortController().signal)) texts.push(text);
    expect(texts).toEqual(["of 2"]);
    expect(other.asked).toEqual([]);
  });

  it(
    "follows all at once, also one whose stream broke or that came later, until it is left",
    { timeout: 60_000 },
    async () => {
      const own = new Known([running("1")]);
      const [b, c] = [new Known([running("2"), job("4")]), new Known([])];
      const peers = [peer("b", b), peer("d", silent)];
      const all = new EveryReplica({ own, peers: () => peers, clock: systemClock });
      const end = new AbortController();
      const news = all.watchJobs(end.signal);
      const next = async (): Promise<JobRecord> => (await news.next()).value as JobRecord;
      expect([(await next()).id, (await next()).id].toSorted()).toEqual(["1", "2"]);
      b.put(job("2"));
      expect(await next()).toMatchObject({ id: "2", status: "success" });
      b.breakStreams();
      peers.push(peer("c", c));
      c.put(running("3"));
      b.put(running("5"));
      expect([(await next()).id, (await next()).id].toSorted()).toEqual(["3", "5"]);
      // Who takes the host over knows the end of it alone, and nobody is asked for the rest.
      own.put(rebuilt("4", { status: "error", code: "DiskFull" }));
      expect(await next()).toMatchObject({ id: "4", status: "error", request: { metadata: { epoch: 0 } } });
      expect([own.asked, b.asked, c.asked]).toEqual([[], [], []]);
      // Read together, what was sent and what was rebuilt are both told.
      b.put(job("6", { message: "done" }));
      own.put(rebuilt("6"));
      const both = [await next(), await next()].map(({ id, request }) => [id, request.metadata.epoch]);
      expect(both.toSorted()).toEqual([
        ["6", 0],
        ["6", 3],
      ]);
      end.abort();
      expect((await news.next()).done).toBe(true);
      expect([own.readers, b.readers, c.readers]).toEqual([0, 0, 0]);
    },
  );

  it("asks one that only waits less and less often, until it has hosts, or its stream lasted", async () => {
    const clock = new FakeClock();
    let asks = 0;
    let waits = true;
    const there = new Known([]);
    const history: History = {
      ...standby,
      async *watchJobs(signal) {
        asks += 1;
        yield* (waits ? standby : there).watchJobs(signal);
      },
    };
    const peers = [peer("b", history, [])];
    const all = new EveryReplica({ own: new Known([]), peers: () => peers, clock });
    const end = new AbortController();
    const news = all.watchJobs(end.signal);
    const first = news.next();
    const within = async (seconds: number): Promise<number> => {
      const before = asks;
      await clock.advance(seconds * 1000);
      return asks - before;
    };
    await clock.advance(1000);
    expect(asks, "at once").toBe(1);
    expect(await within(60), "after 2, 4, 8, 16 and 30 s").toBe(5);
    expect(await within(300)).toBe(10);
    peers.splice(0, 1, peer("b", history, ["hv1"]));
    waits = false;
    expect(await within(2), "it leads").toBe(1);
    expect(await within(60)).toBe(0);
    there.breakStreams();
    expect(await within(4), "soon: it was there for long").toBe(1);
    end.abort();
    expect((await first).done).toBe(true);
  });

  it("ends with an error when its own stream does, which nobody takes for silence", async () => {
    const own = new Known([running("1")]);
    const other = new Known([]);
    const news = across(own, peer("b", other)).watchJobs(new AbortController().signal);
    expect((await news.next()).value).toMatchObject({ id: "1" });
    own.breakStreams();
    await expect(news.next()).rejects.toThrow("the stream ended");
    expect(other.readers).toBe(0);
  });
});
