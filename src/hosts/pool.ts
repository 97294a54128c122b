import {
  TransportError,
  type AgentChannel,
  type Clock,
  type Logger,
  type Random,
  type Transport,
} from "../engine/ports.ts";
import type { ProtocolCheck } from "../protocol/check.ts";
import { fault, type Fault } from "../protocol/errors.ts";
import type { HelloData, JobRequest, JobResult, Operation } from "../protocol/generated/types.ts";
import { runOnce } from "./oneShot.ts";
import { AgentSession, type CallOptions, type Reply } from "./session.ts";

/** Which session of a one-job-a-time agent carries a question: `control` is for short questions of our own. */
export type Lane = "control" | "job";

export interface PoolOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly check: ProtocolCheck;
  /** Makes the request of agent.hello. */
  readonly hello: () => JobRequest & { operation: "agent.hello" };
  readonly onStray: (result: JobResult) => void;
  readonly onGarbage: () => void;
  /** The connection is gone: `connect` again. */
  readonly onDown: (fault: Fault) => void;
  readonly heartbeatMs?: number;
  readonly helloMs?: number;
  /** Requests after which a session is replaced by a new one. Default 500. */
  readonly recycleAfter?: number;
  /** Bytes of memory of an agent from which on it is replaced by a new one. Default 300 MiB. */
  readonly recycleAtBytes?: number;
}

/** How the agent is spoken to now. One-shot: no session can be had, each request starts the agent anew. */
type Connection =
  | { readonly at: "none"; readonly why: Fault }
  | { readonly at: "oneShot" }
  | { readonly at: "session"; readonly concurrency: number; readonly control: AgentSession };

const HEARTBEAT_MS = 5_000;
const HELLO_MS = 30_000;
const RECYCLE_AFTER = 500;
const RECYCLE_AT_BYTES = 300 * 2 ** 20;

/** The sessions of one host. One carries all where the agent runs many jobs side by side, else each job has its own. */
export class AgentPool {
  readonly #options: PoolOptions;
  readonly #stop = new AbortController();
  #connection: Connection = { at: "none", why: fault("HostUnreachable", "not connected yet") };
  /** Sessions for jobs, of an agent that runs one job a session. */
  readonly #workers = new Set<AgentSession>();
  #idle: AgentSession[] = [];
  /** Questions to the control session of such an agent wait here for their turn. */
  #line: Promise<unknown> = Promise.resolve();
  #replacing = false;
  /** Characters sent and received. */
  characters = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Has done its work: a process that lives on and on collects memory. */
  #isUsedUp({ served, memory }: AgentSession): boolean {
    const { recycleAfter = RECYCLE_AFTER, recycleAtBytes = RECYCLE_AT_BYTES } = this.#options;
    return served >= recycleAfter || memory >= recycleAtBytes;
  }

  get mode(): Connection["at"] {
    return this.#connection.at;
  }

  /** Opens the first session, or finds that the agent works one-shot only. Throws a TransportError when it can't be reached. */
  async connect(): Promise<HelloData> {
    this.#dropControl(fault("HostUnreachable", "connecting anew"));
    try {
      const { session, hello } = await this.#open();
      this.#connection = { at: "session", concurrency: hello.sessionConcurrency, control: session };
      return hello;
    } catch (error) {
      if (!(error instanceof TransportError) || this.#stop.signal.aborted) throw error;
      return await this.#connectOneShot(error);
    }
  }

  async #connectOneShot(sessionError: TransportError): Promise<HelloData> {
    const reply = await this.#once(this.#options.hello(), { waitMs: this.#options.helloMs ?? HELLO_MS });
    // What the session said is the better explanation, unless it was silence: the one-shot form fails for the same reason.
    if (reply.at !== "answered") throw sessionError;
    if (!reply.checked.ok)
      throw sessionError.fault.code === "Timeout" ? new TransportError(reply.checked.fault) : sessionError;
    this.#options.log.warn(
      { fault: sessionError.fault },
      "no agent session can be had, each job starts the agent anew",
    );
    this.#connection = { at: "oneShot" };
    return reply.checked.result.data;
  }

  /** Never rejects. */
  async call<O extends Operation>(
    request: JobRequest & { operation: O },
    lane: Lane,
    options: CallOptions,
  ): Promise<Reply<O>> {
    const connection = this.#connection;
    switch (connection.at) {
      case "none":
        return { at: "unsent", fault: connection.why };
      case "oneShot":
        return await this.#once(request, options);
      case "session":
        if (connection.concurrency > 1) return await this.#shared(connection.control, request, options);
        return lane === "control" ? await this.#inLine(request, options) : await this.#single(request, options);
      default:
        return connection satisfies never;
    }
  }

  /** Leaves the connection, e.g. to an agent that must get no job; `connect` may follow. */
  disconnect(why: Fault): void {
    this.#drop(why);
  }

  /** In one-shot mode: goes over to a session if one can be had now. */
  async retrySession(): Promise<void> {
    try {
      const { session, hello } = await this.#open();
      if (this.#connection.at !== "oneShot") return session.close();
      this.#connection = { at: "session", concurrency: hello.sessionConcurrency, control: session };
    } catch (error) {
      this.#options.log.debug({ fault: faultOf(error) }, "still no session");
    }
  }

  /** Closes every session; calls in flight end as lost. */
  close(why: Fault = fault("HostUnreachable", "the connection was closed")): void {
    this.#stop.abort();
    this.#drop(why);
  }

  #drop(why: Fault): void {
    this.#dropControl(why);
    for (const worker of this.#workers) worker.close(why);
  }

  /** Jobs of other sessions go on: they have their own processes. */
  #dropControl(why: Fault): void {
    const before = this.#connection;
    this.#line = Promise.resolve();
    this.#connection = { at: "none", why };
    if (before.at === "session") before.control.close(why);
  }

  #closed(session: AgentSession | undefined, why: Fault): void {
    if (!session) return;
    this.#workers.delete(session);
    this.#idle = this.#idle.filter((idle) => idle !== session);
    const connection = this.#connection;
    if (connection.at !== "session" || connection.control !== session) return;
    this.#connection = { at: "none", why };
    this.#options.onDown(why);
  }

  /** A channel, or a TransportError once the time for a hello has passed: a transport must not hold the host up for ever. */
  async #channel(): Promise<AgentChannel> {
    const { transport, clock, helloMs = HELLO_MS } = this.#options;
    const tooLate = new AbortController();
    const settled = new AbortController();
    const opening = transport.session(AbortSignal.any([this.#stop.signal, tooLate.signal]));
    const patience = clock.sleep(helloMs, AbortSignal.any([this.#stop.signal, settled.signal])).then(() => undefined);
    const channel = await Promise.race([opening, patience]).finally(() => settled.abort());
    if (channel) return channel;
    tooLate.abort();
    void opening.then(
      (late) => late.close(),
      () => undefined,
    );
    throw new TransportError(fault("HostUnreachable", `no session within ${helloMs / 1000} s`));
  }

  async #open(): Promise<{ session: AgentSession; hello: HelloData }> {
    const channel = await this.#channel();
    let made: AgentSession | undefined;
    const session = new AgentSession(channel, {
      clock: this.#options.clock,
      log: this.#options.log,
      check: this.#options.check,
      heartbeatMs: this.#options.heartbeatMs ?? HEARTBEAT_MS,
      onStray: this.#options.onStray,
      onGarbage: this.#options.onGarbage,
      onClose: (why) => this.#closed(made, why),
      onTraffic: (characters) => (this.characters += characters),
    });
    made = session;
    if (this.#stop.signal.aborted) session.close();
    const reply = await session.call(this.#options.hello(), { waitMs: this.#options.helloMs ?? HELLO_MS });
    if (reply.at === "answered" && reply.checked.ok && session.open)
      return { session, hello: reply.checked.result.data };
    const why = faultIn(reply) ?? fault("HostUnreachable", "the agent ended right after its hello");
    session.close(why);
    throw new TransportError(why);
  }

  async #shared<O extends Operation>(
    control: AgentSession,
    request: JobRequest & { operation: O },
    options: CallOptions,
  ) {
    if (this.#isUsedUp(control)) void this.#recycle(control);
    return await control.call(request, options);
  }

  /** Between two questions: a used up control session makes way for a new one. */
  async #renew(): Promise<void> {
    const connection = this.#connection;
    if (connection.at === "session" && this.#isUsedUp(connection.control)) await this.#recycle(connection.control);
  }

  /** The old session goes on with what it has; new questions go to the new one. */
  async #recycle(old: AgentSession): Promise<void> {
    if (this.#replacing) return;
    this.#replacing = true;
    try {
      const { session, hello } = await this.#open();
      if (this.#connection.at !== "session" || this.#connection.control !== old) return session.close();
      this.#connection = { at: "session", concurrency: hello.sessionConcurrency, control: session };
      while (old.open && old.busy > 0) await this.#options.clock.sleep(1000, this.#stop.signal);
      old.close();
    } catch (error) {
      this.#options.log.warn({ fault: faultOf(error) }, "a used up session could not be replaced; it stays");
    } finally {
      this.#replacing = false;
    }
  }

  async #single<O extends Operation>(request: JobRequest & { operation: O }, options: CallOptions): Promise<Reply<O>> {
    const worker = await this.#worker();
    if (!worker) return await this.#once(request, options);
    const reply = await worker.call(request, options);
    // A silent one is still at its job, whose deadline is over: it can take no other.
    if (reply.at === "silent") worker.kill(reply.fault);
    else if (this.#isUsedUp(worker)) worker.close();
    if (worker.open) this.#idle.push(worker);
    return reply;
  }

  /** The control session of an agent that runs one job at a time: one question after the other. */
  async #inLine<O extends Operation>(request: JobRequest & { operation: O }, options: CallOptions): Promise<Reply<O>> {
    const ask = async (): Promise<Reply<O>> => {
      const connection = this.#connection;
      if (connection.at !== "session") return this.call(request, "control", options);
      const { control } = connection;
      const reply = await control.call(request, options);
      // It hangs in a question: nothing else would be answered either.
      if (reply.at === "silent" && options.signal?.aborted !== true) control.kill(reply.fault);
      return reply;
    };
    const reply = this.#line.then(ask);
    this.#line = reply.then(() => this.#renew());
    return await reply;
  }

  /** An idle worker, or a new one; undefined when none can be had. The host's slots bound how many are asked for. */
  async #worker(): Promise<AgentSession | undefined> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    try {
      const { session } = await this.#open();
      this.#workers.add(session);
      return session;
    } catch (error) {
      this.#options.log.warn({ fault: faultOf(error) }, "no further session can be had, the job runs one-shot");
      return undefined;
    }
  }

  async #once<O extends Operation>(request: JobRequest & { operation: O }, options: CallOptions): Promise<Reply<O>> {
    const { transport, clock, check, log } = this.#options;
    const onTraffic = (characters: number) => (this.characters += characters);
    return await runOnce({ transport, clock, check, log, onTraffic, stop: this.#stop.signal }, request, options);
  }
}

const faultIn = (reply: Reply): Fault | undefined => {
  if (reply.at !== "answered") return reply.fault;
  return reply.checked.ok ? undefined : reply.checked.fault;
};

/** The fault of whatever opening a session threw. */
export const faultOf = (error: unknown): Fault =>
  error instanceof TransportError
    ? error.fault
    : fault("InternalError", error instanceof Error ? error.message : String(error));
