import {
  TransportError,
  type Clock,
  type HostSettings,
  type Logger,
  type Random,
  type Transport,
} from "../engine/ports.ts";
import type { ProtocolCheck } from "../protocol/check.ts";
import { fault, type Fault } from "../protocol/errors.ts";
import type { HelloData, JobRequest, JobResult, Operation, OperationSpecs } from "../protocol/generated/types.ts";
import { envelope, type Enquiry, type Sender } from "./envelope.ts";
import { fencing } from "./fence.ts";
import { AgentPool, faultOf } from "./pool.ts";
import type { Reply } from "./session.ts";

export interface ConnectionOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly check: ProtocolCheck;
  readonly controlPlaneId: string;
  /** This process's epoch for the host of this uid; 0 where it only looks. */
  readonly epoch: (uid: string) => number;
  /** Makes that epoch at least `min`, durably, and gives it. */
  readonly raiseEpoch: (min: number, uid: string) => Promise<number>;
  readonly transportFor: (settings: HostSettings) => Transport;
  /** Why an agent must get no job, e.g. another version; undefined = it is fine. */
  readonly refuseAgent?: (hello: HelloData) => Fault | undefined;
}

interface Listeners {
  readonly onStray: (result: JobResult) => void;
  readonly onGarbage: () => void;
  readonly onDown: () => void;
}

export type Connected =
  | { readonly at: "connected"; readonly hello: HelloData }
  | { readonly at: "failed"; readonly fault: Fault; readonly hello?: HelloData }
  /** The settings changed meanwhile: this attempt tells nothing. */
  | { readonly at: "superseded" };

const SESSION_RETRY_MS = 60_000;
const HELLO_SECONDS = 30;
/** After a line that is no message, questions in flight are given up this much later: the line may have been an answer. */
const GARBAGE_GRACE_MS = 10_000;

/** The way to one host: the sessions of its present settings, and the epoch that is sent to it. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #listeners: Listeners;
  #settings: HostSettings;
  #pool: AgentPool;
  #epochUsed: number | undefined;
  #sessionTriedAt = 0;
  #charactersBefore = 0;
  readonly #questions = new Set<AbortController>();

  constructor(settings: HostSettings, options: ConnectionOptions, listeners: Listeners) {
    this.#settings = settings;
    this.#options = options;
    this.#listeners = listeners;
    this.#pool = this.#newPool();
  }

  get pool(): AgentPool {
    return this.#pool;
  }

  get mode(): AgentPool["mode"] {
    return this.#pool.mode;
  }

  /** Sent and received over all sessions so far. */
  get characters(): number {
    return this.#charactersBefore + this.#pool.characters;
  }

  sender(): Sender {
    const { controlPlaneId, epoch } = this.#options;
    return { host: this.#settings.name, controlPlaneId, epoch: this.#epochUsed ?? epoch(this.#settings.uid) };
  }

  /** Opens a session and settles the epoch. Never rejects. */
  async connect(): Promise<Connected> {
    const pool = this.#pool;
    try {
      const hello = await pool.connect();
      const refusal = this.#options.refuseAgent?.(hello) ?? (await this.#fence(hello));
      if (refusal) pool.disconnect(refusal);
      if (pool !== this.#pool) return { at: "superseded" };
      return refusal ? { at: "failed", fault: refusal, hello } : { at: "connected", hello };
    } catch (error) {
      return pool === this.#pool ? { at: "failed", fault: faultOf(error) } : { at: "superseded" };
    }
  }

  /** Asks the agent something short. */
  async ask<O extends Operation>(operation: O, spec: OperationSpecs[O], deadlineSeconds: number): Promise<Reply<O>> {
    const enquiry = { id: this.#options.random.ulid(), operation, spec, deadlineSeconds };
    const patience = new AbortController();
    this.#questions.add(patience);
    const options = { waitMs: deadlineSeconds * 1000, signal: patience.signal };
    try {
      return await this.#pool.call(this.#request(this.sender(), enquiry), "control", options);
    } finally {
      this.#questions.delete(patience);
    }
  }

  /** A line came that is no message: whoever still waits for an answer after the grace asks again. */
  async #doubtQuestions(): Promise<void> {
    const inFlight = [...this.#questions];
    await this.#options.clock.sleep(GARBAGE_GRACE_MS);
    for (const question of inFlight) question.abort();
  }

  /** While jobs run one-shot: goes over to a session if one can be had, tried once a minute. */
  async improve(): Promise<void> {
    const now = this.#options.clock.now().getTime();
    if (this.#pool.mode !== "oneShot" || now - this.#sessionTriedAt < SESSION_RETRY_MS) return;
    this.#sessionTriedAt = now;
    await this.#pool.retrySession();
  }

  /** Leaves all sessions and starts anew with these settings. */
  replace(settings: HostSettings): void {
    this.#charactersBefore += this.#pool.characters;
    this.#pool.close(fault("HostUnreachable", "the connection's settings changed"));
    this.#settings = settings;
    this.#pool = this.#newPool();
  }

  /** Leaves the sessions; `connect` may follow. */
  disconnect(why: Fault): void {
    this.#pool.disconnect(why);
  }

  close(why: Fault): void {
    this.#pool.close(why);
  }

  async #fence(hello: HelloData): Promise<Fault | undefined> {
    const { uid } = this.#settings;
    const verdict = fencing(hello, this.#options.controlPlaneId, this.#options.epoch(uid), this.#epochUsed);
    if (verdict.do === "stop") return verdict.fault;
    this.#epochUsed = verdict.do === "use" ? verdict.epoch : await this.#options.raiseEpoch(verdict.min, uid);
    return undefined;
  }

  #request<O extends Operation>(sender: Sender, enquiry: Enquiry<O>): JobRequest & { operation: O } {
    return envelope(sender, enquiry, this.#options.clock.now()) as JobRequest & { operation: O };
  }

  /** Settings that allow no transport are told like any other failure to connect. */
  #transport(): Transport {
    try {
      return this.#options.transportFor(this.#settings);
    } catch (error) {
      const refuse = (): Promise<never> => Promise.reject(new TransportError(faultOf(error)));
      return { session: refuse, oneShot: refuse };
    }
  }

  #newPool(): AgentPool {
    const { clock, random, log, check } = this.#options;
    const hello = () => {
      const enquiry = {
        id: random.ulid(),
        operation: "agent.hello",
        spec: {},
        deadlineSeconds: HELLO_SECONDS,
      } as const;
      return this.#request<"agent.hello">({ ...this.sender(), epoch: 0 }, enquiry);
    };
    const onDown = (why: Fault) => {
      log.warn({ host: this.#settings.name, fault: why }, "the session to the host is lost, it is opened anew");
      this.#listeners.onDown();
    };
    const { onStray } = this.#listeners;
    const onGarbage = (): void => {
      this.#listeners.onGarbage();
      void this.#doubtQuestions();
    };
    return new AgentPool({
      transport: this.#transport(),
      clock,
      random,
      log,
      check,
      hello,
      onStray,
      onGarbage,
      onDown,
    });
  }
}
