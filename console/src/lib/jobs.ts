import type { JobRecord } from "../../../src/engine/ports.ts";
import { v1 } from "./api.ts";
import { Cell } from "./cell.svelte.ts";
import { backoff, messages } from "./stream.ts";

const kept = 1000;
const batchMs = 100;

/** Jobs of the control plane, newest first; followed while a page shows them. */
class Jobs {
  readonly list = new Cell<readonly JobRecord[]>([]);
  readonly ready = new Cell(false);
  /** Why they can't be read; undefined while they can. */
  readonly fault = new Cell<unknown>(undefined);
  readonly #byId = new Map<string, JobRecord>();
  #users = 0;
  #end: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Call in an effect: follows until what it returns is called by the last one. */
  readonly follow = (): (() => void) => {
    this.#users += 1;
    if (this.#users === 1) {
      this.#end = new AbortController();
      void this.#run(this.#end.signal);
    }
    return () => {
      this.#users -= 1;
      if (this.#users === 0) this.#end?.abort();
    };
  };

  async #run(signal: AbortSignal): Promise<void> {
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        for (const job of await v1<readonly JobRecord[]>("jobs", { limit: 300 }, signal)) this.#byId.set(job.id, job);
        this.#show();
        this.ready.current = true;
        for await (const job of messages<JobRecord>("/v1/jobs/watch", signal)) {
          attempt = 0;
          this.#byId.set(job.id, job);
          this.#timer ??= setTimeout(() => this.#show(), batchMs);
        }
      } catch (error) {
        if (signal.aborted) return;
        this.fault.current = error;
      }
      await new Promise((resolve) => setTimeout(resolve, backoff(Math.max(1, attempt), Math.random())));
    }
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
