import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { TransportError, type AgentChannel, type Transport } from "../../engine/ports.ts";
import { MAX_RESULT_BYTES } from "../../protocol/check.ts";
import { fault, type Fault } from "../../protocol/errors.ts";
import { Inbox } from "../inbox.ts";
import { lastWords } from "../lastWords.ts";
import { LineSplitter } from "./lines.ts";

/** An agent's program on this machine. Nothing secret may stand in `args`: every user can read them. */
export interface AgentProgram {
  readonly command: string;
  readonly args: readonly string[];
  /** Added for the session form. */
  readonly sessionArgs: readonly string[];
  /** After STDIN was closed, milliseconds until the process is killed. Default 2000. */
  readonly killAfterMs?: number;
}

const MAX_LINE = MAX_RESULT_BYTES;
const STDERR_LINES_KEPT = 5;

/** Reaches an agent by starting it as a child process. */
export class LocalTransport implements Transport {
  readonly #program: AgentProgram;

  constructor(program: AgentProgram) {
    this.#program = program;
  }

  async session(signal: AbortSignal): Promise<AgentChannel> {
    const child = this.#spawn([...this.#program.args, ...this.#program.sessionArgs]);
    const channel = new ProcessChannel(child, this.#program.killAfterMs ?? 2000);
    await started(child, this.#program.command);
    const close = () => channel.close();
    signal.addEventListener("abort", close, { once: true });
    channel.onClose(() => signal.removeEventListener("abort", close));
    if (signal.aborted) channel.close();
    return channel;
  }

  async oneShot(input: string, onError: (line: string) => void, signal: AbortSignal) {
    const child = this.#spawn(this.#program.args);
    const errors = new LineSplitter(MAX_LINE, onError);
    const chunks: Buffer[] = [];
    let size = 0;
    child.stderr.on("data", (chunk: Buffer) => errors.write(chunk));
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > 2 * MAX_RESULT_BYTES) child.kill("SIGKILL");
      else chunks.push(chunk);
    });
    const kill = () => void child.kill("SIGKILL");
    signal.addEventListener("abort", kill, { once: true });
    try {
      await started(child, this.#program.command);
      const ended = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? -1)));
      child.stdin.end(input);
      if (signal.aborted) kill();
      const exitCode = await ended;
      errors.end();
      return { stdout: Buffer.concat(chunks).toString("utf8"), exitCode };
    } finally {
      signal.removeEventListener("abort", kill);
    }
  }

  #spawn(args: readonly string[]): ChildProcessWithoutNullStreams {
    // Its own process group: Ctrl+C in the terminal must not end the agent before its running jobs were waited for.
    const detached = process.platform !== "win32";
    const child = spawn(this.#program.command, args, { stdio: ["pipe", "pipe", "pipe"], windowsHide: true, detached });
    // A write to a process that has just ended fails here; its end is told by "close".
    child.stdin.on("error", () => undefined);
    return child;
  }
}

const started = (child: ChildProcessWithoutNullStreams, command: string): Promise<void> =>
  new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) =>
      reject(new TransportError(fault("HostUnreachable", `the agent ${command} can't be started: ${error.message}`))),
    );
  });

class ProcessChannel implements AgentChannel {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #killAfterMs: number;
  readonly #inbox = new Inbox();
  readonly #errorLines: ((line: string) => void)[] = [];
  readonly #lastErrors: string[] = [];

  constructor(child: ChildProcessWithoutNullStreams, killAfterMs: number) {
    this.#child = child;
    this.#killAfterMs = killAfterMs;
    const lines = new LineSplitter(MAX_LINE, (line) => this.#inbox.line(line));
    const errors = new LineSplitter(MAX_LINE, (line) => this.#errorLine(line));
    child.stdout.on("data", (chunk: Buffer) => lines.write(chunk));
    child.stderr.on("data", (chunk: Buffer) => errors.write(chunk));
    child.once("close", (code, signal) => {
      lines.end();
      errors.end();
      this.#ended(code, signal);
    });
    child.once("error", () => undefined);
  }

  send(line: string): void {
    if (!this.#inbox.closed && this.#child.stdin.writable) this.#child.stdin.write(`${line}\n`);
  }

  onLine(callback: (line: string) => void): void {
    this.#inbox.onLine(callback);
  }

  onErrorLine(callback: (line: string) => void): void {
    this.#errorLines.push(callback);
  }

  onClose(callback: (fault: Fault) => void): void {
    this.#inbox.onClose(callback);
  }

  /** Closes STDIN, on which an agent ends by itself, and kills it when it does not. */
  close(): void {
    if (this.#inbox.closed) return;
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), this.#killAfterMs);
    this.#child.once("close", () => clearTimeout(timer));
  }

  leave(): void {
    if (!this.#inbox.closed) this.#child.stdin.end();
  }

  #errorLine(line: string): void {
    this.#lastErrors.push(line.slice(0, 500));
    if (this.#lastErrors.length > STDERR_LINES_KEPT) this.#lastErrors.shift();
    for (const callback of this.#errorLines) callback(line);
  }

  #ended(code: number | null, signal: string | null): void {
    const how = signal ? `was killed by ${signal}` : `ended with exit code ${code}`;
    this.#inbox.close(fault("HostUnreachable", `the agent process ${how}${lastWords(this.#lastErrors)}`));
  }
}
