import type { Clock, Random } from "../../../src/engine/ports.ts";
import { ProtocolCheck } from "../../../src/protocol/check.ts";
import { isErrorCode, type ErrorCode } from "../../../src/protocol/errors.ts";
import {
  OPERATION_EFFECTS,
  type HelloData,
  type JobCancelData,
  type JobGetData,
  type JobRequest,
  type JobResult,
} from "../../../src/protocol/generated/types.ts";
import type { Audit } from "./audit.ts";
import { JobError } from "./errors.ts";
import { striking, type Behaviour, type Fault } from "./faults.ts";
import { CrashError, Job, type Answer, type Emit, type JobParts, type OperationHandler } from "./job.ts";
import { keptList, keptResult } from "./kept.ts";
import { JobLedger } from "./ledger.ts";
import { shortMs } from "./latency.ts";
import { OPERATIONS, type HostOperation } from "./operations/index.ts";
import { inventory } from "./operations/host.ts";
import type { HostStore } from "./state.ts";
import { textProblem } from "./texts.ts";
import { observe } from "./views.ts";
import { World } from "./world.ts";

export interface AgentParts {
  /** Shared by many agents of one process; made anew when absent. */
  readonly check?: ProtocolCheck;
  readonly store: HostStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Asked anew for each job: the folder may be changed from outside. */
  readonly behaviour: () => Behaviour;
  /** Identity of this process, and whether that of another still lives: a dead one's jobs hold no locks. */
  readonly process: { readonly id: string; readonly pid: number; alive(id: string): boolean };
  readonly version: { readonly version: string; readonly sha256: string; readonly os: string };
  readonly audit?: Audit;
  readonly betweenEffects?: JobParts["betweenEffects"];
}

/** A job's result and what becomes of it on its way to the caller. */
export interface Delivery {
  readonly result: JobResult;
  readonly how: "whole" | "cut" | "garbage" | "duplicate" | "lost";
}

interface Running {
  readonly done: Promise<Delivery>;
  readonly abort: AbortController;
}

export const SESSION_CONCURRENCY = 64;
const NO_ID = "00000000000000000000000000";
const NIL_GUID = "00000000-0000-0000-0000-000000000000";

const failure = (id: string, code: ErrorCode, message: string): JobResult => ({
  status: "error",
  code,
  message,
  data: {},
  logs: [],
  correlation_id: id,
});

const howOf = (fault: Fault | undefined): Delivery["how"] => {
  switch (fault?.type) {
    case "cut":
    case "garbage":
    case "duplicate":
    case "lost":
      return fault.type;
    default:
      return "whole";
  }
};

/**
 * The simulated host agent: takes requests, answers results. The same class serves a process (sessions, one-shot), tests
 * and simulations under a virtual clock.
 */
export class SimulatedAgent {
  readonly #parts: AgentParts;
  readonly #check: ProtocolCheck;
  readonly #running = new Map<string, Running>();
  readonly #ledger: JobLedger;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#check = parts.check ?? new ProtocolCheck();
    this.#ledger = new JobLedger({ ...parts, isRunning: (id) => this.#running.has(id) });
  }

  /** The result of one request. Rejects only with CrashError: the process would have ended there. */
  async handle(request: unknown, emit: Emit = () => undefined): Promise<JobResult> {
    return (await this.run(request, emit)).result;
  }

  async run(request: unknown, emit: Emit): Promise<Delivery> {
    const problem = this.#check.request(request) ?? textProblem(request);
    if (problem) return { result: failure(idOf(request), "InvalidRequest", problem), how: "whole" };
    const valid = request as JobRequest;
    const present = this.#running.get(valid.correlation_id);
    if (present) return present.done;
    const kept = this.#parts.store.read((tx) => keptResult(tx, valid.correlation_id));
    if (kept) return { result: kept.result, how: "whole" };
    return this.#launch(valid, emit);
  }

  /** Ends every running job, as when the session's STDIN ends. */
  close(): void {
    for (const { abort } of this.#running.values()) abort.abort(new JobError("Timeout", "the session ended"));
  }

  #launch(request: JobRequest, emit: Emit): Promise<Delivery> {
    const abort = new AbortController();
    const done = this.#perform(request, emit, abort).finally(() => this.#running.delete(request.correlation_id));
    this.#running.set(request.correlation_id, { done, abort });
    return done;
  }

  async #perform(request: JobRequest, emit: Emit, abort: AbortController): Promise<Delivery> {
    const behaviour = this.#parts.behaviour();
    const fault = this.#strike(request, behaviour);
    const deadline = new AbortController();
    void this.#parts.clock.sleep(request.metadata.deadline_seconds * 1000, deadline.signal).then(() => {
      if (!deadline.signal.aborted)
        abort.abort(new JobError("Timeout", `not done within ${request.metadata.deadline_seconds} s`));
    });
    const { store, clock, random, audit, betweenEffects } = this.#parts;
    const { signal } = abort;
    const parts = {
      request,
      store,
      clock,
      random,
      latency: behaviour.latency,
      emit: this.#noting(request, emit),
      signal,
      ...(audit ? { audit } : {}),
      ...(betweenEffects ? { betweenEffects } : {}),
    };
    try {
      const job = new Job(fault ? { ...parts, fault } : parts);
      const result = await this.#attempt(request, job, fault);
      return { result, how: howOf(fault) };
    } finally {
      deadline.abort();
    }
  }

  /** Progress is noted with the run, where other processes and hello see it. */
  #noting(request: JobRequest, emit: Emit): Emit {
    return (line) => {
      emit(line);
      if (line.type === "progress") this.#ledger.note(request.correlation_id, { percent: line.percent });
    };
  }

  #strike(request: JobRequest, behaviour: Behaviour): Fault | undefined {
    if (behaviour.faults.length === 0) return undefined;
    const { store, random } = this.#parts;
    const job = { operation: request.operation, spec: JSON.stringify(request.resource_spec) };
    return store.transact((tx) => {
      const used = (id: string): number => (tx.get(`fault:${id}`) as number | undefined) ?? 0;
      const rule = striking(behaviour.faults, job, used, () => random.next());
      if (rule?.count !== undefined) tx.put(`fault:${rule.id}`, used(rule.id) + 1);
      return rule?.fault;
    });
  }

  async #attempt(request: JobRequest, job: Job, fault: Fault | undefined): Promise<JobResult> {
    const changes = OPERATION_EFFECTS[request.operation] === "change" && !request.metadata.dry_run;
    try {
      if (changes) this.#ledger.begin(request);
    } catch (error) {
      const refusal = this.#failed(request, job, error);
      this.#ledger.refused(request, refusal.code ?? "InternalError");
      return refusal;
    }
    const result = await this.#carryOut(request, job, fault).catch((error: unknown) =>
      this.#failed(request, job, error),
    );
    if (changes) this.#ledger.finish(request, result);
    return result;
  }

  async #carryOut(request: JobRequest, job: Job, fault: Fault | undefined): Promise<JobResult> {
    if (fault?.type === "error") throw new JobError(fault.code, fault.message ?? `made to fail with ${fault.code}`);
    if (fault?.type === "hang") await this.#hang(job);
    if (fault?.type === "slow") await job.wait(fault.ms);
    await job.work(shortMs(job.latency, request.operation, job.chance()));
    const answer = await this.#answer(request, job, fault);
    return {
      status: "success",
      message: request.metadata.dry_run ? "it would work; nothing was changed" : "done",
      data: request.metadata.dry_run ? dryAnswer(answer, this.#known()) : this.#withObserved(request, job, answer),
      logs: job.logs,
      correlation_id: request.correlation_id,
    };
  }

  /** Waits until the deadline or the process ends. */
  async #hang(job: Job): Promise<void> {
    for (;;) await job.wait(3600_000);
  }

  #answer(request: JobRequest, job: Job, fault: Fault | undefined): Promise<Answer> {
    switch (request.operation) {
      case "agent.hello":
        return Promise.resolve({ ...this.hello() });
      case "job.get":
        return Promise.resolve({ ...this.#jobGet((job as Job<"job.get">).spec.correlation_id) });
      case "job.cancel":
        return Promise.resolve({ ...this.#jobCancel((job as Job<"job.cancel">).spec.correlation_id) });
      case "host.inventory": {
        const part = fault?.type === "incomplete" ? fault.part : undefined;
        return inventory(job as Job<"host.inventory">, this.#parts.store.table, part);
      }
      default:
        return (OPERATIONS[request.operation] as OperationHandler<HostOperation>)(job as Job<HostOperation>);
    }
  }

  #withObserved(request: JobRequest, job: Job, answer: Answer): JobResult["data"] {
    const silent = ["agent.hello", "job.get", "job.cancel", "host.info", "host.inventory", "host.validate"];
    return silent.includes(request.operation) ? { ...answer } : { ...answer, observed: this.#observed(job) };
  }

  #observed(job: Job): object {
    const touched = { vms: [...job.touchedVms], disks: [...job.touchedDisks], trash: [...job.touchedTrash] };
    return this.#parts.store.read((tx) => observe(new World(tx), touched));
  }

  #failed(request: JobRequest, job: Job, error: unknown): JobResult {
    if (error instanceof CrashError) throw error;
    const code = error instanceof JobError ? error.code : "InternalError";
    const message = error instanceof Error ? error.message : String(error);
    const result = failure(request.correlation_id, isErrorCode(code) ? code : "InternalError", message);
    const observed = job.dryRun ? {} : { observed: this.#observed(job) };
    return { ...result, status: job.effects > 0 ? "partial" : "error", data: observed, logs: job.logs };
  }

  #known(): (id: string) => boolean {
    return this.#parts.store.read((tx) => {
      const world = new World(tx);
      const ids = new Set([...world.vms().map((vm) => vm.id), ...world.disks().map((file) => file.diskId)]);
      return (id: string): boolean => ids.has(id);
    });
  }

  hello(): HelloData {
    const { version, sha256, os } = this.#parts.version;
    const epochs = this.#parts.store.read(() =>
      Object.fromEntries(
        [...this.#parts.store.table.of("epoch")].map(([key, entry]) => [
          key.slice("epoch:".length),
          entry.value as number,
        ]),
      ),
    );
    return {
      agent: "simulator",
      version,
      sha256,
      pid: this.#parts.process.pid,
      platform: { os },
      sessionConcurrency: SESSION_CONCURRENCY,
      epochs,
      running: this.#ledger.runs(),
      results: this.#parts.store.read(keptList),
    };
  }

  #jobGet(id: string): JobGetData {
    const run = this.#ledger.runs().find((one) => one.correlation_id === id);
    if (run) return { state: "Running", ...(run.percent === undefined ? {} : { percent: run.percent }) };
    const kept = this.#parts.store.read((tx) => keptResult(tx, id));
    return kept ? { state: "Finished", result: kept.result } : { state: "Unknown" };
  }

  /** Ends the job before its next effect. A job of another process sees the mark at its next effect. */
  #jobCancel(id: string): JobCancelData {
    const { state } = this.#jobGet(id);
    if (state !== "Running") return { state };
    this.#running.get(id)?.abort.abort(new JobError("Timeout", "the job was cancelled on request"));
    this.#ledger.note(id, { cancel: true });
    return { state: "Cancelling" };
  }
}

const idOf = (request: unknown): string => {
  const id = (request as { correlation_id?: unknown } | null)?.correlation_id;
  return typeof id === "string" && /^[0-9A-HJKMNP-TV-Z]{26}$/.test(id) ? id : NO_ID;
};

/** What a dry run answers: ids that it made up are not told, and nothing was observed. */
const dryAnswer = (answer: Answer, known: (id: string) => boolean): JobResult["data"] => {
  const hide = (id: unknown): unknown => (typeof id === "string" && !known(id) ? NIL_GUID : id);
  const ids = ["vmId", "diskId"].filter((key) => key in answer).map((key) => [key, hide(answer[key])] as const);
  return { ...answer, ...Object.fromEntries(ids), observed: {} };
};
