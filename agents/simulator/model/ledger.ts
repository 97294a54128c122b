import type { Clock } from "../../../src/engine/ports.ts";
import type { JobRequest, JobResult, RunningJob } from "../../../src/protocol/generated/types.ts";
import { auditOf, type Audit, type AuditEntry } from "./audit.ts";
import { JobError } from "./errors.ts";
import { keep } from "./kept.ts";
import type { HostStore } from "./state.ts";
import type { Run } from "./types.ts";
import { World } from "./world.ts";

interface LedgerParts {
  readonly store: HostStore;
  readonly clock: Clock;
  readonly process: { readonly id: string; alive(id: string): boolean };
  readonly audit?: Audit;
  /** Whether this process runs the job. */
  readonly isRunning: (correlationId: string) => boolean;
}

const locksOf = (request: JobRequest): readonly string[] => {
  const { owner, vmOwner } = request.resource_spec as { owner?: { uid: string }; vmOwner?: { uid: string } };
  return [...new Set([...request.metadata.locks, owner?.uid, vmOwner?.uid].filter((one) => one !== undefined))];
};

/** The changing jobs of all processes on the host: who holds which lock, and which control plane leads. */
export class JobLedger {
  readonly #parts: LedgerParts;

  constructor(parts: LedgerParts) {
    this.#parts = parts;
  }

  /** Notes something on a running job, where other processes see it. */
  note(id: string, change: Pick<Run, "percent"> | Pick<Run, "cancel">): void {
    this.#parts.store.transact((tx) => {
      const run = tx.get(`run:${id}`) as Run | undefined;
      if (run) tx.put(`run:${id}`, { ...run, ...change });
    });
  }

  /** Fence and locks, in one step: of two processes only one gets them. */
  begin(request: JobRequest): void {
    const { control_plane: controlPlane, epoch } = request.metadata;
    if (epoch === 0) throw new JobError("StaleController", "epoch 0 is for operations that change nothing");
    const locks = locksOf(request);
    this.#parts.store.transact((tx) => {
      const world = new World(tx);
      const highest = (tx.get(`epoch:${controlPlane}`) as number | undefined) ?? 0;
      if (epoch < highest)
        throw new JobError("StaleController", `epoch ${epoch} is older than ${highest}, the highest seen on this host`);
      for (const run of world.runs()) this.#refuseLocked(world, run, locks);
      if (epoch > highest) tx.put(`epoch:${controlPlane}`, epoch);
      const run: Run = {
        correlation_id: request.correlation_id,
        operation: request.operation,
        locks,
        startedAt: this.#parts.clock.now().toISOString(),
        process: this.#parts.process.id,
      };
      tx.put(`run:${request.correlation_id}`, run);
      this.#note(request, { at: "begin", locks });
    });
  }

  #refuseLocked(world: World, run: Run, locks: readonly string[]): void {
    if (!this.#lives(run)) {
      world.tx.delete(`run:${run.correlation_id}`);
      const time = this.#parts.clock.now().toISOString();
      this.#parts.audit?.({ at: "died", time, id: run.correlation_id, operation: run.operation, locks: run.locks });
      return;
    }
    const shared = run.locks.find((lock) => locks.includes(lock));
    if (shared !== undefined)
      throw new JobError(
        "Busy",
        `${run.operation} ${run.correlation_id} is at work on ${shared} since ${run.startedAt}`,
      );
  }

  #lives(run: Run): boolean {
    const { process } = this.#parts;
    return run.process === process.id ? this.#parts.isRunning(run.correlation_id) : process.alive(run.process);
  }

  /** Frees the locks and keeps the result for repeats, in one step. */
  finish(request: JobRequest, result: JobResult): void {
    this.#parts.store.transact((tx) => {
      tx.delete(`run:${request.correlation_id}`);
      this.#note(request, { at: "end", ...(result.code === undefined ? {} : { code: result.code }) });
      keep(tx, { operation: request.operation, finishedAt: this.#parts.clock.now().toISOString(), result });
    });
  }

  /** A job that was not begun. */
  refused(request: JobRequest, code: string): void {
    this.#parts.store.transact(() => this.#note(request, { at: "refused", locks: locksOf(request), code }));
  }

  #note(request: JobRequest, more: Pick<AuditEntry, "at" | "locks" | "code">): void {
    this.#parts.audit?.({ ...auditOf(request, this.#parts.clock.now()), ...more });
  }

  /** Jobs in progress on this host, those of other living processes included. */
  runs(): RunningJob[] {
    const runs = this.#parts.store.read((tx) => new World(tx).runs());
    return runs
      .filter((run) => this.#lives(run))
      .map(({ correlation_id, operation, startedAt, locks, percent }) => ({
        correlation_id,
        operation: operation as RunningJob["operation"],
        startedAt,
        locks: [...locks],
        ...(percent === undefined ? {} : { percent }),
      }));
  }
}
