import { HostSnapshot, type SnapshotChange } from "../../src/engine/snapshot.ts";
import type { HostView, Hosts, JobInFlight, JobOrder, JobOutcome, Reach } from "../../src/engine/ports.ts";
import type { Delta, HelloData, InventoryData, JobResult, ValidateData } from "../../src/protocol/generated/types.ts";
import { fault, type ErrorCode, type Fault } from "../../src/protocol/errors.ts";
import type { FakeClock } from "./clock.ts";

/** How a fake host answers a job. Without `error` it succeeds; `observed` is folded in before the end is told, also on error. */
export interface FakeAnswer {
  readonly error?: ErrorCode;
  readonly message?: string;
  readonly observed?: Delta;
  readonly data?: Record<string, unknown>;
}

interface HeldJob {
  readonly order: JobOrder;
  readonly job: JobInFlight;
  readonly done: (outcome: JobOutcome) => void;
}

/** One host of FakeHosts; what a test sets is what decisions see. */
export class FakeHost implements HostView {
  readonly name: string;
  snapshot: HostSnapshot;
  reach: Reach = { at: "up", since: new Date(0) };
  agent?: HelloData;
  problems?: ValidateData["problems"];
  readonly held: HeldJob[] = [];
  readonly doubts = new Map<string, Fault>();

  constructor(name: string, controlPlaneId: string) {
    this.name = name;
    this.snapshot = new HostSnapshot(controlPlaneId);
  }

  job(uid: string, but?: string): JobInFlight | undefined {
    return this.held.find(({ order, job }) => job.id !== but && [order.uid, ...order.locks].includes(uid))?.job;
  }

  uncertain(uid: string): Fault | undefined {
    return this.doubts.get(uid);
  }
}

interface Settings {
  readonly clock: FakeClock;
  readonly controlPlaneId?: string;
  /** Told of each change, as the real directory tells the engine. */
  readonly onChange?: (host: string, change: SnapshotChange) => void;
  /** Answers jobs by itself after `latencyMs`; undefined leaves a job open until `finish`. */
  readonly answer?: (order: JobOrder, host: FakeHost) => FakeAnswer | undefined;
  readonly latencyMs?: number;
}

/** Hosts without a network: snapshots are set by the test, jobs end by `answer` or `finish`. */
export class FakeHosts implements Hosts {
  /** All jobs ever submitted, in order. */
  readonly orders: JobOrder[] = [];
  readonly refreshes: string[] = [];
  readonly #hosts = new Map<string, FakeHost>();
  readonly #settings: Settings;
  #count = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** The host of that name, made when it is new. */
  add(name: string): FakeHost {
    const present = this.#hosts.get(name);
    if (present) return present;
    const host = new FakeHost(name, this.#settings.controlPlaneId ?? "cp-1");
    this.#hosts.set(name, host);
    return host;
  }

  host(name: string): FakeHost | undefined {
    return this.#hosts.get(name);
  }

  refresh(host: string): void {
    this.refreshes.push(host);
  }

  /** Folds a complete inventory that holds exactly this. */
  inventory(name: string, observed: Delta, over: Partial<InventoryData> = {}): void {
    const host = this.add(name);
    const data: InventoryData = { digest: "x", full: true, complete: true, unknown: [], observed, ...over };
    const change = host.snapshot.foldInventory(data, this.#settings.clock.now());
    this.#settings.onChange?.(name, change);
  }

  submit(order: JobOrder, done: (outcome: JobOutcome) => void): void {
    this.orders.push(order);
    const host = this.add(order.host);
    this.#count += 1;
    const { operation } = order.step;
    const job: JobInFlight = {
      id: `job-${this.#count}`,
      operation,
      startedAt: this.#settings.clock.now(),
      key: order.key,
    };
    host.held.push({ order, job, done });
    void this.#answerLater(host, order);
  }

  async #answerLater(host: FakeHost, order: JobOrder): Promise<void> {
    await this.#settings.clock.sleep(this.#settings.latencyMs ?? 0);
    const answer = this.#settings.answer?.(order, host);
    if (answer) this.finish(host.name, order.uid, answer);
  }

  /** Ends the open job of that object. */
  finish(name: string, uid: string, answer: FakeAnswer = {}): void {
    const host = this.add(name);
    const at = host.held.findIndex(({ order }) => order.uid === uid);
    const [held] = at < 0 ? [] : host.held.splice(at, 1);
    if (!held) throw new Error(`no open job of ${uid} on ${name}`);
    const finishedAt = this.#settings.clock.now();
    const change = answer.observed && host.snapshot.fold(answer.observed, { at: finishedAt });
    const { id, operation } = held.job;
    held.done({
      id,
      operation,
      finishedAt,
      result: resultOf(id, answer),
      ...(answer.error && { fault: fault(answer.error, answer.message) }),
    });
    if (change) this.#settings.onChange?.(name, change);
  }
}

const resultOf = (id: string, { error, message, observed, data }: FakeAnswer): JobResult => ({
  status: error ? "error" : "success",
  ...(error && { code: error }),
  message: message ?? "",
  data: { ...data, ...(observed && { observed }) },
  logs: [],
  correlation_id: id,
});
