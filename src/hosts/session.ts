import { withSharedTexts } from "../api/sharedText.ts";
import type { AgentChannel, Clock, Logger } from "../engine/ports.ts";
import { MAX_RESULT_BYTES, type Checked, type ProtocolCheck } from "../protocol/check.ts";
import { fault, type Fault } from "../protocol/errors.ts";
import type { JobRequest, JobResult, LogLine, Operation, SessionLine } from "../protocol/generated/types.ts";

/** How a question to an agent ended, as far as its asker can tell. */
export type Reply<O extends Operation = Operation> =
  /** The agent answered; `checked` tells whether the answer can be used. */
  | { readonly at: "answered"; readonly checked: Checked<O> }
  /** Sent, and no answer within the deadline: it may still run. */
  | { readonly at: "silent"; readonly fault: Fault }
  /** Sent, then the way to the agent broke: it may have run, or run still. */
  | { readonly at: "lost"; readonly fault: Fault }
  /** Never sent. */
  | { readonly at: "unsent"; readonly fault: Fault };

/** What comes while a job runs. */
export interface Listener {
  readonly log?: (line: LogLine) => void;
  readonly progress?: (percent: number, text?: string) => void;
}

export interface CallOptions {
  readonly listener?: Listener;
  /** Milliseconds from sending until the reply counts as silent. */
  readonly waitMs: number;
  /** Gives up waiting: the reply is then `silent`, and a later answer is late. */
  readonly signal?: AbortSignal;
}

export interface SessionOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly check: ProtocolCheck;
  /** Milliseconds between two heartbeats; three missed ones end the session. */
  readonly heartbeatMs: number;
  /** A result that nobody waits for any more: late, repeated, or of a job that an earlier session started. */
  readonly onStray?: (result: JobResult) => void;
  /** A line that is no message: perhaps a result that got lost. */
  readonly onGarbage?: () => void;
  readonly onClose?: (fault: Fault) => void;
  /** Called with the characters of every line sent and received. */
  readonly onTraffic?: (characters: number) => void;
}

interface Pending {
  readonly operation: Operation;
  readonly listener: Listener;
  readonly settle: (reply: Reply) => void;
}

const MISSED_HEARTBEATS = 3;
const SHOWN = 200;

/** One running agent: sends requests, and matches what comes back by correlation id. */
export class AgentSession {
  readonly #channel: AgentChannel;
  readonly #options: SessionOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #ended = new AbortController();
  #closed: Fault | undefined;
  readonly #sent = new Set<string>();
  /** Id of a result that answers nothing asked here, unless an answer has come since. */
  #foreign: string | undefined;
  #heard = true;
  /** Requests sent so far. */
  served = 0;
  /** Bytes of memory that the agent's process takes, as it told last. */
  memory = 0;

  constructor(channel: AgentChannel, options: SessionOptions) {
    this.#channel = channel;
    this.#options = options;
    channel.onLine((line) => this.#line(line));
    channel.onErrorLine((line) => this.#options.log.debug({ line: line.slice(0, SHOWN) }, "the agent wrote on STDERR"));
    channel.onClose((why) => this.#end(why));
    void this.#watch();
  }

  get open(): boolean {
    return this.#closed === undefined;
  }

  /** Requests without a reply yet. */
  get busy(): number {
    return this.#pending.size;
  }

  /** Sends a request and waits for its end. Never rejects. */
  call<O extends Operation>(request: JobRequest & { operation: O }, options: CallOptions): Promise<Reply<O>> {
    if (this.#closed) return Promise.resolve({ at: "unsent", fault: this.#closed });
    const id = request.correlation_id;
    const { promise, resolve } = Promise.withResolvers<Reply>();
    const done = new AbortController();
    const settle = (reply: Reply) => {
      if (!this.#pending.delete(id)) return;
      done.abort("settled");
      resolve(reply);
    };
    this.#pending.set(id, { operation: request.operation, listener: options.listener ?? {}, settle });
    const silent = () => settle({ at: "silent", fault: this.#silence(request.operation, options.waitMs) });
    void this.#options.clock.sleep(options.waitMs, done.signal).then(() => done.signal.aborted || silent());
    options.signal?.addEventListener("abort", silent, { once: true, signal: done.signal });
    this.served += 1;
    this.#sent.add(id);
    const line = JSON.stringify(request);
    this.#options.onTraffic?.(line.length);
    this.#channel.send(line);
    if (options.signal?.aborted) silent();
    return promise as Promise<Reply<O>>;
  }

  #silence(operation: Operation, waitMs: number): Fault {
    if (this.#foreign === undefined) return fault("Timeout", `no answer to ${operation} within ${waitMs / 1000} s`);
    return fault("ProtocolError", `the agent answered ${this.#foreign}, which was not asked, instead of ${operation}`);
  }

  /** Ends the agent; one that is at a job finishes it first. */
  close(why: Fault = fault("HostUnreachable", "the session was closed")): void {
    const atWork = this.busy > 0;
    this.#end(why);
    if (atWork) this.#channel.leave();
    else this.#channel.close();
  }

  /** Ends the agent whatever it is at: it hangs, or its job has outlived its deadline. */
  kill(why: Fault): void {
    this.#end(why);
    this.#channel.close();
  }

  /** A silent agent is a dead one: counts periods without a line, not the time of day, so that a stopped machine may wake up. */
  async #watch(): Promise<void> {
    let missed = 0;
    while (this.open) {
      await this.#options.clock.sleep(this.#options.heartbeatMs, this.#ended.signal);
      missed = this.#heard ? 0 : missed + 1;
      this.#heard = false;
      if (missed < MISSED_HEARTBEATS || !this.open) continue;
      const seconds = (MISSED_HEARTBEATS * this.#options.heartbeatMs) / 1000;
      this.kill(fault("HostUnreachable", `the agent has not been heard for ${seconds} s`));
    }
  }

  #end(why: Fault): void {
    if (this.#closed) return;
    this.#closed = why;
    this.#ended.abort();
    for (const pending of this.#pending.values()) pending.settle({ at: "lost", fault: why });
    this.#options.onClose?.(why);
  }

  #line(line: string): void {
    if (!this.open) return;
    this.#heard = true;
    this.#options.onTraffic?.(line.length);
    const parsed = line.length < MAX_RESULT_BYTES ? parse(line) : undefined;
    if (this.#options.check.sessionLine(parsed)) this.#take(parsed);
    else if (looksLikeResult(line)) this.#broken(line, parsed);
    else if (line.trim() !== "") this.#garbage(line);
  }

  #garbage(line: string): void {
    this.#options.log.warn({ line: line.slice(0, SHOWN) }, "the agent wrote a line that is no message");
    if (this.#pending.size > 0) this.#options.onGarbage?.();
  }

  #take(line: SessionLine): void {
    switch (line.type) {
      case "heartbeat":
        this.memory = line.memory ?? this.memory;
        return;
      case "log":
        return this.#pending.get(line.correlation_id)?.listener.log?.(line.log);
      case "progress":
        return this.#pending.get(line.correlation_id)?.listener.progress?.(line.percent, line.text);
      case "result":
        return this.#result(line.result);
      default:
        return line satisfies never;
    }
  }

  #result(result: JobResult): void {
    const pending = this.#pending.get(result.correlation_id);
    if (pending) {
      this.#foreign = undefined;
      const checked = this.#options.check.result(pending.operation, result.correlation_id, result);
      return pending.settle({ at: "answered", checked });
    }
    this.#options.log.debug({ id: result.correlation_id, status: result.status }, "a late or repeated result");
    this.#options.onStray?.(result);
    if (this.#pending.size === 0 || this.#sent.has(result.correlation_id)) return;
    this.#foreign = result.correlation_id;
    this.#options.onGarbage?.();
  }

  /** A result that is malformed or cut off: its job's effect is unknown. With its id lost too, so is every job of this session. */
  #broken(line: string, parsed: unknown): void {
    this.#options.log.warn({ characters: line.length, line: line.slice(0, SHOWN) }, "the agent sent a broken result");
    const id = idIn(parsed) ?? /"correlation_id":"([0-9A-HJKMNP-TV-Z]{26})"/.exec(line)?.[1];
    const named = id === undefined ? undefined : this.#pending.get(id);
    const problem =
      id !== undefined && parsed !== undefined
        ? this.#options.check.result(named?.operation ?? "agent.hello", id, resultIn(parsed))
        : { ok: false as const, fault: fault("ProtocolError", cutOff(line)) };
    if (id !== undefined) return named?.settle({ at: "answered", checked: problem });
    for (const pending of this.#pending.values()) pending.settle({ at: "answered", checked: problem });
  }
}

const parse = (line: string): unknown => {
  try {
    return withSharedTexts(JSON.parse(line) as unknown);
  } catch {
    return undefined;
  }
};

const cutOff = (line: string): string =>
  line.length >= MAX_RESULT_BYTES ? "the result is longer than 8 MiB" : "the result is cut off or no JSON";

const looksLikeResult = (line: string): boolean => /^\s*\{\s*"type"\s*:\s*"result"/.test(line.slice(0, SHOWN));

const resultIn = (parsed: unknown): unknown =>
  typeof parsed === "object" && parsed !== null && "result" in parsed ? parsed.result : undefined;

const idIn = (parsed: unknown): string | undefined => {
  const result = resultIn(parsed);
  if (typeof result !== "object" || result === null || !("correlation_id" in result)) return undefined;
  return typeof result.correlation_id === "string" ? result.correlation_id : undefined;
};
