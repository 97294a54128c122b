import type { Clock } from "../engine/ports.ts";
import type { ProtocolCheck } from "../protocol/check.ts";
import type { Fault } from "../protocol/errors.ts";
import type { JobGetData, JobResult } from "../protocol/generated/types.ts";
import type { Connection } from "./connection.ts";
import { endOf, timedOut, type Job, type JobEnd } from "./job.ts";

export interface SearchOptions {
  readonly clock: Clock;
  readonly check: ProtocolCheck;
  readonly ask: Connection["ask"];
  readonly progressed: (job: Job, percent: number) => void;
  /** Nobody will answer any more. */
  readonly gone: AbortSignal;
}

/** Past its deadline, a job's agent has this long to say so itself. */
export const GRACE_MS = 10_000;
/** Between two questions for a job whose reply can't come any more. */
export const POLL_MS = 1_000;
/** A job not heard of for so long is asked for: its reply may be lost. */
const SILENCE_MS = 10_000;
const ASK_SECONDS = 15;

/** Finds out how a job ended when its reply does not tell. */
export class JobSearch {
  readonly #options: SearchOptions;

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  /** What the agent knows of the job; undefined when it can't be asked. */
  async ask(job: Job): Promise<JobGetData | undefined> {
    const reply = await this.#options.ask("job.get", { correlation_id: job.id }, ASK_SECONDS);
    return reply.at === "answered" && reply.checked.ok ? reply.checked.result.data : undefined;
  }

  /** The end that a result tells which did not come as the job's reply. */
  told(job: Job, result: JobResult): JobEnd {
    return { ...endOf(this.#options.check.result(job.order.step.operation, job.id, result)), late: true };
  }

  /** The reply can't be had: asks for the job until it has ended, its deadline has passed, or the agent does not know it. */
  async recover(job: Job, why: Fault): Promise<JobEnd> {
    const { clock, gone, progressed } = this.#options;
    for (;;) {
      const told = await this.ask(job);
      if (told?.state === "Finished" && told.result) return this.told(job, told.result);
      if (told && told.state !== "Running") return { effect: "unknown", fault: why };
      if (told?.percent !== undefined) progressed(job, told.percent);
      if (gone.aborted) return { effect: "mayRun", fault: why };
      if (this.#overdue(job)) return this.#giveUp(job);
      await clock.sleep(POLL_MS, gone);
    }
  }

  /** Resolves only when the job is found ended while its reply has not come: the reply is lost. */
  async lostReply(job: Job, signal: AbortSignal): Promise<JobEnd> {
    const { clock } = this.#options;
    const silence = (): number => clock.now().getTime() - job.heardAt.getTime();
    while (!signal.aborted) {
      await clock.sleep(Math.max(POLL_MS, SILENCE_MS - silence()), signal);
      if (signal.aborted || silence() < SILENCE_MS) continue;
      job.heardAt = clock.now();
      const told = await this.ask(job);
      if (told?.state === "Finished" && told.result) return this.told(job, told.result);
    }
    return await new Promise<never>(() => undefined);
  }

  #giveUp(job: Job): JobEnd {
    void this.#options.ask("job.cancel", { correlation_id: job.id }, ASK_SECONDS);
    return timedOut(job);
  }

  #overdue(job: Job): boolean {
    const sent = (job.sentAt ?? job.queuedAt).getTime();
    return this.#options.clock.now().getTime() >= sent + job.order.deadlineSeconds * 1000 + GRACE_MS;
  }
}
