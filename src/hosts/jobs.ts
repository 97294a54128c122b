import type { JobInFlight, JobOrder, JobOutcome } from "../engine/ports.ts";
import { fault, type Fault } from "../protocol/errors.ts";
import type { Delta, JobRequest, JobResult, LogLine, Operation } from "../protocol/generated/types.ts";
import type { Connection } from "./connection.ts";
import { envelope, type Enquiry } from "./envelope.ts";
import {
  endedRecord,
  endOf,
  heldBy,
  inFlight,
  isChange,
  observedIn,
  outcomeOf,
  placeInLine,
  recordOf,
  timedOut,
  type Job,
  type JobEnd,
} from "./job.ts";
import type { HostPorts } from "./parts.ts";
import { GRACE_MS, JobSearch, POLL_MS } from "./search.ts";
import type { Reply } from "./session.ts";
import { Slots, type SlotLimits } from "./slots.ts";
import { Uncertainty } from "./uncertainty.ts";

export interface JobsOptions extends HostPorts {
  readonly limits: SlotLimits;
  readonly connection: Connection;
  /** Whether jobs may be sent now; else they wait, or end with the fault. */
  readonly readiness: () =>
    { readonly at: "ready" } | { readonly at: "waiting" } | { readonly at: "refused"; readonly fault: Fault };
  readonly fold: (observed: Delta, times: { readonly sentAt: Date; readonly at: Date }) => void;
  readonly wake: (uids: readonly string[]) => void;
  readonly refresh: () => void;
  /** The host follows a newer control plane process. */
  readonly onStale: (fault: Fault) => void;
}

const WAKE_MS = 1_000;

/** The jobs of one host: waiting for a slot, running, and those given up that may still run. */
export class Jobs {
  readonly #options: JobsOptions;
  readonly #slots: Slots<Job>;
  readonly #search: JobSearch;
  readonly #byUid = new Map<string, Job[]>();
  /** Jobs that ended for us and perhaps not on the host, by id. */
  readonly #lingering = new Map<string, Job>();
  /** Bad ends in a row, by uid and operation. */
  readonly #attempts = new Map<string, number>();
  readonly uncertainty = new Uncertainty();
  readonly #gone = new AbortController();
  #idle: (() => void)[] = [];
  #suspecting = false;
  /** Jobs sent so far. */
  sent = 0;

  constructor(options: JobsOptions) {
    this.#options = options;
    this.#slots = new Slots(options.limits);
    this.#search = new JobSearch({
      clock: options.clock,
      check: options.check,
      ask: (operation, spec, seconds) => options.connection.ask(operation, spec, seconds),
      progressed: (job, percent) => this.#progressed(job, percent),
      gone: this.#gone.signal,
    });
  }

  resize(limits: SlotLimits): void {
    this.#slots.resize(limits);
    this.pump();
  }

  of(uid: string, but?: string): JobInFlight | undefined {
    const jobs = (this.#byUid.get(uid) ?? []).filter(({ id }) => id !== but);
    const job = jobs.find((held) => held.sentAt) ?? jobs[0];
    return job && inFlight(job);
  }

  submit(order: JobOrder, done: (outcome: JobOutcome) => void): void {
    const now = this.#options.clock.now();
    const id = this.#options.random.ulid();
    const { operation, spec, long } = order.step;
    const job: Job = {
      id,
      order,
      done,
      attempt: (this.#attempts.get(`${order.uid}/${operation}`) ?? 0) + 1,
      queuedAt: now,
      heardAt: now,
      stray: Promise.withResolvers(),
      request: this.#request({ id, operation, spec, locks: heldBy(order), ...limitsOf(order) }),
      ...placeInLine(operation, long ?? false),
      locks: heldBy(order),
      logged: false,
      waited: false,
    };
    const other = (this.#byUid.get(order.uid) ?? []).find((held) => held.order.uid === order.uid);
    this.#options.journal.put(recordOf(job));
    for (const uid of job.locks) this.#byUid.set(uid, [...(this.#byUid.get(uid) ?? []), job]);
    if (other) return this.#refuse(job, fault("Busy", `${other.order.step.operation} ${other.id} is at work on it`));
    this.#slots.add(job);
    this.pump();
    job.waited = !this.#slots.running.has(job);
  }

  /** Starts what may start. */
  pump(): void {
    const readiness = this.#options.readiness();
    if (readiness.at === "waiting") return;
    if (readiness.at === "refused") return this.#slots.drain().forEach((job) => this.#refuse(job, readiness.fault));
    for (const job of this.#slots.take()) void this.#execute(job);
  }

  /** A result nobody waits for on its session: of a job asked for again and again, or given up. */
  stray(result: JobResult): void {
    for (const job of this.#slots.running) if (job.id === result.correlation_id) job.stray.resolve(result);
    const lingering = this.#lingering.get(result.correlation_id);
    if (lingering) this.#settled(lingering);
  }

  /** Asks for every job that was given up whether it has ended by now. To be called before an inventory starts. */
  async settleLingering(): Promise<void> {
    for (const job of this.#lingering.values()) {
      const told = await this.#search.ask(job);
      if (told && told.state !== "Running") this.#settled(job);
    }
  }

  /** The agent wrote something that can't be read, perhaps somebody's result: asks for everything that runs. */
  async suspect(): Promise<void> {
    if (this.#suspecting) return;
    this.#suspecting = true;
    await this.#options.clock.sleep(POLL_MS, this.#gone.signal);
    this.#suspecting = false;
    for (const job of this.#slots.running) {
      const told = await this.#search.ask(job);
      if (told?.state === "Finished" && told.result) job.stray.resolve(told.result);
    }
  }

  /** Resolves when no job runs. */
  async idle(): Promise<void> {
    if (this.#slots.running.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Gives up what runs: nobody will answer any more. */
  abandon(): void {
    this.#gone.abort();
    this.pump();
  }

  /** What it observed is not used: an inventory taken in since may be newer. */
  #settled(job: Job): void {
    this.#lingering.delete(job.id);
    this.uncertainty.ended(job.id);
    this.#options.refresh();
  }

  #request<O extends Operation>(enquiry: Enquiry<O>): JobRequest & { operation: O } {
    return envelope(this.#options.connection.sender(), enquiry, this.#options.clock.now()) as JobRequest & {
      operation: O;
    };
  }

  #refuse(job: Job, why: Fault): void {
    // Later: nobody expects the outcome before submit has returned.
    queueMicrotask(() => this.#finish(job, { effect: "none", fault: why }));
  }

  async #execute(job: Job): Promise<void> {
    if (job.waited && !(await this.#stillMeant(job))) return this.#finish(job, { effect: "none", withdrawn: true });
    const now = this.#options.clock.now();
    const { operation, spec } = job.order.step;
    job.sentAt = now;
    job.heardAt = now;
    job.request = this.#request({ id: job.id, operation, spec, locks: job.locks, ...limitsOf(job.order) });
    this.sent += 1;
    this.#options.journal.put(recordOf(job));
    let end: JobEnd;
    try {
      end = await this.#run(job);
    } catch (error) {
      this.#options.log.error({ error, job: job.id }, "a job failed inside the control plane");
      end = {
        effect: "unknown",
        fault: fault("InternalError", error instanceof Error ? error.message : String(error)),
      };
    }
    this.#finish(job, end);
  }

  async #stillMeant({ id, order }: Job): Promise<boolean> {
    try {
      return (await order.stillMeant?.(id)) ?? true;
    } catch (error) {
      this.#options.log.warn({ error, job: id }, "whether a job is still meant can't be told: it is withdrawn");
      return false;
    }
  }

  async #run(job: Job): Promise<JobEnd> {
    const settled = new AbortController();
    const { signal } = settled;
    try {
      const call = this.#options.connection.pool.call(job.request, "job", {
        listener: { log: (line) => this.#logged(job, line), progress: (percent) => this.#progressed(job, percent) },
        waitMs: job.order.deadlineSeconds * 1000 + GRACE_MS,
        signal,
      });
      const stray = job.stray.promise.then((result) => this.#search.told(job, result));
      return await Promise.race([
        call.then((reply) => this.#replied(job, reply)),
        stray,
        this.#search.lostReply(job, signal),
      ]);
    } finally {
      settled.abort("settled");
    }
  }

  async #replied(job: Job, reply: Reply): Promise<JobEnd> {
    switch (reply.at) {
      case "unsent":
        return { effect: "none", fault: reply.fault };
      case "answered":
        if (reply.checked.ok || reply.checked.result) return endOf(reply.checked);
        return await this.#search.recover(job, reply.checked.fault);
      case "lost":
        return await this.#search.recover(job, reply.fault);
      case "silent":
        return await this.#search.recover(job, timedOut(job).fault ?? reply.fault);
      default:
        return reply satisfies never;
    }
  }

  #logged(job: Job, line: LogLine): void {
    job.heardAt = this.#options.clock.now();
    job.logged = true;
    this.#options.journal.log(job.id, line);
  }

  #progressed(job: Job, percent: number): void {
    const now = this.#options.clock.now();
    job.heardAt = now;
    if (job.percent === percent) return;
    job.percent = percent;
    this.#options.journal.put(recordOf(job));
    if (job.wokenAt && now.getTime() - job.wokenAt.getTime() < WAKE_MS) return;
    job.wokenAt = now;
    this.#options.wake([job.order.uid]);
  }

  /** Folded first, then told: whoever is woken sees the state after the job. */
  #finish(job: Job, end: JobEnd): void {
    const now = this.#options.clock.now();
    const { operation, dryRun } = { dryRun: false, ...job.order, ...job.order.step };
    const observed = end.late ? undefined : observedIn(end.result);
    if (observed && end.effect !== "none")
      this.#options.fold(observed, { sentAt: job.sentAt ?? job.queuedAt, at: now });
    if (isChange(operation) && !dryRun) this.#judge(job, end, observed !== undefined);
    this.#count(job, end);
    this.#journalEnd(job, end, now);
    this.#release(job);
    if (end.fault?.code === "StaleController") this.#options.onStale(end.fault);
    // The others that waited for its locks; its own object is woken by the outcome. A refused job has held nobody up; one that was withdrawn has.
    const others = job.locks.filter((uid) => uid !== job.order.uid);
    if ((end.effect !== "none" || end.withdrawn) && others.length > 0) this.#options.wake(others);
    try {
      job.done(outcomeOf(job, end, now));
    } catch (error) {
      this.#options.log.error({ error, job: job.id }, "the receiver of a job's outcome failed");
    }
    this.pump();
  }

  #judge(job: Job, end: JobEnd, observed: boolean): void {
    if (end.effect === "none") return;
    if (end.effect === "mayRun") this.#lingering.set(job.id, job);
    const doubt = end.effect === "known" ? end.late && lateAnswer : end.fault;
    if (doubt) this.uncertainty.doubt(job.locks, doubt, end.effect === "mayRun" ? job.id : undefined);
    else if (observed) this.uncertainty.covered(job.locks);
    // An error without a look at what is there: what we know may be the reason for it.
    if (doubt || (end.fault && !observed)) this.#options.refresh();
  }

  #count(job: Job, end: JobEnd): void {
    const name = `${job.order.uid}/${job.order.step.operation}`;
    if (end.withdrawn) return;
    if (end.fault) this.#attempts.set(name, job.attempt);
    else this.#attempts.delete(name);
  }

  #journalEnd(job: Job, end: JobEnd, now: Date): void {
    if (!job.logged) for (const line of end.result?.logs ?? []) this.#options.journal.log(job.id, line);
    this.#options.journal.put(endedRecord(job, end, now));
  }

  #release(job: Job): void {
    this.#slots.release(job);
    for (const uid of job.locks) {
      const rest = (this.#byUid.get(uid) ?? []).filter((other) => other !== job);
      if (rest.length > 0) this.#byUid.set(uid, rest);
      else this.#byUid.delete(uid);
    }
    if (this.#slots.running.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

const lateAnswer = fault("ProtocolError", "the answer came late, so the host is looked at before anything else");

const limitsOf = (order: JobOrder) => ({
  deadlineSeconds: order.deadlineSeconds,
  ...(order.dryRun !== undefined && { dryRun: order.dryRun }),
});
