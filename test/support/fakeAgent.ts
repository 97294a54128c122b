import { TransportError, type AgentChannel, type Transport } from "../../src/engine/ports.ts";
import { fault, type Fault } from "../../src/protocol/errors.ts";
import type { HelloData, JobGetData, JobRequest, JobResult } from "../../src/protocol/generated/types.ts";

/** What a scripted agent does about a request: answers, says nothing, or writes these very lines. */
export type Reaction =
  | { readonly data: Record<string, unknown> }
  | {
      readonly code: string;
      readonly message?: string;
      readonly data?: Record<string, unknown>;
      readonly status?: "partial";
    }
  | { readonly lines: readonly string[] }
  | "hang"
  | "die";

export const resultOf = (
  request: JobRequest,
  reaction: Exclude<Reaction, string | { lines: readonly string[] }>,
): JobResult => ({
  status: "code" in reaction ? (reaction.status ?? "error") : "success",
  ...("code" in reaction && { code: reaction.code }),
  message: "code" in reaction ? (reaction.message ?? reaction.code) : "",
  data: reaction.data ?? {},
  logs: [],
  correlation_id: request.correlation_id,
});

export const resultLine = (result: JobResult): string => JSON.stringify({ type: "result", result });

/** An agent that a test scripts, reached through a Transport without any process. */
export class FakeAgent implements Transport {
  readonly requests: JobRequest[] = [];
  readonly channels: FakeChannel[] = [];
  epochs: Record<string, number> = {};
  concurrency = 16;
  reachable = true;
  /** Refuses the session form only. */
  sessions = true;
  /** What job.get answers, by correlation id. */
  readonly jobs = new Map<string, JobGetData>();
  react: (request: JobRequest) => Reaction | Promise<Reaction> = () => ({ data: { observed: {} } });

  asked(operation: string): readonly JobRequest[] {
    return this.requests.filter((request) => request.operation === operation);
  }

  /** The channel opened last. */
  get channel(): FakeChannel {
    return this.channels.at(-1)!;
  }

  async session(): Promise<AgentChannel> {
    if (!this.reachable || !this.sessions) throw new TransportError(fault("HostUnreachable", "no session"));
    const channel = new FakeChannel((line) => void this.#received(channel, line));
    this.channels.push(channel);
    return channel;
  }

  async oneShot(input: string, onError: (line: string) => void) {
    if (!this.reachable) throw new TransportError(fault("HostUnreachable", "no agent"));
    const request = JSON.parse(input) as JobRequest;
    this.requests.push(request);
    onError(JSON.stringify({ time: "2026-01-01T00:00:00.000Z", level: "info", text: `one-shot ${request.operation}` }));
    const reaction = await this.#reaction(request);
    if (typeof reaction === "string" || "lines" in reaction) return { stdout: "", exitCode: 1 };
    return { stdout: `noise\n${JSON.stringify(resultOf(request, reaction))}\n`, exitCode: 0 };
  }

  async #received(channel: FakeChannel, line: string): Promise<void> {
    const request = JSON.parse(line) as JobRequest;
    this.requests.push(request);
    const reaction = await this.#reaction(request);
    if (reaction === "die") return channel.die();
    if (reaction === "hang") return;
    if ("lines" in reaction) return reaction.lines.forEach((text) => channel.say(text));
    channel.say(resultLine(resultOf(request, reaction)));
  }

  async #reaction(request: JobRequest): Promise<Reaction> {
    if (request.operation === "agent.hello") return { data: this.hello() as unknown as Record<string, unknown> };
    const scripted = await this.react(request);
    if (request.operation !== "job.get") return scripted;
    const known = this.jobs.get((request.resource_spec as { correlation_id: string }).correlation_id);
    return { data: { ...(known ?? { state: "Unknown" }) } };
  }

  hello(): HelloData {
    return {
      agent: "simulator",
      version: "0.1.0",
      sha256: "0".repeat(64),
      pid: 1,
      platform: { os: "test" },
      sessionConcurrency: this.concurrency,
      epochs: this.epochs,
      running: [],
      results: [],
    };
  }
}

export class FakeChannel implements AgentChannel {
  readonly #send: (line: string) => void;
  readonly #lines: ((line: string) => void)[] = [];
  readonly #closers: ((fault: Fault) => void)[] = [];
  closed = false;
  /** Closed without force. */
  left = false;

  constructor(send: (line: string) => void) {
    this.#send = send;
  }

  send(line: string): void {
    if (!this.closed) this.#send(line);
  }

  onLine(callback: (line: string) => void): void {
    this.#lines.push(callback);
  }

  onErrorLine(): void {}

  onClose(callback: (fault: Fault) => void): void {
    this.#closers.push(callback);
  }

  close(): void {
    this.die();
  }

  /** The agent goes on with its job; what it says is heard by nobody. */
  leave(): void {
    this.left = true;
    this.die();
  }

  /** The agent writes a line. */
  say(line: string): void {
    if (!this.closed) for (const callback of this.#lines) callback(line);
  }

  beat(): void {
    this.say(JSON.stringify({ type: "heartbeat", time: "2026-01-01T00:00:00.000Z" }));
  }

  /** The agent ends. */
  die(why: Fault = fault("HostUnreachable", "the agent ended")): void {
    if (this.closed) return;
    this.closed = true;
    for (const callback of this.#closers) callback(why);
  }
}
