import { missingHeader, missingIn, type MissingReplica } from "../../../src/api/missingReplicas.ts";
import type { JobRecord } from "../../../src/engine/ports.ts";
import { open } from "./api.ts";
import { Cell } from "./cell.svelte.ts";
import { repeatedly } from "./refresh.ts";
import { backoff, messages } from "./stream.ts";

const kept = 1000;
const listed = 300;
/** How often it is asked whether all replicas are heard: the stream does not tell. */
const heardMs = 15_000;
const batchMs = 100;

/** From what the host's agent remembers: it has the job's true end, and nothing of its request. */
const isRebuilt = ({ request }: JobRecord): boolean => request.metadata.epoch === 0;

/**
 * What is known of a job with what is told of it now. A list may come later than what the stream told since it was asked for: no job that
 * ended is under way again. Who took a host over knows the end better, who sent the job all else.
 */
const together = (known: JobRecord | undefined, told: JobRecord): JobRecord => {
  if (!known) return told;
  if (isRebuilt(told) !== isRebuilt(known)) return isRebuilt(told) ? withEnd(known, told) : withEnd(told, known);
  return known.finishedAt !== undefined && told.finishedAt === undefined ? known : told;
};

const withEnd = (sent: JobRecord, rebuilt: JobRecord): JobRecord => {
  if (rebuilt.finishedAt === undefined || sent.status === rebuilt.status) return sent;
  const { code: _, message: __, percent: ___, result: ____, ...rest } = sent;
  const { status, finishedAt, code, durationMs } = rebuilt;
  return {
    ...rest,
    status,
    finishedAt,
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(code === undefined ? {} : { code }),
  };
};

/** Jobs of the control plane, newest first; followed while a page shows them. */
class Jobs {
  readonly list = new Cell<readonly JobRecord[]>([]);
  readonly ready = new Cell(false);
  /** Why they can't be read; undefined while they can. */
  readonly fault = new Cell<unknown>(undefined);
  /** Replicas whose jobs are not in the list. */
  readonly missing = new Cell<readonly MissingReplica[]>([]);
  readonly #byId = new Map<string, JobRecord>();
  #users = 0;
  #end: AbortController | undefined;
  /** As many as are missing. The effects that follow would begin anew with each change of a cell that they read. */
  #unheard = 0;
  #hearing: ReturnType<typeof repeatedly> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Call in an effect: follows until what it returns is called by the last one. */
  readonly follow = (): (() => void) => {
    this.#users += 1;
    if (this.#users === 1) {
      this.#end = new AbortController();
      void this.#run(this.#end.signal);
      this.#hearing = repeatedly((signal) => this.#hear(signal), heardMs);
    }
    return () => {
      this.#users -= 1;
      if (this.#users > 0) return;
      this.#end?.abort();
      this.#hearing?.stop();
    };
  };

  async #run(signal: AbortSignal): Promise<void> {
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        await this.#list(signal);
        this.ready.current = true;
        for await (const job of messages<JobRecord>("/v1/jobs/watch", signal)) {
          attempt = 0;
          this.#take(job);
          this.#timer ??= setTimeout(() => this.#show(), batchMs);
        }
      } catch (error) {
        if (signal.aborted) return;
        this.fault.current = error;
      }
      await new Promise((resolve) => setTimeout(resolve, backoff(Math.max(1, attempt), Math.random())));
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    for (const job of await this.#read(listed, signal)) this.#take(job);
    this.#show();
  }

  #take(job: JobRecord): void {
    this.#byId.set(job.id, together(this.#byId.get(job.id), job));
  }

  async #hear(signal: AbortSignal): Promise<void> {
    const before = this.#unheard;
    await this.#read(1, signal);
    // What one did that is heard again was not in the list.
    if (this.#unheard < before) await this.#list(signal);
  }

  async #read(limit: number, signal: AbortSignal): Promise<readonly JobRecord[]> {
    const response = await open(`/v1/jobs?limit=${limit}`, { signal });
    const missing = missingIn(response.headers.get(missingHeader));
    this.#unheard = missing.length;
    this.missing.current = missing;
    return (await response.json()) as readonly JobRecord[];
  }

  #show(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.fault.current = undefined;
    // Ids are ULIDs: their order is that of time.
    const all = [...this.#byId.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
    for (const old of all.splice(kept)) this.#byId.delete(old.id);
    this.list.current = all;
  }
}

export const jobs = new Jobs();
